"""A report as HTML for a notebook: one small piece that needs no other file, for light and dark pages."""

from __future__ import annotations

from html import escape

from torch_ref.verdict.row import Row
from torch_ref.verdict.table import Table, mark

LEFT = "text-align:left;padding:1px 12px 1px 0;white-space:nowrap"
WRONG = "background:rgba(214,69,65,.22);font-weight:bold"
"""Seen on white and on black: the letters keep the page's own colour."""


def as_html(verdict: str, table: Table) -> str:
    """Return the verdict, the table and what its columns mean; every text is escaped."""
    said = "<br>".join(escape(line) for line in verdict.splitlines())
    head = "".join(f'<th scope="col" style="{LEFT}">{escape(column)}</th>' for column in table.columns)
    body = "".join(_row(table, row) for row in table.rows)
    return (
        f'<div style="color:inherit"><p>{said}</p>'
        f'<table style="color:inherit;border-collapse:collapse"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table><p><small>{escape(table.meaning)}</small></p></div>"
    )


def _row(table: Table, row: Row) -> str:
    style = f' style="{WRONG}"' if mark(row) else ""
    cells = "".join(f'<td style="{LEFT}">{escape(cell)}</td>' for cell in table.cells(row))
    return f"<tr{style}>{cells}</tr>"
