"""Rows of a report with the statements that may be wrong; gradients that share them have one accusation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from torch_ref.lines.suspects import Accused
from torch_ref.verdict.change import with_change
from torch_ref.verdict.row import Row

GRADIENT = "gradient of "


def name_of(row: Row) -> str:
    """Return the name of the value whose gradient a row is about."""
    return re.sub(r" \(\d+ steps\)$", "", row.quantity.removeprefix(GRADIENT))


def with_accused(rows: Iterable[Row], accused: Sequence[Accused]) -> tuple[Row, ...]:
    """Return rows with what is accused: of those that share a mistake the first is to blame."""
    groups = {name: one for one in accused for name in one.names}
    return tuple(_placed(row, groups[name]) if (name := name_of(row)) in groups and row.blame else row for row in rows)


def _placed(row: Row, accused: Accused) -> Row:
    first, named = accused.names[0], accused.named
    if name_of(row) != first:
        consequence = replace(row.of, text=row.quantity)
        return replace(row, of=consequence, blame="", why=None, source="", shares=GRADIENT + first)
    of = replace(row.of, text=named.text or row.of.text)
    found = replace(row, of=of, source=named.at, others=accused.others, called=accused.called)
    mend = accused.mend() if row.why is not None and row.why.searched else None
    return found if mend is None else with_change(found, *mend)
