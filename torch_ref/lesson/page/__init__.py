"""The page: HTML, style and scripts in ``web``, numbers and formulas from Python, one file that comes out."""
