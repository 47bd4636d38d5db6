"""The page: HTML, style and scripts in ``web``, numbers and formulas from Python, one file that comes out.

command     writes the file: ``python -m torch_ref lesson``
build       puts the sources in ``web`` and the data together
data, digit    the numbers that Python puts in: X1 and X2; a network that reads digits, trained on the spot
templates   the pieces of formulas that the scripts put together
web         the sources: numbers (a pass by hand, the same by automatic differentiation, faults), formulas (a step
            in symbols and in numbers), bench (the network and all that can be done with it), chapters, digit

Used by ``python -m torch_ref`` alone, which takes the command. Importing the command imports no torch.
"""
