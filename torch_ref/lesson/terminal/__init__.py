"""A walk as text and as JSON: ``python -m torch_ref compare``.

command     from the options to what is printed; options: what they take, and which do not go together
printout    what is printed of one example, as lines and as a document
numbers, tensors, updates    the lines of a walk number by number or tensor by tensor, and of many updates
vectors     the formulas of whole tensors
pager       long output in the reader's own pager
sheet       how lines are laid out        document    the JSON

Used by ``python -m torch_ref`` alone, which takes the command. Importing the command imports no torch.
"""
