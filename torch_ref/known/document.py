"""The page of all codes, for the documentation: ``python -m torch_ref.known.document > docs/causes.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from torch_ref.known.codes import GROUPS

HEAD = """# Causes

When a formula is wrong, its verdict names the likely cause in a sentence. Each cause also has a code, which stays the
same when the sentence is worded anew. This page explains every code: what it means, the smallest example, and how to
mend it. `[(row.code, row.cause) for row in report.guilty]` shows the codes of a report; its JSON has them too.

Where none of the known mistakes gives the numbers that are there, the verdict says which entries are wrong, or that no
known pattern fits.

In the examples x, y and net have a row for each sample, and w is (n_out, n_in). The `error` of a quantity q is −∂L/∂q,
`delta` is the error of net, and a name like `d_w` is a gradient, +∂L/∂W.

<!-- Made by: python -m torch_ref.known.document > docs/causes.md -->
"""


def document() -> str:
    """Return the page: its contents, a section for each group of codes, an entry for each code."""
    parts = [HEAD, "\n", *(_entry_of_contents(title, codes) for title, codes in GROUPS.items())]
    for title, codes in GROUPS.items():
        parts.append(f"\n## {title}\n")
        for name, code in codes.items():
            example = f"\n```python\n{code.example}\n```\n" if code.example else ""
            parts.append(f"\n### {name}\n\n{code.meaning}\n{example}\nMend: {code.mend}\n")
    return "".join(parts)


def _entry_of_contents(title: str, codes: Iterable[str]) -> str:
    """Return the line of a group in the contents: a link to each of its codes, whose heading is its own anchor."""
    return f"- {title}: {', '.join(f'[{name}](#{name})' for name in codes)}\n"


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]  # it is a text stream
    sys.stdout.write(document())
