"""The likely cause of a wrong formula, read from the numbers that it gave.

Every known mistake is a formula of its own: with the inputs at hand it says what *would* come out. The one that
gives just the numbers seen is the likely cause. Where none does, the pattern of the difference is described, and
where there is no pattern, nothing is claimed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from torch import Tensor

from torch_ref.known.anybody import of_gradient
from torch_ref.known.cause import Cause
from torch_ref.known.general import added, constant, misplaced, plain
from torch_ref.known.place import described
from torch_ref.known.registry import known_of
from torch_ref.known.scene import Addition, Candidate, Scene


def likely_cause(scene: Scene, further: Callable[[bool], Cause | None] = lambda last: None) -> Cause:
    """Return the first cause that gives the numbers seen.

    ``further`` looks for more than is known of the formula: after that, and with True in the end.
    """
    special = list(_special(scene))
    candidates = [c for c in special if isinstance(c, Candidate)]
    for candidate in [*plain(scene), *candidates, *misplaced(scene)]:
        if scene.fits(candidate.tensor):
            return Cause(candidate.code, candidate.text, candidate.numbers)
    if (cause := _addition(scene, [c for c in special if isinstance(c, Addition)])) is not None:
        return cause
    if (cause := further(False)) is not None:
        return replace(cause, searched=True)
    if (cause := _addition(scene, [*added(scene), *constant(scene)])) is not None:
        return cause
    if (factor := _factor_of(scene, scene.right)) is not None:
        return Cause("factor", f"a constant factor of {_shown(factor)}", {"factor": factor})
    for candidate in candidates:
        if (factor := _factor_of(scene, candidate.tensor)) is not None and _is_plain(factor):
            besides = ", and the sign is wrong" if factor == -1 else f", and a factor of {_shown(factor)}"
            return Cause(candidate.code, candidate.text + besides, {**candidate.numbers, "factor": factor})
    return replace(further(True) or described(scene), searched=True)


def _addition(scene: Scene, additions: Iterable[Addition]) -> Cause | None:
    """Return the first addition of which some share explains the numbers seen."""
    for addition in additions:
        if (share := _share_of(scene, addition.tensor)) is not None:
            return Cause(addition.code, addition.text.format(share=share), {"share": share})
    return None


def _is_plain(factor: float) -> bool:
    """Tell whether a factor, or one over it, is a whole number: beside another mistake others explain nothing."""
    return any(abs(f - round(f)) <= 1e-6 * abs(f) for f in (factor, 1 / factor))


def _shown(factor: float) -> str:
    """Return a factor in as many digits as tell it from 1, at least 6."""
    return next(text for digits in range(6, 18) if (text := f"{factor:.{digits}g}") != "1" or digits == 17)


def _special(s: Scene) -> Iterator[Candidate | Addition]:
    """Yield the mistakes that are known of this very formula, then those of anybody's gradient."""
    known = known_of(type(s.owner), s.makes)
    if known is not None and s.makes in known.causes:
        yield from known.causes[s.makes](s)
    if s.makes not in ("forward", "output"):
        yield from of_gradient(s)


def _share_of(s: Scene, direction: Tensor) -> float | None:
    """Return c where the numbers seen are the right ones and c times ``direction``."""
    difference = s.by_hand - s.right
    square = float((direction * direction).sum())
    if s.right.numel() < 2 or not square:
        return None
    share = float((difference * direction).sum()) / square
    return share if s.fits(s.right + share * direction) else None


def _factor_of(s: Scene, candidate: Tensor) -> float | None:
    """Return c where the numbers seen are c times the candidate."""
    if candidate.shape != s.by_hand.shape or candidate.numel() < 2:
        return None
    square = float((candidate * candidate).sum())
    factor = float((s.by_hand * candidate).sum()) / square if square else 0.0
    if not factor or not math.isfinite(factor) or not s.fits(factor * candidate):
        return None
    whole = round(factor)
    return whole if whole != 1 and abs(factor - whole) < 1e-6 * abs(factor) else factor
