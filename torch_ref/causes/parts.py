"""Parts of a gradient that come by different ways: one is missing, there twice, or has another sign or factor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor

from torch_ref.causes.loops import are_chained, rounds_of
from torch_ref.causes.tape import Operation, Tape, name_of, way

MOST_PARTS = 40
SAME = 1e4
"""Roundings by which two parts are the same."""

REDUCTIONS = frozenset(
    {"sum", "mean", "var", "std", "logsumexp", "amax", "amin", "max", "min", "linalgvectornorm", "norm", "prod"}
)
"""Operations whose way back is the projection of a norm or of a softmax."""


ENTRYWISE = frozenset({"add", "sub", "mul", "div", "pow", "neg"})
"""Operations of which a formula has many: one of them is a step where it goes on with the one before it."""


class Part(NamedTuple):
    """What comes to the target by one way."""

    through: str
    gradient: Tensor
    is_projection: bool
    is_step: bool


def parts_of(tape: Tape) -> list[Part]:
    """Return what comes by each way that is not the only one; each once."""
    found: list[Part] = []
    groups = [group for group in rounds_of(tape.operations) if len(group) > 2]
    in_loops = {id(one) for group in groups for one in group if one.name not in ENTRYWISE or are_chained(group)}
    near = SAME * torch.finfo(tape.total.dtype).eps * float(tape.total.norm())
    for one in tape.operations:
        for i, went in enumerate(one.went):
            if went is None or len(found) >= MOST_PARTS or _is_half_a_square(one, i):
                continue
            gradient = tape.through(one, i, went)
            if gradient is None:
                continue
            others = [torch.zeros_like(tape.total), tape.total, *(part.gradient for part in found)]
            if all(float((gradient - other).norm()) > near for other in others):
                found.append(
                    Part(
                        way(one, i),
                        gradient,
                        _is_projection(tape, one, i),
                        id(one) in in_loops or (one.name not in ENTRYWISE and _is_step(tape, one, i)),
                    )
                )
    return found


def _is_half_a_square(one: Operation, i: int) -> bool:
    """Tell whether both ways lead from a product to the same value: without one of them a factor of 2 is missing."""
    return sum(before == one.node.next_functions[i] for before in one.node.next_functions) > 1


def _is_projection(tape: Tape, one: Operation, i: int) -> bool:
    node = one.node.next_functions[i][0]
    return node in tape.projections and _reaches_reduction(one, i) and _meets_others(tape, one, i)


def _meets_others(tape: Tape, one: Operation, i: int) -> bool:
    """Tell whether entries that get something by this way get something else by others, too.

    That of a norm does; the first step of a loop alone does not.
    """
    went = one.went[i]
    part = None if went is None else tape.through(one, i, went)
    return part is not None and bool(((part != 0) & (tape.total - part != 0)).any())


def _reaches_reduction(one: Operation, i: int) -> bool:
    """Tell whether a sum, a mean or a norm lies behind, with operations of one input in between."""
    node = one.node.next_functions[i][0]
    while node is not None:
        if name_of(node) in REDUCTIONS:
            return True
        before = [other for other, _ in node.next_functions if other is not None]
        node = before[0] if len(before) == 1 else None
    return False


def _is_step(tape: Tape, one: Operation, i: int) -> bool:
    """Tell whether it is one of several uses of an input by the same operation, as in the steps of a loop."""
    node = one.node.next_functions[i][0]
    uses = [
        other
        for other in tape.operations
        if other.name == one.name and any(b is node for b, _ in other.node.next_functions)
    ]
    return len(uses) > 2


class Claimed(NamedTuple):
    """What is wrong with some parts, and by which share of them the gradient is off."""

    code: str
    text: str
    shares: tuple[tuple[Part, float], ...]


class Numbers(NamedTuple):
    """Numbers by which a part may be off."""

    sizes: Sequence[int] = ()
    """Of dimensions."""
    counts: Sequence[int] = ()
    """Of the entries that are summed somewhere."""


def numbers_of(tape: Tape) -> Numbers:
    """Return the numbers that a formula has."""
    sizes, counts = {n for one in tape.operations for n in one.came.shape if n > 2}, set[int]()
    for one in tape.operations:
        for went in one.went:
            few, many = sorted((one.came.numel(), one.came.numel() if went is None else went.numel()))
            counts |= {many // few} if few and many % few == 0 and many > 2 * few else set()
    return Numbers(sorted(sizes), sorted(counts))


def claims(parts: Sequence[Part], numbers: Numbers) -> Iterator[Claimed]:
    """Yield what may be wrong with one part, then with two."""
    for part in parts:
        through = f"the part that comes through {part.through}"
        missing = "projection-missing" if part.is_projection else "step-missing" if part.is_step else "part-missing"
        yield Claimed(missing, f"{through} is missing", ((part, -1.0),))
        yield Claimed("part-twice", f"{through} is there twice", ((part, 1.0),))
        yield Claimed("plus-for-minus", f"the sign of {through[4:]} is wrong", ((part, -2.0),))
        for n in numbers.sizes:
            yield Claimed("mean-for-sum", f"{through} is too large by {n}: a sum for a mean?", ((part, n - 1.0),))
            yield Claimed("mean-for-sum", f"{through} is too small by {n}: a mean for a sum?", ((part, 1 / n - 1.0),))
        for n in numbers.counts:
            for name, share in ((f"{n}/{n - 1}", 1 / (n - 1)), (f"{n - 1}/{n}", -1 / n)):
                yield Claimed("factor", f"{through} has a factor of {name}: n for n − 1?", ((part, share),))
        yield Claimed("factor", f"{through} has a factor of ½", ((part, -0.5),))
    for one, two in combinations(parts, 2):
        code = "projection-missing" if one.is_projection and two.is_projection else "part-missing"
        text = f"the parts that come through {one.through} and through {two.through} are missing"
        yield Claimed(code, text, ((one, -1.0), (two, -1.0)))
