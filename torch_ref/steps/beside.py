"""A gradient of a chain at a kink or a tie, where any value between those beside it is right.

Where the forward pass can be computed again, it is, with its inputs moved a little: what arrives then is what is right
beside the kink. Otherwise the operation itself is looked at: ReLU and the absolute value of numbers that are 0, the
larger of two equal numbers, the largest of many, a number that is cut off where it lies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from torch_ref.numbers.agreement import Comparison
from torch_ref.numbers.another import share_off
from torch_ref.numbers.operands import tensors_in
from torch_ref.numbers.witness import all_finite
from torch_ref.steps.chain import Arrived, Chain, Claim
from torch_ref.steps.graph import Use
from torch_ref.steps.pooled import POOLS, beside_ties
from torch_ref.steps.ties import LARGER, LARGEST, adds_up, dimensions_of, tolerance_of

LEAST, DRAWS, MOST = 4, 16, 96
"""How many points beside a kink are looked at, of which the first two lie on both sides: where nothing changes at the
first few, there is none. As long as everything changes, it may be one of many equal numbers that was the largest
nowhere yet: so there are more points."""

SMALL = 10_000
"""Numbers of a value for which so many points can be afforded."""

EXPLAINED = 0.5
"""Of a difference: so much has to be the kink's, the rest may be rounding."""

SLOPES = {
    **dict.fromkeys(
        ("relu", "threshold", "leakyrelu", "maximum", "minimum", "clamp", "clampmin", "clampmax"), (0.0, 1.0)
    ),
    **dict.fromkeys(("hardtanh", "fmax", "fmin", *LARGEST), (0.0, 1.0)),
    "abs": (-1.0, 1.0),
}
"""Operations that have a kink, and between what their slope may lie there."""


def judged(chain: Chain, claim: Claim, i: int) -> Arrived:
    """Return how a claim compares at a place, at a kink too.

    What is right in the plain pass is right, though something else was handed on to it.
    """
    arrived = at_a_kink(chain, claim, i)
    if arrived.found.ok:
        return arrived
    plain = chain.whole[claim.name][i]
    return plain if plain.found.ok else arrived


def at_a_kink(chain: Chain, claim: Claim, i: int) -> Arrived:
    """Return how a claim compares at a place: as one that agrees, where it lies at a kink and is right there."""
    arrived = chain.alone[claim.name][i]
    if arrived.found.ok or chain.tolerance:
        return arrived
    for which, by_hand in enumerate(claim.by_hand[i]):
        found = _agreeing(chain, claim, i, by_hand, arrived)
        if found is not None:
            return Arrived(arrived.witness, by_hand, which, found)
    return arrived


def _agreeing(chain: Chain, claim: Claim, i: int, by_hand: Tensor, arrived: Arrived) -> Comparison | None:
    witness = arrived.witness
    value = witness.value
    is_same_kind = (by_hand.shape, by_hand.dtype, by_hand.device) == (value.shape, value.dtype, value.device)
    if not is_same_kind or by_hand.is_complex() or not all_finite(by_hand, value) or not by_hand.numel():
        return None
    value, exact = by_hand.double(), witness.exact
    tolerance = tolerance_of(witness)
    off = (value - exact).abs() > tolerance
    if not bool(off.any()):
        return None
    low = high = exact
    # Of one operation a further point costs little.
    least, enough = (LEAST, DRAWS) if chain.nearby else (MOST, MOST)
    for count, other in enumerate(_beside(chain, claim, i), 1):
        low, high = torch.minimum(low, other), torch.maximum(high, other)
        is_open = high - low >= EXPLAINED * (value - exact).abs()
        changes = (high - low > tolerance)[off]
        if (count == least and not bool(changes.any())) or (count >= enough and not bool(changes.all())):
            return None  # no kink: nothing changes to either side
        if bool(((value >= low - tolerance) & (value <= high + tolerance)).all()) and bool(is_open[off].all()):
            is_once = adds_up(chain, claim.places[i].key, by_hand, off)
            return _said(arrived, by_hand, off, low, high) if is_once else None
    return None


def _said(arrived: Arrived, by_hand: Tensor, off: Tensor, low: Tensor, high: Tensor) -> Comparison:
    at = tuple(int(i) for i in off.nonzero()[0])
    remark = (
        f"at a kink: any value from {low[at].item() + 0.0:.6g} to {high[at].item() + 0.0:.6g} is right at "
        f"{list(at)}, by hand it is {by_hand[at].item() + 0.0:.6g}"
    )
    more = int(off.sum()) - 1
    return replace(
        arrived.found,
        status="rounding",
        reason="kink",
        remark=remark + (f" (and at {more} more)" if more else ""),
        relative=share_off(by_hand, arrived.witness),
        off=0,
    )


