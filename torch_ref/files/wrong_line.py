"""Which line of a wrong backward it is: its variables are read while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch_ref.check.lines import check_lines
from torch_ref.files.inputs import copied
from torch_ref.verdict.report import Report


def wrong_line(
    forward: Callable[..., Any], backward: Callable[..., Any], inputs: Mapping[str, Any], report: Report
) -> str:
    """Say which line is wrong in a backward of which a report says so; '' where that is not found."""
    if len(report.rows) < 2 or any(row.isolated.worst is None for row in report.guilty):
        return ""  # it raises, or gives something else: the report says so
    try:
        lines = check_lines(forward, backward, copied(inputs), power=False)
    except Exception:  # of somebody's code, which may be written so that nothing can be paired
        return ""
    places = dict.fromkeys(
        f"{row.of.text}, at {row.source}" + (f", or one that it is computed from: {row.others}" if row.others else "")
        for row in lines.guilty
        if row.source
    )
    if not places:
        return ""
    return f"The line{'s' * (len(places) > 1)} with the mistake: {'; '.join(places)}"
