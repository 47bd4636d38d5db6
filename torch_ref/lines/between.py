"""A function that backward calls for a few operations, which forward has no function for: ``relu_backward(dh, z)``.

It is given the gradient of one value and what that was made of. So what its gradients should be is what arrives there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from torch import Tensor

from torch_ref.lines.calls import Called, key_of
from torch_ref.lines.chained import Chained, distance, near, off
from torch_ref.lines.names import named_after
from torch_ref.lines.pairing import Backward, tensor_of
from torch_ref.lines.places import copied, is_array, values_in
from torch_ref.lines.record import Version
from torch_ref.lines.suspects import Accused, Suspects
from torch_ref.lines.trace import RETURNED, Run, run
from torch_ref.lines.world import World
from torch_ref.steps.graph import Key, Place
from torch_ref.steps.guarded import as_it_was


def wrong_between(call: Called, chained: Chained) -> list[Accused]:
    """Return what is wrong in a function that is given one gradient; nothing where nobody can tell."""
    found = Between(call, chained)
    return found.accused() if found.begin is not None else []


@dataclass(frozen=True)
class Between:
    """The call of such a function, and the forward pass whose gradients it computes."""

    call: Called
    chained: Chained

    @cached_property
    def given(self) -> list[tuple[Tensor, Place | None]]:
        """Return the arrays that it was given, each with its place where it is a value of the forward pass."""
        parts = [part for name, value in self.call.inputs.items() for _, part in values_in(value, name)]
        return [(t, self.chained.values.equal_to(t)) for t in map(tensor_of, filter(is_array, parts))]

    @cached_property
    def begin(self) -> tuple[Place, Tensor] | None:
        """Return the value whose gradient it was given, with that: it is the right one there, and no other is given.

        All else that it was given is what the value was made of.
        """
        gradients = [t for t, place in self.given if place is None]
        known = {place.key for _, place in self.given if place is not None}
        known = known or {there.key for _, there, _ in self._claimed()}  # col2im(d_cols) is given nothing else
        is_told = any(isinstance(value, str) for value in self.call.inputs.values())  # which may be the wrong word
        if len(gradients) != 1 or not known or is_told:
            return None
        for place in self.chained.values.all_places:
            if place.value.shape == gradients[0].shape and self._is_made_of(place, known):
                right = self.chained.arriving({}, [place])[place.key]
                for t in (gradients[0], gradients[0] / float(self.chained.factor)):
                    if off(t, right) < near(place):
                        return place, t
        return None

    def _is_made_of(self, place: Place, known: set[Key]) -> bool:
        """Tell whether a value was made of others, with no value between that has a gradient of its own."""
        ends = {p.key for pair in self.chained.pairs for p in pair.places} - known - {place.key}
        waiting, seen, reached = [place.key], set[Key](), set[Key]()
        while waiting:
            key = waiting.pop()
            reached |= {key} & known
            before = [(node, n) for node, n in key[0].next_functions if node is not None]
            new = [other for other in before if other not in seen and other not in ends]
            seen.update(new)
            waiting += new
        return reached == known

    @cached_property
    def run(self) -> Run:
        """Return a run of the function by itself."""
        world = World(copied)
        arguments = {name: world.of(value, name) for name, value in self.call.arguments.items()}
        with as_it_was():
            return run(world.of(self.call.function, ""), (), arguments)

    def _claimed(self) -> Iterator[tuple[str, Place, Version]]:
        """Yield its gradients, by name or as backward takes them, each with the value that it is of."""
        backward = Backward(self.run, [])
        pairs = [one for pair in self.chained.pairs for one in zip(pair.places, pair.gradients, strict=True)]
        taken = {key_of(several[-1].value): p for p, several in pairs if is_array(several[-1].value)}
        for place, versions in backward.gradients.items():
            last = versions[-1]
            if place.startswith(RETURNED) and is_array(last.value) and key_of(last.value) in taken:
                yield place, taken[key_of(last.value)], last
            for of in named_after(place) if place.isidentifier() else ():
                again = backward.recomputed(of, last.order)
                there = None if again is None else self.chained.values.equal_to(tensor_of(again.value))
                if there is not None:
                    yield place, there, last

    def accused(self) -> list[Accused]:
        """Return the statements in it that make a gradient wrong."""
        assert self.begin is not None
        place, t = self.begin
        handed = Version(self.call.name, t, self.run.versions[0].where, 1, 0, -1)
        claims = {version.made: (name, there, version) for name, there, version in self._claimed()}
        arrived = self.chained.arriving({place.key: handed}, [there for _, there, _ in claims.values()])
        wrong, right = dict[str, Version](), list[Version]()
        for name, there, version in claims.values():
            if self._is_right(version, arrived[there.key], there):
                right.append(version)
            elif len(self.chained.values.graph.uses[there.key]) == 1:
                wrong[name] = version
        ordered = dict(sorted(wrong.items(), key=lambda item: self.run.origin(item[1]).order))
        suspects = Suspects(Backward(self.run, []), ordered, right, is_known=self._is_known)
        return suspects.accused()

    def _is_right(self, version: Version, right: Tensor, place: Place) -> bool:
        """Tell whether a gradient is right; one of an inner value may have the factor that comes in the end."""
        factor = 1.0 if place.key in self.chained.values.leaves else float(self.chained.factor)
        return distance(replace(version, value=version.value / factor), right) < near(place)

    def _is_known(self, value: object) -> bool:
        return is_array(value) and self.chained.values.equal_to(tensor_of(value)) is not None
