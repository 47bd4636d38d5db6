"""The lesson: the lecture's pass step by step, by hand and by autograd: in a terminal, on a page, in a notebook.

walk        what is walked through: every number of a pass and an update, its formula, and faults to plant
terminal    a walk as text and as JSON: ``python -m torch_ref compare``
page        the page: ``python -m torch_ref lesson``
marking     the notebook's exercises: what is right, and what is wrong with an answer
notebook    the lecture in code, a script that opens as a notebook

Terminal and page use walk and nothing of each other; walk uses neither. Nobody but the two commands is used from
outside, and ``python -m torch_ref`` uses those.
"""
