"""The parts of a training step: computed by the formulas, recorded twice, then repeated.

Where batches come in the same tensors, every step is the same operations on the same tensors. The second and the third
step are recorded, part by part (see ``recorder``). Where the two records say the same, later steps repeat them: the
same numbers, without the Python between the operations, which in a small network costs more than they do.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from manual_bp.training.engine.recorder import Recorder, same

Result = TypeVar("Result")


@dataclass(eq=False)
class Part:
    """A part of a step: the calls that repeat it, and what it returned, which they write anew."""

    calls: list[Callable[[], object]]
    result: Any

    def says_the_same(self, other: Part) -> bool:
        """Return whether two records of the part name the same operations on the same memory."""
        return same(self.calls, other.calls) and same(self.result, other.result)


Record = dict[Hashable, Part]
"""The parts of one step, by their names."""


class Repetition:
    """What is known of the steps in the same tensors: nothing, one record, or a record that can be repeated."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self.forget()

    def forget(self) -> None:
        """Forget all records; what is left of the step under way is computed, not recorded."""
        self.ready: Record | None = None
        self._first: Record | None = None
        self._under_way: Record | None = None
        self._is_hopeless = False

    def begin(self, *, again: bool) -> None:
        """Begin a step: ``again`` in the tensors of the step before, or in others."""
        if not again:
            self.forget()
        elif self.ready is None and not self._is_hopeless:
            self._under_way = {}

    def take(self, name: Hashable, compute: Callable[..., Result], *given: Any) -> Result:
        """Take a part of the step: repeat it where it is ready, else return ``compute(*given)``."""
        if self.ready is not None and (part := self.ready.get(name)) is not None:
            for call in part.calls:
                call()
            return part.result  # type: ignore[no-any-return]  # what this compute returned
        if self._under_way is None:
            return compute(*given)
        with Recorder() as recorder:
            result = compute(*given)
        if recorder.obstacle is None:
            self._under_way[name] = Part(recorder.calls, result)
        else:
            self.forget()
            self._is_hopeless = True
        return result

    def end(self) -> None:
        """End a step whose parts were all taken; after a second record that says the same, they can be repeated."""
        first, second, self._under_way = self._first, self._under_way, None
        if second is None:
            return
        if first is None:
            self._first = second
        elif first.keys() == second.keys() and all(first[name].says_the_same(second[name]) for name in first):
            self.ready = second
        else:
            self.forget()
            self._is_hopeless = True
