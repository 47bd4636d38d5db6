"""The page: HTML, style and scripts in ``web``, the numbers and formulas that Python puts in, one file that comes out."""
