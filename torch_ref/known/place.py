"""Where the numbers are wrong, when no known mistake explains them."""

from __future__ import annotations

import torch
from torch import Tensor

from torch_ref.known.cause import Cause
from torch_ref.known.scene import Scene

NO_PATTERN = Cause("no-pattern", "no known pattern fits")

BY_VALUE = Cause("no-pattern", "no known pattern fits; it is wrong just where some numbers lie beyond a threshold")

OF_THE_INPUT = ("forward", "error", "output")
"""What has a row for each row of the input."""

PLURAL = {"entry": "entries"}
"""The others take an s."""


def described(s: Scene) -> Cause:
    """Describe where the numbers are wrong: in one entry, row or column, or where they are zero."""
    allowed = s.allowed * float(s.right.abs().max() if s.right.numel() else 0)
    off = (s.by_hand - s.right).abs() > allowed
    if not off.any() or s.right.numel() < 2:
        return NO_PATTERN
    if int(off.sum()) == 1:
        place = tuple(torch.nonzero(off)[0].tolist())
        return Cause("one-entry", f"one entry only: {place}", {"place": place})
    for axis, word in enumerate(_axes(s)):
        others = [d for d in range(s.right.ndim) if d != axis]
        touched = off.any(dim=others) if others else off
        places = torch.nonzero(touched).flatten().tolist()
        if len(places) < len(touched) and len(places) <= max(1, len(touched) // 2):
            if _is_by_value(s, off, touched, axis):
                return BY_VALUE
            return _lines(s, word, places, touched, axis)
    return NO_PATTERN


def _is_by_value(s: Scene, off: Tensor, touched: Tensor, axis: int) -> bool:
    """Tell whether a threshold tells what is wrong from what is right, and not whole rows are wrong.

    Zeros on both sides are neither.
    """
    counts = (s.right != 0) | (s.by_hand != 0)
    if bool((off | ~counts).movedim(axis, 0)[touched].all()):
        return False
    values = [t for t in (s.right, s.x, *s.others.values()) if t.shape == off.shape]
    return any(bool(t[off].min() > t[counts & ~off].max()) for v in values for t in (v, -v, v.abs()))


def _axes(s: Scene) -> list[str]:
    """Name the dimensions: of rows of samples, of a matrix, of a vector, or by number.

    The rows of what anybody's function was given may be steps in time or a table: there they are rows.
    """
    if s.right.ndim == 2:
        return ["sample" if s.is_batch and s.makes in OF_THE_INPUT else "row", "column"]
    return ["entry"] if s.right.ndim == 1 else [f"dimension {axis}, index" for axis in range(s.right.ndim)]


def _lines(s: Scene, word: str, places: list[int], touched: Tensor, axis: int) -> Cause:
    of, numbers = len(touched), {"axis": axis, "places": places}
    one = len(places) == 1 or word.endswith("index")
    shown = ", ".join(map(str, places[:5])) + (", ..." if len(places) > 5 else "")
    named = f"{word if one else PLURAL.get(word, f'{word}s')} {shown} of {of}"
    if s.by_hand.movedim(axis, 0)[touched].any():
        return Cause("only-some", f"only {named}", numbers)
    is_row = s.right.ndim > 2 or (s.right.ndim == 2 and axis == 0 and s.makes in OF_THE_INPUT)
    verb = "is" if len(places) == 1 else "are"
    said = "" if is_row or not s.is_batch else "a dead unit: "
    return Cause("zero-rows" if is_row else "dead-unit", f"{said}{named} {verb} zero", numbers)
