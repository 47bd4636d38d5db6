"""The operations of a reference in the order of its backward pass, with what went through each of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge

from torch_ref.steps.chain import hooked
from torch_ref.steps.graph import Key

MOST_OPERATIONS = 400
"""Of a longer reference nothing is tried."""


@dataclass(frozen=True)
class Operation:
    """One operation, and the gradients that came to it and went on from it."""

    node: Node
    came: Tensor
    went: tuple[Tensor | None, ...]

    @property
    def name(self) -> str:
        """Return its name: mul for MulBackward0."""
        return name_of(self.node)

    def of(self, came: Tensor) -> tuple[Tensor | None, ...]:
        """Return what it hands on where something else comes to it; nothing where it is somebody's own Function."""
        if hasattr(self.node, "_forward_cls"):  # which may count its calls
            return (None,) * len(self.went)
        called: Any = self.node
        with torch.no_grad():
            found = called(came)
        found = found if isinstance(found, tuple) else (found,)
        return tuple(  # what was broadcast is summed by the engine, not by the operation
            t if t is None or w is None else t.sum_to_size(w.shape) for t, w in zip(found, self.went, strict=True)
        )

    @cached_property
    def slopes(self) -> tuple[Tensor | None, ...]:
        """Return what it multiplies with entry by entry to make each of its gradients; None where it does not."""
        found = self.of(torch.ones_like(self.came))
        return tuple(
            s if w is not None and s is not None and _is_product(w, self.came, s) else None
            for w, s in zip(self.went, found, strict=True)
        )

    def saved(self, name: str) -> Tensor | None:
        """Return a tensor that the operation keeps for its backward pass; None where it does not."""
        found = getattr(self.node, f"_saved_{name}", None)
        return found.detach() if isinstance(found, Tensor) else None


def _is_product(went: Tensor, came: Tensor, slope: Tensor) -> bool:
    return went.shape == came.shape == slope.shape and is_near(went, came * slope)


def is_near(a: Tensor, b: Tensor) -> bool:
    """Tell whether two tensors are the same but for rounding."""
    eps = torch.finfo(a.dtype).eps
    return torch.allclose(a, b, rtol=1e4 * eps, atol=1e2 * eps * float(b.abs().max()) if b.numel() else 0.0)


def same(a: Tensor, b: Tensor) -> bool:
    """Tell whether two tensors are of one shape and hold the same numbers."""
    return a.shape == b.shape and torch.equal(a, b)


def number_between(a: Tensor, b: Tensor) -> float | None:
    """Return how many times b is a; None where it is no multiple, or of one number, which always is one."""
    square = float((b * b).sum())
    factor = float((a * b).sum()) / square if square else 0.0
    return factor if a.numel() > 1 and factor and is_near(a, factor * b) else None


def shape_named(t: Tensor) -> str:
    """Return the shape of a tensor as a reader says it."""
    return f"shape {' x '.join(map(str, t.shape))}" if t.ndim else "one number"


def expanded(t: Tensor, like: Tensor) -> Tensor | None:
    """Return a tensor broadcast to the shape of another; None where it does not fit."""
    try:
        return t.expand(like.shape)
    except RuntimeError:  # of shapes that do not go together
        return None


def way(one: Operation, i: int) -> str:
    """Return how a reader finds the way from an operation to its input i: 'the tanh before the mul'."""
    node = one.node.next_functions[i][0]
    before = "" if node is None else name_of(node)
    return f"the {before} before the {one.name}" if before and before != "accumulategrad" else f"the {one.name}"


def name_of(node: Node) -> str:
    """Return the name of an operation: mul for MulBackward0."""
    return node.name().rpartition("::")[2].partition("Backward")[0].lower()


