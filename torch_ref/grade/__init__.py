"""A grader for somebody's own formulas: run class by class in processes of their own, at hidden numbers, judged alone.

    python -m torch_ref grade --template > student.py      # classes, each formula a TODO
    python -m torch_ref grade student.py                   # points for each formula, and a hint for each one lost
    python -m torch_ref grade submissions --jobs 2         # a line for each student of a class

``grader.grade`` is what the command calls. What runs students' code is in ``inside``, and holds no answer. It is no
sandbox: time and memory are limited and accidents are survived, but code that means harm can do it.
"""
