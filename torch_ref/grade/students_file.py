"""A student's file as text: which of the classes that count it defines, where, and what of it may be run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch_ref.grade.by_class import Checked, checked
from torch_ref.grade.forbidden import Violation
from torch_ref.grade.subjects import CHAPTERS, LECTURE, QUESTIONS_OF, Question
from torch_ref.grade.unusable import UnusableFileError
from torch_ref.grade.whole_network import NAME


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
    counted: tuple[str, ...] = LECTURE
    """The classes that count."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Return those of the classes that count which the file defines, in the order of the chapters."""
        return tuple(name for name in QUESTIONS_OF if name in self.counted and name in self.lines)

    @property
    def source(self) -> str:
        """Return the text without what is not run: what is forbidden, and the file's own tests."""
        return self.checked.source

    def refusal(self, name: str) -> str:
        """Return why a class may not be run; '' where it may."""
        found = [v for part in _parts(name) for v in self.checked.refused.get(part, [])]
        return refusal(name, "; ".join(_shown(v) for v in found[:3])) if found else ""

    def is_of_numpy(self, name: str) -> bool:
        """Tell whether a class computes with arrays of numpy: it reaches numpy, and not torch."""
        of_class = set().union(*(self.checked.modules.get(part, set()) for part in _parts(name))) & {"torch", "numpy"}
        of_file = self.checked.imported & {"torch", "numpy"}
        return (of_class or of_file) == {"numpy"}

    def place(self, of: Question) -> str:
        """Return file and line of the method that gives a formula, or of its class."""
        lines = self.lines[of.kind.__name__]
        return f"{self.path.name}:{lines.get(of.method, lines[''])}"


def read(path: Path, counted: Sequence[str] = LECTURE) -> StudentsFile:
    """Return a student's file; raise UnusableFileError where it has none of the classes that count."""
    text = _text(path)
    try:
        with warnings.catch_warnings(action="ignore"):  # of a student's odd literals
            tree = ast.parse(text)
            compile(text, path.name, "exec", dont_inherit=True)  # a return outside a function parses
            lines = _lines(tree)
            classes = [name for name in counted if name in lines]
            may_run = checked(text, tree, [*classes, *(FUNCTIONS if NAME in classes else ())])
    except SyntaxError as error:
        return StudentsFile(path, text, {}, f"{path.name}:{error.lineno}: {type(error).__name__}: {error.msg}")
    except (ValueError, RecursionError, MemoryError) as error:  # a null byte; thousands of brackets
        return StudentsFile(path, text, {}, f"{path.name} is not Python: {error}")
    if not classes:
        others = [chapter for chapter, names in CHAPTERS.items() if any(name in lines for name in names)]
        hint = f"; what it has is asked for by --chapter {others[0]}" if others else ""
        raise UnusableFileError(f"{path} defines none of the classes {', '.join(counted)}{hint}")
    return StudentsFile(path, text, lines, checked=may_run, counted=tuple(counted))


FUNCTIONS = ("forward", "backward")
"""A whole network may be a class or two functions."""


def _parts(name: str) -> tuple[str, ...]:
    return (NAME, *FUNCTIONS) if name == NAME else (name,)


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
    functions = _methods(tree)
    whole = {NAME: {"": functions["forward"], **functions}} if {"forward", "backward"} <= functions.keys() else {}
    return whole | {node.name: {"": node.lineno, **_methods(node)} for node in classes}


def _methods(node: ast.ClassDef | ast.Module) -> dict[str, int]:
    return {inner.name: inner.lineno for inner in node.body if isinstance(inner, ast.FunctionDef)}
