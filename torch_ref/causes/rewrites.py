"""A mistake as an operation of the reference computed otherwise: its derivative, the operation, or its value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from torch_ref.steps.program import Call, Program, Rewrite, Slot, parts_of

NAMES = {
    "truediv": "div",
    "rtruediv": "rdiv",
    "radd": "add",
    "rmul": "mul",
    "linalg_solve": "solve",
    "linalg_inv": "inverse",
    "linalg_norm": "norm",
    "linalg_vector_norm": "norm",
    "clip": "clamp",
    "absolute": "abs",
    "negative": "neg",
    "invert": "logical_not",
    "concat": "cat",
    "concatenate": "cat",
    "multiply": "mul",
    "divide": "div",
    "subtract": "sub",
    "mm": "matmul",
    "bmm": "matmul",
    "mv": "matmul",
}
"""Of one operation that has several."""


class Codes(NamedTuple):
    """What a mistake is called where it is made in the derivative, in the operation, and in its value; '' for not."""

    derivative: str
    function: str
    value: str

    @classmethod
    def all(cls, code: str) -> Codes:
        """Return the same code for all three."""
        return cls(code, code, code)


class Mistake(NamedTuple):
    """What is computed in place of some operations."""

    codes: Codes
    text: str
    changes: Mapping[int, Rewrite]


class Candidate(NamedTuple):
    """A mistake made in one way."""

    code: str
    text: str
    changes: Mapping[int, Rewrite]


class Site(NamedTuple):
    """The operations that stand in one place of the code, and the program that they are of."""

    program: Program
    indices: Sequence[int]

    @property
    def call(self) -> Call:
        """Return the first of them."""
        return self.program.calls[self.indices[0]]

    @property
    def name(self) -> str:
        """Return its name."""
        return NAMES.get(self.call.name, self.call.name)

    @property
    def out(self) -> Tensor | None:
        """Return what came out the first time; None where it is not one tensor of numbers with a history."""
        if not self.call.makes:
            return None
        found = self.program.values[self.call.makes[0]]
        return found if found.is_floating_point() or found.is_complex() else None

    @property
    def operands(self) -> list[tuple[tuple[int, ...], Tensor]]:
        """Return its operands that are tensors, each with its place among the arguments."""
        return [(path, self.program.values[slot.at]) for path, slot in _slots(self.call.args)]

    def everywhere(self, rewrite: Rewrite) -> dict[int, Rewrite]:
        """Return that all of them are computed so."""
        return dict.fromkeys(self.indices, rewrite)


def _slots(args: Sequence[Any]) -> Iterator[tuple[tuple[int, ...], Any]]:
    for i, arg in enumerate(args):
        if isinstance(arg, list) or type(arg) is tuple:
            yield from (((i, j), part) for j, part in enumerate(arg) if isinstance(part, Slot))
        elif isinstance(arg, Slot):
            yield (i,), arg


def with_argument(args: tuple[Any, ...], path: tuple[int, ...], value: Any) -> tuple[Any, ...]:
    """Return arguments with one of them replaced."""
    i, *rest = path
    new = value if not rest else type(args[i])([*args[i][: rest[0]], value, *args[i][rest[0] + 1 :]])
    return (*args[:i], new, *args[i + 1 :])


def argument(args: tuple[Any, ...], path: tuple[int, ...]) -> Any:
    """Return one of several arguments."""
    i, *rest = path
    return args[i][rest[0]] if rest else args[i]


def number_at(i: int, value: Any) -> Rewrite:
    """Return an operation with another number as its argument i."""
    return lambda call, args, kwargs: call.function(*with_argument(args, (i,), value), **kwargs)


def dims_of(call: Call) -> list[int] | None:
    """Return the dimensions along which an operation runs; None for all."""
    for value in (call.kwargs.get("dim"), call.kwargs.get("axis"), *call.args[1:2]):
        if isinstance(value, int) and not isinstance(value, bool):
            return [value]
        if isinstance(value, list | tuple) and value and all(isinstance(d, int) for d in value):
            return [*value]
    return None


class Carried(torch.autograd.Function):
    """A value that hands its gradient on to another tensor."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, carrier: Tensor) -> Tensor:
        """Return the value."""
        if value.shape != carrier.shape:
            raise ValueError("a value and what its gradient goes to are expected to have one shape")
        return value.detach().clone()

    @staticmethod
    def backward(ctx: Any, *d: Tensor) -> tuple[None, Tensor]:
        """Hand it on."""
        return None, d[0]


class Passing(torch.autograd.Function):
    """The same value, whose gradient is changed."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the value."""
        ctx.change = change
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *d: Tensor) -> tuple[Tensor, None]:
        """Change the gradient."""
        found = ctx.change(d[0])
        if found.shape != d[0].shape:
            raise ValueError("a changed gradient is expected to have the same shape")
        return found, None


def carried(value: Tensor, carrier: Tensor) -> Tensor:
    """Return a value that hands its gradient on to another tensor."""
    found: Tensor = Carried.apply(value, carrier)  # type: ignore[no-untyped-call]
    return found


def passing(value: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Return a value whose gradient is changed."""
    found: Tensor = Passing.apply(value, change)  # type: ignore[no-untyped-call]
    return found


def in_three_ways(site: Site, mistake: Mistake) -> Iterator[Candidate]:
    """Yield a mistake in the derivative alone, in the whole operation, and in the value that others read."""
    codes, text, changes = mistake
    if len(site.indices) > 1 and len(changes) == len(site.indices):
        text = f"{text}, in every step"
    if site.name in ("add", "sub", "abs", "neg") and site.program.makes_masks_only(site.call.makes):
        codes = Codes(codes.derivative, *("wrong-mask" if code else "" for code in codes[1:]))
    if codes.derivative:
        yield Candidate(
            codes.derivative,
            text if "derivative" in text else f"{text}, in the derivative",
            _each(changes, _derivative_of),
        )
    if codes.function:
        yield Candidate(codes.function, text, changes)
    if codes.value:
        yield Candidate(codes.value, f"{text}, in what backward reads", _each(changes, _value_of))


def _each(changes: Mapping[int, Rewrite], way: Callable[[Rewrite], Rewrite]) -> dict[int, Rewrite]:
    return {i: way(rewrite) for i, rewrite in changes.items()}


def _derivative_of(rewrite: Rewrite) -> Rewrite:
    return lambda call, args, kwargs: _first_of_both(call.function(*args, **kwargs), rewrite(call, args, kwargs))


def _value_of(rewrite: Rewrite) -> Rewrite:
    def both(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        return _first_of_both(rewrite(call, args, kwargs), call.function(*args, **kwargs))

    return both


def _first_of_both(value: Any, carrier: Any) -> Any:
    """Return a value with another history; of several tensors the first."""
    first, (other, *_) = [*parts_of(value, Tensor)], [*parts_of(carrier, Tensor)]
    made = carried(first[0], other)
    return made if isinstance(value, Tensor) else (made, *first[1:])
