"""A student's file as text: which of the six classes it defines, where, and what of it may be run."""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from torch_ref.grade.by_class import Checked, checked
from torch_ref.grade.forbidden import Violation
from torch_ref.grade.subjects import QUESTIONS_OF, Question


class UnusableFileError(Exception):
    """There is nothing to grade: no such file, no text, none of the six classes."""


@dataclass(frozen=True)
class StudentsFile:
    """The text that was read, and the part of it that is run."""

    path: Path
    text: str
    lines: dict[str, dict[str, int]]
    """By class: its own line under '', those of its methods under their names."""
    spoiled: str = ""
    """Why the file cannot be run."""
    checked: Checked = field(default_factory=lambda: Checked("", {}, {}))

    @property
    def classes(self) -> tuple[str, ...]:
        """Return those of the six classes that the file defines, in the order of the lecture."""
        return tuple(name for name in QUESTIONS_OF if name in self.lines)

    @property
    def source(self) -> str:
        """Return the text without what is not run: what is forbidden, and the file's own tests."""
        return self.checked.source

    def refusal(self, name: str) -> str:
        """Return why a class may not be run; '' where it may."""
        found = self.checked.refused.get(name, [])
        return refusal(name, "; ".join(_shown(v) for v in found[:3])) if found else ""

    def is_of_numpy(self, name: str) -> bool:
        """Tell whether a class computes with arrays of numpy: it reaches numpy, and not torch."""
        of_class = self.checked.modules.get(name, set()) & {"torch", "numpy"}
        of_file = self.checked.imported & {"torch", "numpy"}
        return (of_class or of_file) == {"numpy"}

    def place(self, of: Question) -> str:
        """Return file and line of the method that gives a formula, or of its class."""
        lines = self.lines[of.kind.__name__]
        return f"{self.path.name}:{lines.get(of.method, lines[''])}"


def read(path: Path) -> StudentsFile:
    """Return a student's file; raise UnusableFileError where there is nothing to grade."""
    text = _text(path)
    try:
        with warnings.catch_warnings(action="ignore"):  # of a student's odd literals
            tree = ast.parse(text)
            compile(text, path.name, "exec", dont_inherit=True)  # a return outside a function parses
            lines = _lines(tree)
            classes = [name for name in QUESTIONS_OF if name in lines]
            may_run = checked(text, tree, classes)
    except SyntaxError as error:
        return StudentsFile(path, text, {}, f"{path.name}:{error.lineno}: {type(error).__name__}: {error.msg}")
    except (ValueError, RecursionError, MemoryError) as error:  # a null byte; thousands of brackets
        return StudentsFile(path, text, {}, f"{path.name} is not Python: {error}")
    if not classes:
        raise UnusableFileError(f"{path} defines none of the classes {', '.join(QUESTIONS_OF)}")
    return StudentsFile(path, text, lines, checked=may_run)


def refusal(name: str, what: str) -> str:
    """Return the line that refuses a class for what it uses."""
    return f"{name} is refused: it uses {what}. The formulas are to be by hand."


def _shown(v: Violation) -> str:
    return f"{v.name} (line {v.line})"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnusableFileError(f"{path} is not text in UTF-8") from error
    except OSError as error:
        raise UnusableFileError(f"{path}: {error.strerror}") from error


def _lines(tree: ast.Module) -> dict[str, dict[str, int]]:
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return {node.name: {"": node.lineno, **_methods(node)} for node in classes}


def _methods(node: ast.ClassDef) -> dict[str, int]:
    return {inner.name: inner.lineno for inner in node.body if isinstance(inner, ast.FunctionDef)}
