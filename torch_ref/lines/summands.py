"""Parts of a gradient that are numbered: dx1 and dx2, which dx is the sum of."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection

from torch_ref.lines.trace import Run


def numbered_parts(run: Run, names: Collection[str]) -> set[str]:
    """Return the names that end in a number and are parts: one statement reads several, or makes the one without it."""
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for name in names:
        if found := re.fullmatch(r"(\w*[^\W\d])_?\d+", name):
            groups[found[1]].add(name)
    parts = set[str]()
    for version in run.versions:
        for whole, several in groups.items():
            read = several & version.where.reads
            if version.place not in several and (len(read) > 1 or (read and version.place == whole)):
                parts |= read
    return parts