def _beside(chain: Chain, claim: Claim, i: int) -> Iterator[Tensor]:
    """Yield what may arrive at a place beside the kinks."""
    if chain.nearby is not None:
        for draw in range(_draws(claim.places[i].value)):
            try:
                yield chain.beside(draw)[claim.places[i].key].double()
            except Exception:  # of somebody's forward pass, which may take other steps there
                return
        return
    yield from _by_operation(chain, claim, i)


def _draws(value: Tensor) -> int:
    return MOST if value.numel() <= SMALL else DRAWS


def _by_operation(chain: Chain, claim: Claim, i: int) -> Iterator[Tensor]:
    """Yield the smallest and the largest gradient of a value where an operation that uses it has a kink."""
    exact, value = chain.alone[claim.name][i].witness.exact, claim.places[i].value
    if all(use.operation not in (*SLOPES, *POOLS) for use in chain.graph.uses[claim.places[i].key]):
        return
    for part in chain.parts(claim, i):
        if part.use.operation in POOLS and part.came is not None:
            for found in beside_ties(part.use, value, part.came, _draws(value)):
                yield exact + found.double() - part.gradient.double()
            continue
        if part.use.operation not in SLOPES or part.came is None:
            continue
        came = _for_each(part.use, part.came, value)
        if came.shape == exact.shape:
            kinks = _kinks(part.use, value)
            for slope in _slopes(part.use):
                moved = slope * came.double() - part.gradient.double()
                yield torch.where(kinks, exact + moved, exact)


def _for_each(use: Use, came: Tensor, value: Tensor) -> Tensor:
    """Return what arrives at an operation's output, for each number of its input: of the largest of many for each."""
    if use.operation not in LARGEST:
        return came
    dims = dimensions_of(use, value)
    if came.ndim < value.ndim:
        for dim in sorted(dims):
            came = came.unsqueeze(dim)
    return came.expand(value.shape)


def _slopes(use: Use) -> tuple[float, float]:
    """Return between what the slope of an operation may lie at its kink."""
    low, high = SLOPES[use.operation]
    return getattr(use.node, "_saved_negative_slope", low), high


def _kinks(use: Use, value: Tensor) -> Tensor:
    """Tell where a value lies on a kink of an operation: at 0, at a bound, or where it is equal to the other number."""
    node: Any = use.node
    if use.operation in LARGER:
        return torch.eq(node._saved_self, node._saved_other).expand(value.shape)
    if use.operation in LARGEST:
        extreme = torch.amax if use.operation in ("amax", "max") else torch.amin
        return torch.eq(value, extreme(value, dimensions_of(use, value), keepdim=True))
    names = [name for name in ("_saved_min", "_saved_max", "_saved_min_val", "_saved_max_val") if hasattr(node, name)]
    bounds = [bound for name in names if (bound := getattr(node, name)) is not None] if names else [0.0]
    return torch.stack([torch.as_tensor(value == bound) for bound in bounds]).any(0)


def moved(leaf: Tensor, draw: int, generator: torch.Generator) -> Tensor:
    """Return numbers moved a little: all of them up, all of them down, then each up or down at random."""
    steps = 0.5 + torch.rand(leaf.shape, generator=generator, dtype=torch.float64)
    signs = torch.randint(0, 2, leaf.shape, generator=generator) * 2 - 1 if draw > 1 else (-1) ** draw
    return leaf.detach() + _near(leaf, signs * steps)


def shaken(found: Any, given: Any, generator: torch.Generator) -> Any:
    """Return the result of an operation with each number moved a little on its own, in a history that goes on.

    What shares its memory, with what was given or as a view, stays as it is: it moves with that.
    """
    known = {id(t) for t in tensors_in(given)}

    def moving(t: Any) -> Any:
        is_new = isinstance(t, Tensor) and t.requires_grad and not t.is_leaf and not t._is_view() and id(t) not in known
        if not is_new or not t.is_floating_point():
            return t
        steps = torch.randn(t.shape, generator=generator, dtype=torch.float64)
        return t + _near(t, steps)

    return tree_map(moving, found)


def _near(t: Tensor, direction: Tensor) -> Tensor:
    """Return a step in a direction to what is nearby, of the size of the numbers."""
    size = float(t.detach().double().norm()) / max(t.numel(), 1) ** 0.5 or 1.0
    near = max(1e-8, 8 * torch.finfo(t.dtype).eps)
    return (near * size * direction).to(t.device, t.dtype)
