"""A grader for somebody's own formulas: each is run in a process of its own, at hidden numbers, and judged alone.

    python -m torch_ref grade --template > student.py      # six classes, each formula a TODO
    python -m torch_ref grade student.py                   # points for each formula, and a hint for each one lost

It is no sandbox: time and memory are limited and accidents are survived, but code that means harm can do it.
"""

from torch_ref.grade import template
from torch_ref.grade.grader import grade
from torch_ref.grade.grading import Grading, Mark
from torch_ref.grade.process import Limits
from torch_ref.grade.students_file import UnusableFileError

__all__ = ["Grading", "Limits", "Mark", "UnusableFileError", "grade", "template"]
