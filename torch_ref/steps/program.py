"""The operations of a reference, recorded once: they can be run again, some of them otherwise, without its code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from torch_ref.steps.taken_apart import APART, taken_apart

APART_IN = taken_apart.__code__.co_filename

MOST_CALLS = 400
MOST_VALUES = 120

HERE = Path(__file__).parent

NOT_OF_THE_CODE = (str(Path(torch.__file__).parent), str(HERE), str(HERE.with_name("followed")))
"""Folders whose frames lie between somebody's line and its operation."""

MASKS = frozenset({"gt", "lt", "ge", "le", "eq", "ne", "relu", "clamp", "clamp_min", "clip", "logical_not", "invert"})
"""What makes a mask of numbers."""


class Slot(NamedTuple):
    """Stands for a tensor among the arguments of an operation."""

    at: int


class Call(NamedTuple):
    """One operation."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    reads: frozenset[int]
    makes: tuple[int, ...]
    site: object
    """Its place in the code: the same in every round of a loop."""

    @property
    def name(self) -> str:
        """Return its name: matmul for @ and torch.matmul."""
        return getattr(self.function, "__name__", "").strip("_")

    @property
    def is_in_place(self) -> bool:
        """Tell whether it writes into one of its arguments."""
        name = getattr(self.function, "__name__", "")
        return name == "__setitem__" or "out" in self.kwargs or (name.endswith("_") and not name.endswith("__"))


Rewrite = Callable[[Call, tuple[Any, ...], Mapping[str, Any]], Any]
"""What is computed in place of an operation."""


class Program(TorchFunctionMode):
    """While it is entered, every operation is recorded; then they can be run again."""

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self.calls: list[Call] = []
        self.values: list[Tensor] = []
        """By slot, each as the reference computed it."""
        self.found: list[Tensor] = []
        """What came out of its operations, without its history, up to so many."""
        self._slots: dict[int, int] = {}
        self._without_history: set[int] = set()
        self._is_inside = False

    # ------------------------------------------------------------------------------ recording

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call the operation, and keep what went in and came out."""
        kwargs = kwargs or {}
        if len(self.calls) > MOST_CALLS or getattr(func, "__name__", "") in (
            "requires_grad_",
            "__len__",
            "size",
            "dim",
        ):
            return func(*args, **kwargs)
        if (whole := self._apart(func, args, kwargs)) is not None:
            return whole
        here = replaced((args, kwargs), Tensor, lambda t: Slot(self._slot(t)))
        made = func(*args, **kwargs)
        if isinstance(made, Tensor) and made.is_floating_point() and len(self.found) < MOST_VALUES:
            self.found.append(made.detach())
        results = [*parts_of(made, Tensor)]
        call = Call(func, here[0], here[1], frozenset(s.at for s in parts_of(here, Slot)), (), _site())
        if results or call.is_in_place:
            makes = tuple(self._slot(t) for t in results)
            self.calls.append(call._replace(makes=makes))
            self._without_history.update(slot for slot, t in zip(makes, results, strict=True) if t.grad_fn is None)
        return made

    def _apart(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor | None:
        """Return what a function of several operations gives, each of them recorded; None where it is a single one."""
        name = getattr(func, "__name__", "")
        if name not in APART or self._is_inside:
            return None
        before, self._is_inside = len(self.calls), True
        try:
            with self:
                found = taken_apart(name, args, kwargs)
            with torch.no_grad():
                right = func(*args, **kwargs)
        finally:
            self._is_inside = False
        if found is not None and found.shape == right.shape and torch.allclose(found, right, rtol=1e-9, atol=1e-12):
            return found
        del self.calls[before:]
        return None

    def _slot(self, t: Tensor) -> int:
        if id(t) not in self._slots:
            self._slots[id(t)] = len(self.values)
            self.values.append(t)  # which also keeps its id from being used again
        return self._slots[id(t)]

    # ------------------------------------------------------------------------------ what is there

    def slot_of(self, t: Tensor) -> int | None:
        """Return which value a tensor is; None where it is none."""
        return self._slots.get(id(t))

    @property
    def is_complete(self) -> bool:
        """Tell whether every operation is known, and none writes into what comes from elsewhere."""
        if len(self.calls) > MOST_CALLS:
            return False
        made = {slot for call in self.calls if not call.is_in_place for slot in call.makes}
        written = {s.at for call in self.calls if call.is_in_place for s in parts_of(call.args[:1], Slot)}
        has_history = {slot for slot, t in enumerate(self.values) if t.grad_fn is not None}
        got_it_later = (has_history & self._without_history) - written  # in somebody's own Function
        return has_history <= made and written <= made and not got_it_later

    @cached_property
    def _is_whole(self) -> bool:
        """Tell whether all of it has to be run again: something is written in place."""
        return any(call.is_in_place for call in self.calls)

    def sites(self) -> list[list[int]]:
        """Return the operations that stand in one place of the code, in the order in which they were called first."""
        found: dict[object, list[int]] = {}
        for i, call in enumerate(self.calls):
            found.setdefault((call.site, call.name, len(call.args)), []).append(i)
        return [*found.values()]

    def makers(self, slot: int) -> list[Call]:
        """Return the operations that make a value."""
        return [self.calls[i] for i in self._makers.get(slot, ())]

    @cached_property
    def _makers(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for i, call in enumerate(self.calls):
            for slot in call.makes:
                found.setdefault(slot, []).append(i)
        return found

    def readers(self, slots: Iterable[int]) -> list[Call]:
        """Return the operations that read one of several values."""
        return [self.calls[i] for i in sorted({i for slot in slots for i in self._readers.get(slot, ())})]

    @cached_property
    def _readers(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for i, call in enumerate(self.calls):
            for slot in call.reads:
                found.setdefault(slot, []).append(i)
        return found

    def makes_masks_only(self, slots: Iterable[int]) -> bool:
        """Tell whether some values are only compared, or cut at 0."""
        readers = self.readers(slots)
        return bool(readers) and all(
            call.name in MASKS or (call.name in ("abs", "neg") and self.makes_masks_only(call.makes))
            for call in readers
        )

    def alongside(self, slot: int) -> Sequence[int]:
        """Return the values that came out in the same place of the code, of a loop one in each step."""
        return self._alongside.get(slot, (slot,))

    @cached_property
    def _alongside(self) -> dict[int, tuple[int, ...]]:
        found: dict[int, tuple[int, ...]] = {}
        for indices in self.sites():
            for made in zip(*(self.calls[i].makes for i in indices), strict=False):
                found |= dict.fromkeys(made, made)
        return found

    # ------------------------------------------------------------------------------ running it again

    def run(self, changes: Mapping[int, Rewrite], wanted: Sequence[Tensor]) -> list[Tensor]:
        """Return other tensors in place of those wanted, with some operations computed otherwise."""
        first = 0 if self._is_whole else min(changes)
        values, moved = list(self.values), set[int]()
        for i, call in enumerate(self.calls):
            if i < first or i in self._of_leaves:
                continue
            if not (self._is_whole or i in changes or call.reads & moved):
                continue
            args, kwargs = replaced((call.args, call.kwargs), Slot, lambda slot: values[slot.at])
            made = changes[i](call, args, kwargs) if i in changes else call.function(*args, **kwargs)
            for slot, t in zip(call.makes, parts_of(made, Tensor), strict=True):
                values[slot] = t
                moved.add(slot)
        return [values[self._slots[id(t)]] if id(t) in self._slots else t for t in wanted]

    @cached_property
    def _of_leaves(self) -> frozenset[int]:
        """Return the operations that only make a leaf."""
        leaves = {slot for slot, t in enumerate(self.values) if t.is_leaf and t.requires_grad}
        return frozenset(i for i, call in enumerate(self.calls) if leaves & {*call.makes})


def parts_of(value: Any, kind: type) -> Iterator[Any]:
    """Yield everything of a kind in tuples, lists, dicts and slices."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from parts_of(part, kind)
    elif isinstance(value, Mapping):
        yield from parts_of([*value.values()], kind)
    elif isinstance(value, slice):
        yield from parts_of((value.start, value.stop, value.step), kind)


def replaced(value: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """Return tuples, lists, dicts and slices with everything of a kind changed."""
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, tuple | list) and not isinstance(value, torch.Size):
        found = [replaced(part, kind, change) for part in value]
        return found if isinstance(value, list) else tuple(found)
    if isinstance(value, Mapping):
        return {key: replaced(part, kind, change) for key, part in value.items()}
    if isinstance(value, slice):
        return slice(*replaced((value.start, value.stop, value.step), kind, change))
    return value


def _site() -> object:
    """Return where somebody's code stands, with the way from there through functions that are taken apart."""
    frame: FrameType | None = sys._getframe(2)
    inside: list[object] = []
    while frame is not None and frame.f_code.co_filename.startswith(NOT_OF_THE_CODE):
        if frame.f_code.co_filename == APART_IN:
            inside.append((frame.f_code, frame.f_lasti))
        frame = frame.f_back
    return None if frame is None else (frame.f_code, frame.f_lasti, *inside)
