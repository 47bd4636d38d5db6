"""Many gradients by hand along one graph of autograd: which of them is wrong by itself.

Autograd goes through the graph twice. The plain pass gives what each gradient should be. In the other, each place hands
on the gradient by hand in place of autograd's own: what arrives at the next place is what the formula there should have
given, from the very numbers that it had. What differs there is wrong by itself, what differs in the plain pass only is
a consequence. A gradient that is 0 in exact arithmetic agrees by itself, for both sides add the same numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import Node

from torch_ref.numbers.agreement import Comparison, Tolerance
from torch_ref.numbers.given import agreed
from torch_ref.numbers.shadow import Shadows
from torch_ref.numbers.witness import Witness, are_large
from torch_ref.steps.graph import Graph, Key, Place, Use
from torch_ref.steps.step import Failure

FEW, MANY = 2, 4
"""How many roundings at random a pass has, where its tensors are large and where they are not. The plain pass, which
accuses nobody, has one."""


@dataclass(frozen=True)
class Claim:
    """A value of the forward pass, and the gradient of it that somebody computed by hand."""

    name: str
    places: tuple[Place, ...]
    """One, or one for each step of a loop, in the order of the forward pass."""
    by_hand: tuple[tuple[Tensor, ...], ...]
    """For each place the tensors that may be its gradient, in the order in which they were made. The first that is
    right counts, or the last: a name may be used again, for what comes before."""
    failure: Failure | None = None
    """What there is instead of a gradient."""


@dataclass(frozen=True)
class Arrived:
    """What arrived at one place of one claim, and how the gradient by hand compares with it."""

    witness: Witness
    chosen: Tensor | None
    """The gradient by hand that counts."""
    which: int
    """Its index among those that may."""
    found: Comparison


class Part(NamedTuple):
    """What comes back to a value through one operation that uses it."""

    use: Use
    gradient: Tensor
    came: Tensor | None
    """What arrived at the operation's own output."""


def without_gradient(failure: Failure | None) -> Comparison:
    """Return the comparison of what is no gradient."""
    remark = failure.text if failure else "is missing"
    return Comparison("wrong", float("inf"), None, float("inf"), 0.0, None, None, None, remark)


