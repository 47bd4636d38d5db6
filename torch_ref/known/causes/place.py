"""Where the numbers are wrong, when no known mistake explains them."""

from __future__ import annotations

import torch
from torch import Tensor

from torch_ref.known.causes.scene import Scene

NO_PATTERN = "no known pattern fits"


def described(s: Scene) -> str:
    """Describe where the numbers are wrong: in one entry, row or column, or where they are zero."""
    allowed = s.allowed * float(s.right.abs().max() if s.right.numel() else 0)
    off = (s.by_hand - s.right).abs() > allowed
    if not off.any() or s.right.ndim == 0:
        return NO_PATTERN
    count = int(off.sum())
    if count == 1:
        return f"one entry only: {tuple(torch.nonzero(off)[0].tolist())}"
    for axis, word in enumerate(_axes(s)):
        others = [d for d in range(s.right.ndim) if d != axis]
        touched = off.any(dim=others) if others else off
        places = torch.nonzero(touched).flatten().tolist()
        if len(places) < len(touched) and len(places) <= max(1, len(touched) // 2):
            return _lines(s, word, places, len(touched), touched, axis)
    return NO_PATTERN


def _axes(s: Scene) -> list[str]:
    """Name the dimensions: of rows of samples, of a matrix of weights, of a vector, or by number."""
    if s.right.ndim == 2:
        return ["sample" if s.makes in ("forward", "error", "output") else "row", "column"]
    return ["entry"] if s.right.ndim == 1 else [f"dimension {axis}, index" for axis in range(s.right.ndim)]


def _lines(s: Scene, word: str, places: list[int], of: int, touched: Tensor, axis: int) -> str:
    wrong = s.by_hand.movedim(axis, 0)[touched]
    plural = "" if len(places) == 1 or word.endswith("index") else "s"
    named = f"{word}{plural} {', '.join(map(str, places[:5]))}".replace("entrys", "entries")
    more = ", ..." if len(places) > 5 else ""
    if not wrong.any():
        unit = "a dead unit: " if s.right.ndim <= 2 and word != "sample" else ""
        return f"{unit}{named}{more} of {of} {'is' if len(places) == 1 else 'are'} zero"
    return f"only {named}{more} of {of}"
