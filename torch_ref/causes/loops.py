"""Operations that come again in every step of a loop: a mistake in a line of a loop is made in each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.autograd.graph import Node

from torch_ref.causes.slopes import Change
from torch_ref.causes.tape import Operation, Tape, way

Changes = Callable[[Operation], Iterator[Change]]


def rounds_of(operations: Sequence[Operation]) -> list[list[Operation]]:
    """Return the operations that belong together, one of each step; none where nothing comes again."""
    ordered = sorted(operations, key=lambda one: one.node._sequence_nr())
    looks = [(one.name, tuple(one.came.shape)) for one in ordered]
    begin, end, period = _loop(looks)
    groups = [ordered[begin + k : end : period] for k in range(period)] if period else []
    alike: dict[object, list[Operation]] = {}
    for one in ordered:
        before = tuple(b.name() for b, _ in one.node.next_functions if b is not None)
        alike.setdefault((one.name, one.came.shape, before), []).append(one)
    return [*groups, *(group for group in alike.values() if len(group) > 1 and group not in groups)]


def _loop(looks: Sequence[object]) -> tuple[int, int, int]:
    """Return begin, end and period of the part that repeats itself; a period of 0 where none does."""
    best = (0, 0, 0)
    for period in range(1, len(looks) // 2 + 1):
        same = [looks[i] == looks[i + period] for i in range(len(looks) - period)]
        edges = [-1, *(i for i, one in enumerate(same) if not one), len(same)]
        begin, length = max(((a + 1, b - a - 1) for a, b in pairwise(edges)), key=lambda run: run[1])
        if length >= period and length + period > best[1] - best[0]:
            best = (begin, begin + length + period, period)
    return best


def are_chained(group: Sequence[Operation]) -> bool:
    """Tell whether each operation goes on with what the one before it made, as from step to step of a loop."""
    ordered = sorted((one.node for one in group), key=lambda node: node._sequence_nr())
    return len(ordered) > 2 and all(_goes_on_with(after, before) for before, after in pairwise(ordered))


def _goes_on_with(node: Node, before: Node) -> bool:
    waiting, seen, first = [node], {node}, before._sequence_nr()
    while waiting:
        further = {n for n, _ in waiting.pop().next_functions if n is not None and first <= n._sequence_nr() < _LEAVES}
        if before in further:
            return True
        waiting += further - seen
        seen |= further
    return False


_LEAVES = 1 << 60
"""Less than the number that autograd gives to a leaf, which nothing was computed for."""


def in_every_step(tape: Tape, group: Sequence[Operation], changes: Changes) -> Iterator[tuple[Change, Tensor]]:
    """Yield each mistake made in all operations of a group, with the gradient that comes out then."""
    for change in [*changes(group[0])]:
        found = _with(tape, group, changes, change)
        if found is not None:
            yield change, found


def _with(tape: Tape, group: Sequence[Operation], changes: Changes, change: Change) -> Tensor | None:
    handles = [_changed_at(one.node, changes, change) for one in group]
    try:
        found = tape.gradient(tape.upstream)
    except RuntimeError:  # of a shape that does not fit in one of them
        return None
    finally:
        for handle in handles:
            handle.remove()  # type: ignore[attr-defined]
    return found


def _changed_at(node: Node, changes: Changes, change: Change) -> object:
    def hook(gave: tuple[Tensor | None, ...], got: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...] | None:
        if got[0] is None:
            return None
        here = Operation(node, got[0], gave)
        one = next((c for c in changes(here) if c[:3] == change[:3]), None)
        went = gave[change.position]
        if one is None or went is None or one.gradient.shape != went.shape:
            return None
        return (*gave[: change.position], one.gradient, *gave[change.position + 1 :])

    return node.register_hook(hook)


def of_ways(one: Operation) -> Iterator[Change]:
    """Yield what may be wrong with a way in every step: it is missing, there twice, or has the wrong sign."""
    for i, went in enumerate(one.went):
        if went is not None and sum(w is not None for w in one.went) > 1:
            yield Change("part-missing", f"the way through {way(one, i)} is missing", i, torch.zeros_like(went))
            yield Change("part-twice", f"the way through {way(one, i)} is there twice", i, 2 * went)
            yield Change("plus-for-minus", f"the way through {way(one, i)} has the wrong sign", i, -went)
