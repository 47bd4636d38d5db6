"""A graph of autograd: its places, where a gradient arrives, and the operations that a value goes through."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge

Key = tuple[Node, int]
"""An output of an operation: where the gradient of one value arrives."""


class Place(NamedTuple):
    """One value of a forward pass, and where its gradient arrives; taken at once, before it is changed in place."""

    edge: GradientEdge
    value: Tensor
    """Without history."""

    @property
    def key(self) -> Key:
        """Return what tells it from other places."""
        return self.edge.node, self.edge.output_nr

    @property
    def is_leaf(self) -> bool:
        """Tell whether nothing lies before it, as of a parameter, but that it was copied."""
        node: Node | None = self.edge.node
        if node is not None and node.name() == "CloneBackward0":
            node = node.next_functions[0][0]
        return node is None or not node.next_functions


def place_of(t: Tensor) -> Place:
    """Return the place of a tensor that has a history, or requires a gradient."""
    return Place(get_gradient_edge(t), t.detach().clone())


class Use(NamedTuple):
    """An operation that takes a value, and as which of its inputs."""

    node: Node
    position: int

    @property
    def operation(self) -> str:
        """Return its name: mul for MulBackward0."""
        return self.node.name().rpartition("::")[2].partition("Backward")[0].lower()


@dataclass(frozen=True)
class Graph:
    """Everything that a loss was made of."""

    roots: tuple[Tensor, ...]
    uses: Mapping[Key, tuple[Use, ...]]

    @classmethod
    def of(cls, roots: Iterable[Tensor]) -> Graph:
        """Walk through the graphs of the roots."""
        roots = tuple(roots)
        ends = [get_gradient_edge(root) for root in roots]
        seen, waiting = {end.node for end in ends}, deque(end.node for end in ends)
        uses: defaultdict[Key, list[Use]] = defaultdict(list)
        for end in ends:
            uses[end.node, end.output_nr]  # a root is reached, though nothing uses it
        while waiting:
            node = waiting.popleft()
            for position, (before, number) in enumerate(node.next_functions):
                if before is None:
                    continue
                uses[before, number].append(Use(node, position))
                if before not in seen:
                    seen.add(before)
                    waiting.append(before)
        return cls(roots, {key: tuple(found) for key, found in uses.items()})

    def reaches(self, place: Place) -> bool:
        """Tell whether the loss was made of a value."""
        return place.key in self.uses

    def when(self, place: Place) -> int:
        """Return a number that falls in the order in which the gradients are complete in the backward pass."""
        return min((use.node._sequence_nr() for use in self.uses[place.key]), default=torch.iinfo(torch.int64).max)

    def behind(self, use: Use, named: Container[Key]) -> Key | None:
        """Return the place of the first named value that an operation leads to; None for the loss itself."""
        waiting, seen = deque([use.node]), {use.node}
        while waiting:
            node = waiting.popleft()
            for number in range(self._outputs_of(node)):
                if (node, number) in named:
                    return node, number
            for further in self._users_of(node):
                if further not in seen:
                    seen.add(further)
                    waiting.append(further)
        return None

    def leads_to(self, key: Key, other: Key) -> bool:
        """Tell whether a value is made of another, ``key``: the gradient of that comes later, and from its own."""
        waiting = [use.node for use in self.uses[key]]
        seen = set(waiting)
        while waiting:
            node = waiting.pop()
            if node is other[0]:
                return True
            further = set(self._users_of(node)) - seen
            seen |= further
            waiting.extend(further)
        return False

    def _outputs_of(self, node: Node) -> int:
        return 1 + max((number for other, number in self._keys_of.get(node, [])), default=0)

    def _users_of(self, node: Node) -> Iterator[Node]:
        for key in self._keys_of.get(node, []):
            for use in self.uses[key]:
                yield use.node

    @cached_property
    def _keys_of(self) -> Mapping[Node, list[Key]]:
        found: defaultdict[Node, list[Key]] = defaultdict(list)
        for key in self.uses:
            found[key[0]].append(key)
        return found
