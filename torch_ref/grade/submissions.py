"""The files of a class: which there are, whose they are, and which are the same."""

from __future__ import annotations

import ast
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch_ref.grade.unusable import UnusableFileError


@dataclass(frozen=True)
class Submission:
    """One student's file."""

    name: str
    """Of the student, as far as the path says it."""
    path: Path


def submissions(given: Sequence[Path]) -> list[Submission]:
    """Return the files of folders and the files named, in the order of their names.

    In a folder these are its .py files, and those of its subfolders, one for each student. Raises UnusableFileError
    where a path does not exist, or there is no file at all.
    """
    found = list[Submission]()
    for path in given:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*.py") if _is_visible(file.relative_to(path)))
            found += [Submission(file.relative_to(path).with_suffix("").as_posix(), file) for file in inside]
        elif path.exists():
            found.append(Submission(path.stem, path))
        else:
            raise UnusableFileError(f"{path}: No such file or directory")
    if not found:
        raise UnusableFileError(f"no .py file in {', '.join(map(str, given))}")
    return _named_apart(found)


def _is_visible(path: Path) -> bool:
    return not any(part.startswith((".", "__")) for part in path.parts)


def _named_apart(found: list[Submission]) -> list[Submission]:
    """Return the files with names of their own: a/student.py and b/student.py are not both 'student'."""
    names = [one.name for one in found]
    whole = [f"{one.path.parent.name}/{one.name}" if names.count(one.name) > 1 else one.name for one in found]
    return [
        Submission(name if whole.count(name) == 1 else one.path.as_posix(), one.path)
        for name, one in zip(whole, found, strict=True)
    ]


def alike(found: Iterable[Submission], but: Iterable[str] = ()) -> list[list[str]]:
    """Return the names of those whose files are the same but for comments, layout and docstrings.

    ``but`` are sources that may be handed in by many, as the empty template.
    """
    common, same = {_bare(source) for source in but}, defaultdict[str, list[str]](list)
    for one in found:
        try:
            bare = _bare(one.path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):  # it gets its own line in the table
            continue
        if bare not in common:
            same[bare].append(one.name)
    return [names for names in same.values() if len(names) > 1]


def _bare(source: str) -> str:
    """Return a source without comments, docstrings and layout."""
    with warnings.catch_warnings(action="ignore"):
        tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            node.body = body[1:]  # type: ignore[attr-defined]
    return ast.unparse(tree)