class Chain:
    """Claims about one graph, each judged by itself and in the whole pass."""

    def __init__(
        self,
        roots: Sequence[tuple[Tensor, Tensor]],
        claims: Sequence[Claim],
        *,
        tolerance: Tolerance | None = None,
        strict: bool = False,
        nearby: Callable[[int], Chain] | None = None,
    ) -> None:
        """Take what the gradients are of: one loss, or several outputs, each with its upstream gradient.

        ``nearby`` gives a chain of the same claims where the forward pass is computed again, its inputs moved a little
        in a direction of that number.
        """
        self.roots, self.claims = tuple(roots), tuple(claims)
        self.graph = Graph.of([root for root, _ in roots])
        self.tolerance, self.strict, self.nearby = tolerance or {}, strict, nearby

    @cached_property
    def in_order(self) -> tuple[Claim, ...]:
        """Return the claims in the order of the backward pass."""
        return tuple(sorted(self.claims, key=lambda c: -max(self.graph.when(place) for place in c.places)))

    @cached_property
    def alone(self) -> Mapping[str, tuple[Arrived, ...]]:
        """Return how each claim compares where all the others hand on what is by hand, place by place."""
        return self._pass(hands_on=True)

    @cached_property
    def whole(self) -> Mapping[str, tuple[Arrived, ...]]:
        """Return how each claim compares with the plain gradients."""
        return self._pass(hands_on=False)

    @cached_property
    def names(self) -> Mapping[Key, str]:
        """Return the names of the claims by place."""
        return {place.key: claim.name for claim in self.claims for place in claim.places}

    @cached_property
    def values(self) -> Mapping[Key, Tensor]:
        """Return the values of the claims by place."""
        return {place.key: place.value for claim in self.claims for place in claim.places}

    def key_behind(self, use: Use) -> Key | None:
        """Return the place of the first claim that an operation leads to; None for the loss itself."""
        return self.graph.behind(use, self.names)

    def through(self, use: Use) -> str:
        """Return how a reader finds an operation: by the first claim that it leads to, or by its own name."""
        key = self.key_behind(use)
        return self.names[key] if key else f"the {use.operation} that leads to the loss"

    def handed_on(self, key: Key) -> Tensor | None:
        """Return the gradient by hand that goes on from a place; None where the right one does."""
        return self._handed_on([self.alone[claim.name][i] for claim, i in self._at[key]])

    # ------------------------------------------------------------------------------ the two passes

    def _pass(self, *, hands_on: bool) -> Mapping[str, tuple[Arrived, ...]]:
        """Go backward once, and compare at every place what arrives."""
        found: dict[tuple[str, int], Arrived] = {}
        is_large = are_large(*(place.value for claim in self.claims for place in claim.places))
        shadows = Shadows(range((FEW if is_large else MANY) if hands_on else 1))

        def at(key: Key, value: Tensor) -> Tensor | None:
            """Compare what arrives at a place; return what is handed on instead, or None."""
            witness = shadows.witness(value)
            with shadows.paused():
                for claim, i in self._at[key]:
                    found[claim.name, i] = self._arrived(claim, i, witness)
                return self._handed_on([found[claim.name, i] for claim, i in self._at[key]]) if hands_on else None

        with shadows:
            arrived = self._backward(at)
            for key, value in arrived.items():  # a leaf, or what nothing that is looked at lies before
                if any((claim.name, i) not in found for claim, i in self._at[key]):
                    at(key, value)
        return {claim.name: tuple(found[claim.name, i] for i in range(len(claim.places))) for claim in self.claims}

    @cached_property
    def _at(self) -> Mapping[Key, list[tuple[Claim, int]]]:
        """Return the claims at every place, each with its index there: one value may have several names."""
        found: defaultdict[Key, list[tuple[Claim, int]]] = defaultdict(list)
        for claim in self.claims:
            for i, place in enumerate(claim.places):
                found[place.key].append((claim, i))
        return found

    def _arrived(self, claim: Claim, i: int, witness: Witness) -> Arrived:
        """Compare the gradients by hand that may be meant for a place with what arrived there."""
        limit = self.tolerance.get(witness.value.dtype)
        tried = [agreed(t, witness, limit, strict=self.strict) for t in claim.by_hand[i]]
        if not tried:
            return Arrived(witness, None, 0, without_gradient(claim.failure))
        which = next((k for k, comparison in enumerate(tried) if comparison.ok), len(tried) - 1)
        return Arrived(witness, claim.by_hand[i][which], which, tried[which])

    def _handed_on(self, arrived: Sequence[Arrived]) -> Tensor | None:
        """Return the gradient by hand that goes on from a place: one that is right, or the last; None for none."""
        best = next((one for one in arrived if one.found.ok), arrived[-1])
        value, t = best.witness.value, best.chosen
        if t is None or t.is_meta or t.squeeze().shape != value.squeeze().shape or not bool(torch.isfinite(t).all()):
            return None  # nothing to hand on: the right one goes on, and accuses nobody else
        return t.detach().to(value.dtype).to(value.device).reshape(value.shape).clone()

    def _backward(self, at: Callable[[Key, Tensor], Tensor | None]) -> dict[Key, Tensor]:
        """Go backward, with ``at`` called wherever a gradient arrives that goes on; return all that arrived."""
        edges = {place.key: place.edge for claim in self.claims for place in claim.places}
        with hooked(list(edges), at), torch.autograd.set_multithreading_enabled(False):
            gradients = torch.autograd.grad(
                [root for root, _ in self.roots],
                list(edges.values()),
                [d.clone() for _, d in self.roots],
                retain_graph=True,
                allow_unused=True,
            )
        values = {place.key: place.value for claim in self.claims for place in claim.places}
        return {key: torch.zeros_like(values[key]) if g is None else g for key, g in zip(edges, gradients, strict=True)}

    @cached_property
    def chosen(self) -> Mapping[Key, Tensor | None]:
        """Return the gradient by hand that goes on from each place; None where the right one does."""
        return {key: self.handed_on(key) for key in self._at}

    def arriving(self, chosen: Sequence[Tensor | None]) -> list[Tensor]:
        """Return what arrives at each place, in order, where these go on; no more exactly than the pass itself is."""
        instead = dict(zip(self._at, chosen, strict=True))
        found: dict[Key, Tensor] = {}

        def at(key: Key, value: Tensor) -> Tensor | None:
            found[key] = value.detach().clone()
            return instead[key]

        arrived = self._backward(at)
        return [found.get(key, arrived[key]) for key in self._at]

    @cached_property
    def beside(self) -> Callable[[int], Mapping[Key, Tensor]]:
        """Return what arrives at each place where the inputs were moved a little in a direction of a number."""

        @cache
        def found(draw: int) -> Mapping[Key, Tensor]:
            assert self.nearby is not None
            return dict(zip(self._at, self.nearby(draw).arriving([*self.chosen.values()]), strict=True))

        return found

    # ------------------------------------------------------------------------------ the parts of a gradient

    def parts(self, claim: Claim, i: int) -> list[Part]:
        """Return what arrives at a place through each operation that uses the value, with what is by hand handed on."""
        key = claim.places[i].key
        found: list[Part] = []

        def note(use: Use) -> Callable[[tuple[Any, ...], tuple[Any, ...]], None]:
            def hook(d_inputs: tuple[Any, ...], d_outputs: tuple[Any, ...]) -> None:
                if d_inputs[use.position] is not None:
                    came = next((d.detach().clone() for d in d_outputs if d is not None), None)
                    found.append(Part(use, d_inputs[use.position].detach().clone(), came))

            return hook

        hooks = [use.node.register_hook(note(use)) for use in self.graph.uses[key]]
        try:
            self._backward(lambda at, value: self.chosen[at])
        finally:
            for hook in hooks:
                hook.remove()
        return found


@contextmanager
def hooked(keys: Sequence[Key], at: Callable[[Key, Tensor], Tensor | None]) -> Iterator[None]:
    """Call ``at`` with every gradient that arrives at one of the places, and let what it returns go on instead."""
    numbers: defaultdict[Node, list[int]] = defaultdict(list)
    for node, number in keys:
        numbers[node].append(number)

    def hook_of(node: Node) -> Callable[[tuple[Tensor | None, ...]], tuple[Tensor | None, ...]]:
        def hook(gradients: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
            instead = list(gradients)
            for number in numbers[node]:
                value = gradients[number]
                if value is not None:
                    replaced = at((node, number), value)
                    instead[number] = value if replaced is None else replaced
            return tuple(instead)

        return hook

    hooks = [node.register_prehook(hook_of(node)) for node in numbers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
