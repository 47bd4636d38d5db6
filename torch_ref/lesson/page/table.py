"""Every number of X2 as plain HTML, for a reader whose browser runs no script."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from torch_ref.lesson.walk import examples
from torch_ref.lesson.walk.expression import SYMBOLS
from torch_ref.lesson.walk.steps import walk

HEAD = ("quantity", "formula", "by hand", "autograd", "slide")


def table(x2: dict[str, Any]) -> str:
    """Return the table, given what the page has of X2; end tags that HTML does not need are left out."""
    rows = ["<tr>" + "".join(f"<th>{cell}" for cell in HEAD)]
    rows += ["<tr><th>" + "<td>".join(map(escape, cells)) for cells in _rows(x2)]
    return "<table>" + "\n".join(rows) + "</table>"


def _rows(x2: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for step in walk(examples.x2().network):
        slide = x2["slides"].get(step.name, {"printed": ""})["printed"]
        numbers = (f"{x2[side][step.name]:.6f}".replace("-", "−") for side in ("byHand", "autograd"))
        yield step.name, f"{step.formula.text(SYMBOLS)} ({step.equation})", *numbers, slide
