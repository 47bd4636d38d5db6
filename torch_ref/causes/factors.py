"""A factor of the whole gradient that is missing, there twice, or does not belong there: some value of the function."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from torch_ref.causes.tape import Tape, expanded, is_near, same, shape_named

POWERS = (1.0, -1.0)
OTHER_POWERS = (2.0, -2.0, 0.5, -0.5)


def of_factor(tape: Tape, values: Sequence[Tensor], inputs: Sequence[Tensor]) -> Iterator[tuple[str, str, Tensor]]:
    """Yield the right gradient with a factor of it missing, or there twice, and with the upstream gradient twice."""
    right = tape.total
    if len(tape.upstream) == 1 and expanded(tape.upstream[0], right) is not None:
        yield "upstream-twice", "the upstream gradient is multiplied in twice", right * tape.upstream[0]
    for v in _factors(right, values):
        is_input = any(same(t.detach(), v) for t in inputs)
        if depends := _dependence(tape, v):
            yield from ((*_said(p, depends, v, is_input), right * v**p) for p in POWERS)


def of_foreign_factor(
    tape: Tape, values: Sequence[Tensor], inputs: Sequence[Tensor]
) -> Iterator[tuple[str, str, Tensor]]:
    """Yield the right gradient times something that is no factor of it, or with another power of one."""
    right = tape.total
    for v in _factors(right, values):
        if not _dependence(tape, v):
            yield from _of_foreign(tape, v, is_input=any(same(t.detach(), v) for t in inputs))
        for slope in _slopes_of(v) if v.shape == right.shape else ():
            yield (
                "slope-not-here",
                "the derivative of a sigmoid or softmax is multiplied in, which is not here",
                right * slope,
            )
        for p in OTHER_POWERS:
            if p == int(p) or not bool((v < 0).any()):
                yield "wrong-power", f"a value of {shape_named(v)} has another power: {p:+g} more", right * v**p


def _of_foreign(tape: Tape, v: Tensor, *, is_input: bool) -> Iterator[tuple[str, str, Tensor]]:
    """Yield that a value is multiplied in, or divided by, that is no factor: it may be a power of one that is."""
    is_power = _is_power_of_a_factor(tape, v)
    for p in POWERS:
        done = f"{'multiplied with' if p > 0 else 'divided by'} a value of {shape_named(v)}"
        if is_power:
            yield "wrong-power", f"a factor has another power: it is {done}", tape.total * v**p
        elif is_input and p > 0:
            yield "input-too-often", f"it is {done}, which is no factor here", tape.total * v
        else:
            yield "no-pattern", f"no known pattern fits; all of it is {done} of the forward pass", tape.total * v**p


def _is_power_of_a_factor(tape: Tape, v: Tensor) -> bool:
    """Tell whether a value is the square or the root of what is multiplied with or divided by, or one over these."""
    products = [one for one in tape.operations if one.name in ("mul", "div")]
    saved = [t for one in products for t in (one.saved("other"), one.saved("self")) if t is not None]
    factors = [t for t in saved if t.shape == v.shape and t.dtype == v.dtype]
    one = torch.ones_like(v)
    return any(is_near(a * a, b) or is_near(a * a * b, one) for t in factors for a, b in ((t, v), (v, t)))


def _factors(right: Tensor, values: Sequence[Tensor]) -> Iterator[Tensor]:
    for v in values:
        if expanded(v, right) is not None and not bool((v == 0).any()) and not bool((v.abs() == 1).all()):
            yield v


def _dependence(tape: Tape, v: Tensor) -> int:
    """Return −1 where something is divided by a value, 1 where it is a factor, 0 where it is neither."""
    for one in tape.operations:
        other, own = one.saved("other"), one.saved("self")
        if one.name == "div" and other is not None and same(other, v):
            return -1
        if one.name == "mul" and any(t is not None and same(t, v) for t in (other, own)):
            return 1
    return 0


def _said(p: float, depends: int, v: Tensor, is_input: bool) -> tuple[str, str]:
    if depends * p < 0:
        done = "divided by" if depends < 0 else "multiplied with"
        code = "weights-missing" if is_input and depends > 0 else "term-missing"
        return code, f"what it is {done} is missing: a value of {shape_named(v)}"
    return "wrong-power", f"a value of {shape_named(v)} is there once too often"


def _slopes_of(v: Tensor) -> Iterator[Tensor]:
    for p in (torch.sigmoid(v), *(torch.softmax(v, d) for d in range(v.ndim)), v):
        yield p * (1 - p)
