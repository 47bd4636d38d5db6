"""Where the numbers are wrong, when no known mistake explains them."""

from __future__ import annotations

import torch
from torch import Tensor

from torch_ref.causes.scene import Scene

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
    axes = ("row", "column") if s.right.ndim == 2 else ("entry",)
    for axis, word in enumerate(axes[: s.right.ndim]):
        others = [d for d in range(s.right.ndim) if d != axis]
        touched = off.any(dim=others) if others else off
        places = torch.nonzero(touched).flatten().tolist()
        if len(places) < len(touched) and len(places) <= max(1, len(touched) // 2):
            return _lines(s, word, places, len(touched), touched, axis)
    return NO_PATTERN


def _lines(s: Scene, word: str, places: list[int], of: int, touched: Tensor, axis: int) -> str:
    wrong = s.by_hand.movedim(axis, 0)[touched]
    named = f"{word} {places[0]}" if len(places) == 1 else f"{word}s {', '.join(map(str, places[:5]))}"
    more = ", ..." if len(places) > 5 else ""
    if not wrong.any():
        return f"a dead unit: {named}{more} of {of} {'is' if len(places) == 1 else 'are'} zero"
    return f"only {named}{more} of {of}"
