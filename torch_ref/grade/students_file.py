"""A student's file as text: which of the six classes it defines, where, and whether it may be run at all."""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass
from pathlib import Path

from torch_ref.grade.forbidden import STUDENTS_MODULES, violations
from torch_ref.grade.subjects import QUESTIONS_OF, Question


class UnusableFileError(Exception):
    """There is nothing to grade: no such file, no text, none of the six classes."""


@dataclass(frozen=True)
class StudentsFile:
    """The text that was read; the same text is run."""

    path: Path
    source: str
    lines: dict[str, dict[str, int]]
    """By class: its own line under '', those of its methods under their names."""
    spoiled: str = ""
    """Why the file must not or cannot be run."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Return those of the six classes that the file defines, in the order of the lecture."""
        return tuple(name for name in QUESTIONS_OF if name in self.lines)

    def place(self, of: Question) -> str:
        """Return file and line of the method that gives a formula, or of its class."""
        lines = self.lines[of.kind.__name__]
        return f"{self.path.name}:{lines.get(of.method, lines[''])}"


def read(path: Path) -> StudentsFile:
    """Return a student's file; raise UnusableFileError where there is nothing to grade."""
    source = _text(path)
    try:
        with warnings.catch_warnings(action="ignore"):  # of a student's odd literals
            lines = _lines(ast.parse(source))
            found = violations(source, STUDENTS_MODULES)
    except SyntaxError as error:
        return StudentsFile(path, source, {}, f"{path.name}:{error.lineno}: {type(error).__name__}: {error.msg}")
    except (ValueError, RecursionError, MemoryError) as error:  # a null byte; thousands of brackets
        return StudentsFile(path, source, {}, f"{path.name} is not Python: {error}")
    if not set(lines) & set(QUESTIONS_OF):
        raise UnusableFileError(f"{path} defines none of the classes {', '.join(QUESTIONS_OF)}")
    what = "; ".join(f"{v.name} (line {v.line})" for v in found[:3])
    return StudentsFile(path, source, lines, refusal(path, what) if found else "")


def refusal(path: Path, what: str) -> str:
    """Return the line that refuses a file for what it uses."""
    return f"{path.name} is refused: it uses {what}. The formulas are to be by hand."


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
