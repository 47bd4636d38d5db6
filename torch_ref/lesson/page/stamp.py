"""What a page was made from, as a hash that stands in it: a page that was kept tells when it is out of date.

The hash is of everything that a reader sees but for what may differ from one machine to another although the sources
are the same: the version of torch, the last digits of a number, and the trained network of the digit.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

DIGITS = 9
"""How many digits of a number count: the last bits of an exponential differ between processors."""


def stamp(html: str, data: dict[str, Any]) -> str:
    """Return the line for the page's head, given the page without its data, and its data."""
    text = json.dumps(_lasting(data), ensure_ascii=False, allow_nan=False, sort_keys=True)
    return f'<meta name="made-from" content="{sha256((html + text).encode()).hexdigest()}">'


def _lasting(data: dict[str, Any]) -> Any:
    """Return what is the same on every machine: of the digit's network its sizes, and of each digit its picture."""
    kept = {key: value for key, value in data.items() if key not in ("versions", "digit")}
    digit = data.get("digit", {})
    facts = {key: value for key, value in digit.items() if key not in ("weights", "biases", "digits")}
    pictures = [(one["label"], one["pixels"]) for one in digit.get("digits", [])]
    return _rounded([kept, facts, pictures])


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
