"""The page of all codes, for the documentation: ``python -m torch_ref.known.document > docs/causes.md``."""

from __future__ import annotations

import sys

from torch_ref.known.codes import GROUPS

HEAD = """# Causes

When a formula is wrong, a verdict names the likely cause in a sentence, and gives it a code that programs can read:
`row.cause` is the sentence, `row.code` the code, and both are in the JSON of every report. This page explains each
code: what it means, the smallest example, and how to mend it.

A cause is read from the numbers. Each known mistake is a formula of its own, which says what *would* come out; the one
that gives just the numbers seen is named. Where none does, the verdict says which entries are wrong, or that no known
pattern fits.

In the examples x, y and net are rows of samples, w is (n_out, n_in), `error` and `delta` are −∂L/∂q, and `d_w` is
+∂L/∂W.

<!-- Made by: python -m torch_ref.known.document > docs/causes.md -->
"""


def document() -> str:
    """Return the page: a section for each group of codes, an entry for each code."""
    parts = [HEAD]
    for title, codes in GROUPS.items():
        parts.append(f"\n## {title}\n")
        for name, code in codes.items():
            example = f"\n```python\n{code.example}\n```\n" if code.example else ""
            parts.append(f"\n### {name}\n\n{code.meaning}\n{example}\nMend: {code.mend}\n")
    return "".join(parts)


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]  # it is a text stream
    sys.stdout.write(document())