@dataclass(frozen=True)
class Tape:
    """A reference, differentiated once with its operations looked at."""

    outputs: Sequence[Tensor]
    upstream: Sequence[Tensor]
    target: Tensor
    """The value whose gradient is asked for: a leaf, or one on the way."""
    edge: GradientEdge | None = None
    """Where its gradient arrives; None for a leaf."""
    stops: Mapping[Key, Tensor] = field(default_factory=dict)
    """What goes on from other places in place of what arrives there."""
    total: Tensor = field(init=False)
    """The gradient of the target."""
    operations: tuple[Operation, ...] = field(init=False)
    """Those through which it comes, from the output on."""

    def __post_init__(self) -> None:
        """Run the backward pass."""
        nodes = self._nodes()
        came: dict[Node, tuple[Tensor | None, ...]] = {}
        went: dict[Node, tuple[Tensor | None, ...]] = {}

        def looking(node: Node) -> object:
            def hook(gave: tuple[Tensor | None, ...], got: tuple[Tensor | None, ...]) -> None:
                came[node], went[node] = got, gave

            return node.register_hook(hook)

        handles = [looking(node) for node in nodes]
        try:
            total = self.gradient(self.upstream)
        finally:
            for handle in handles:
                handle.remove()  # type: ignore[attr-defined]
        object.__setattr__(self, "total", torch.zeros_like(self.target) if total is None else total)
        found = [
            Operation(node, got[0].detach(), tuple(None if t is None else t.detach() for t in went[node]))
            for node in nodes
            if node in came and len(got := came[node]) == 1 and got[0] is not None
        ]
        object.__setattr__(self, "operations", tuple(found))

    @cached_property
    def place(self) -> GradientEdge:
        """Return where the gradient of the target arrives."""
        return get_gradient_edge(self.target) if self.edge is None else self.edge

    @cached_property
    def _key(self) -> Key:
        return self.place.node, self.place.output_nr

    def gradient(self, upstream: Sequence[Tensor]) -> Tensor | None:
        """Return the gradient of the target for other gradients of the outputs."""
        with self._stopped(lambda key: self.stops[key]):
            return self._arriving(self.outputs, upstream)

    def slope_at(self, key: Key) -> Tensor | None:
        """Return the gradient of the target where ones go on from one place, and zeros from the others."""
        with self._stopped(lambda other: (torch.ones_like if other == key else torch.zeros_like)(self.stops[other])):
            return self._arriving(self.outputs, self.upstream)

    def _arriving(
        self, outputs: Sequence[Tensor] | Sequence[GradientEdge], upstream: Sequence[Tensor]
    ) -> Tensor | None:
        (found,) = torch.autograd.grad(outputs, [self.place], upstream, retain_graph=True, allow_unused=True)
        return found

    def _stopped(self, at: Callable[[Key], Tensor]) -> AbstractContextManager[None]:
        inside = [key for key in self.stops if key[0].next_functions]
        return hooked(inside, lambda key, value: at(key).to(value.dtype))

    @cached_property
    def projections(self) -> frozenset[Node]:
        """Return the operations behind a sum over what was broadcast: those of a mean or of a norm."""
        found = set[Node]()
        for one in self.operations:
            for (before, _), went in zip(one.node.next_functions, one.went, strict=True):
                is_small = went is not None and went.numel() < one.came.numel()
                if before is not None and (is_small or one.node in found):
                    found.add(before)
        return frozenset(found)

    @cached_property
    def steps(self) -> frozenset[int]:
        """Return the dimensions of the output along which the steps of a loop were put together."""
        shape = self.outputs[0].shape
        joined = [one for one in self.operations if one.name in ("stack", "cat") and one.came.shape == shape]
        found = [getattr(one.node, "_saved_dim", None) for one in joined]
        return frozenset(d % len(shape) if d < 2**31 else d - 2**64 + len(shape) for d in found if isinstance(d, int))

    def _nodes(self) -> list[Node]:
        """Return the operations through which the target is reached, in the order of the backward pass."""
        seen: dict[Node, None] = {}
        waiting = deque(y.grad_fn for y in self.outputs if y.grad_fn is not None)
        while waiting and len(seen) <= MOST_OPERATIONS:
            node = waiting.popleft()
            if node not in seen:
                seen[node] = None
                waiting += [before for before, _ in node.next_functions if before is not None]
        if len(seen) > MOST_OPERATIONS:
            return []
        reaching = set[Node]()
        ordered = sorted(seen, key=lambda node: node._sequence_nr() if node.next_functions else -1)
        for node in ordered:  # leaves first, then what was computed first
            if any(
                key == self._key or (key[0] in reaching and key not in self.stops)
                for key in node.next_functions
                if key[0] is not None
            ):
                reaching.add(node)
        return [node for node in reversed(ordered) if node in reaching]

    @cached_property
    def size(self) -> int:
        """Return how many numbers go through it."""
        return sum(one.came.numel() for one in self.operations) + self.total.numel()

    def through(self, operation: Operation, i: int, gradient: Tensor) -> Tensor | None:
        """Return what of a gradient arrives at the target that an operation hands on to its input i; None for none."""
        node, number = operation.node.next_functions[i]
        if node is None or (node, number) in self.stops:
            return None
        if (node, number) == self._key:
            return gradient
        if not node.next_functions:  # another leaf
            return None
        with self._stopped(lambda key: torch.zeros_like(self.stops[key])):
            return self._arriving([GradientEdge(node, number)], [gradient])

    def instead(self, operation: Operation, came: Tensor) -> Tensor | None:
        """Return the gradient of the target where something else comes to an operation; None where nothing changes."""
        found = self.total
        for i, (went, other) in enumerate(zip(operation.went, operation.of(came.to(self.total.dtype)), strict=True)):
            if went is not None and other is not None:
                moved = self.through(operation, i, other - went)
                found = found if moved is None else found + moved
        return None if found is self.total else found
