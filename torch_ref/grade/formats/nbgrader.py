"""The source notebook of an nbgrader assignment: the template's classes to fill in, and a hidden test for each formula.

`nbgrader generate_assignment` takes the solutions and the hidden tests out; `nbgrader autograde` puts the tests back
and runs them. The tests are at the end, so that all of them share one grading.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
from typing import Any

from torch_ref.grade.formats.assignment import Assignment
from torch_ref.grade.grading import shown
from torch_ref.grade.subjects import Question

ABOUT = """
In a notebook, run the cells from top to bottom. `%%grade` as the first line of a cell grades what the cell defines, as
often as you like, at new numbers each time."""

HIDDEN = """# {of} ({number}), points: {points}
### BEGIN HIDDEN TESTS
from torch_ref.grade.formats.hidden import assert_right

assert_right({name!r}, {options!r})
### END HIDDEN TESTS"""


def text(assignment: Assignment) -> str:
    """Return the notebook as JSON."""
    cells = [*_of_template(assignment), *(_test(of, assignment) for of in assignment.questions)]
    notebook = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1) + "\n"


def name_of(of: Question) -> str:
    """Return the name of a formula as the file of points has it, in ASCII."""
    return f"{of.kind.__name__} {of.makes}"


def _of_template(assignment: Assignment) -> list[dict[str, Any]]:
    """Return the cells of the templates: docstrings, the imports of all, and a cell for each class that counts."""
    abouts, imports, to_fill_in = list[str](), dict.fromkeys(["%load_ext torch_ref"]), list[dict[str, Any]]()
    for source in assignment.templates.values():
        tree, lines = ast.parse(source), source.splitlines()
        abouts.append(_markdown(ast.get_docstring(tree) or ""))
        imports |= dict.fromkeys(ast.unparse(n) for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom))
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        counted = [node for node in classes if node.name in assignment.options["only"]]
        to_fill_in += [_cell(node.name, _to_fill_in(node, lines), solution=True) for node in counted]
    about = _cell("about", "\n".join(abouts) + ABOUT)
    return [about, _cell("imports", "\n".join(imports), locked=True), *to_fill_in]


def _markdown(docstring: str) -> str:
    """Return the template's docstring without its line for the command, its table as it stands."""
    paragraphs = [p for p in docstring.split("\n\n") if "python -m torch_ref" not in p]
    kept = [p for p in paragraphs if not p.startswith("Delete the classes")]
    return "\n\n".join(f"```text\n{p}\n```" if "\n    " in p or "  " in p else p for p in kept) + "\n"


def _to_fill_in(node: ast.ClassDef, lines: list[str]) -> str:
    """Return a class with nbgrader's marks around each line that is to be replaced."""
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    found = list[str]()
    for line in lines[first - 1 : node.end_lineno]:
        if re.match(r"\s+raise NotImplementedError", line):
            space = line[: len(line) - len(line.lstrip())]
            found += [f"{space}### BEGIN SOLUTION", line, f"{space}### END SOLUTION"]
        else:
            found.append(line)
    return "\n".join(found)


def _test(of: Question, assignment: Assignment) -> dict[str, Any]:
    points, options = assignment.points(of), shlex.join(assignment.words)
    source = HIDDEN.format(of=of, number=of.number, points=shown(points), name=name_of(of), options=options)
    return _cell(name_of(of).replace(" ", "-"), source, points=points)


def _cell(
    name: str, source: str, *, locked: bool = False, solution: bool = False, points: float | None = None
) -> dict[str, Any]:
    """Return a cell; one that is locked, a solution or worth points has what nbgrader wants to know of it."""
    cell: dict[str, Any] = {"id": name, "metadata": {}, "source": source.splitlines(keepends=True)}
    if name == "about":
        return {"cell_type": "markdown"} | cell
    graded = points is not None
    cell["metadata"]["nbgrader"] = {
        "schema_version": 3, "grade_id": name, "grade": graded, "locked": locked or graded, "solution": solution,
        "task": False, **({"points": points} if graded else {}),
    }  # fmt: skip
    return {"cell_type": "code", "execution_count": None, "outputs": []} | cell
