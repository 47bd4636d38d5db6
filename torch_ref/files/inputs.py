"""The inputs of what is checked: of shapes that were given, from the file's ``make_inputs``, or its variables."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torch_ref.files.shapes import Shape
from torch_ref.numbers.containers import mapped
from torch_ref.steps.guarded import as_it_was


class NoInputsError(Exception):
    """There are no inputs, or none that fit, with the reason."""


class MissingInputsError(NoInputsError):
    """Some inputs are missing."""

    def __init__(self, names: Sequence[str], takes_any: bool = False) -> None:
        """Take their names."""
        self.names, self.takes_any = tuple(names), takes_any
        super().__init__(f"nothing gives its input{'s' * (len(names) != 1)} {', '.join(names)}".rstrip())


@dataclass(frozen=True)
class Wanted:
    """The arguments that inputs are needed for: by name, in order."""

    names: tuple[str, ...]
    defaults: Mapping[str, Any]
    """Of those that may be left out."""
    takes_any: bool = False
    """Whether any number is taken, as by ``*inputs``."""
    has_keywords: bool = False
    """Whether some are keyword-only."""

    @classmethod
    def by(cls, function: Callable[..., Any], *leave_out: str) -> Wanted:
        """Return the arguments of a function, but for self; of a module of torch those of its forward."""
        function = function.forward if isinstance(function, torch.nn.Module) else function
        try:
            parameters = [p for p in inspect.signature(function).parameters.values() if p.name not in leave_out]
        except (TypeError, ValueError):  # it does not say
            return cls((), {}, True)
        named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        defaults = {p.name: p.default for p in named if p.default is not p.empty}
        takes_any = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        has_keywords = any(p.kind is p.KEYWORD_ONLY for p in parameters)
        return cls(tuple(p.name for p in named), defaults, takes_any, has_keywords)

    @property
    def needed(self) -> list[str]:
        """Return the names of those that have no default."""
        return [name for name in self.names if name not in self.defaults]


@dataclass(frozen=True)
class Offered:
    """Everything that inputs may come from, the first that has a name first."""

    namespace: Mapping[str, Any]
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    """By the name of an argument, or by 'NAME.argument' for one thing that is checked."""
    in_order: tuple[Shape, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    dtype: torch.dtype | None = None
    seed: int = 0
    arrays: bool | None = None
    """Whether shapes become numpy arrays; None for what the file itself uses."""

    def inputs(self, name: str, members: Sequence[str], wanted: Wanted) -> dict[str, Any]:
        """Return the inputs by name, in order; raise NoInputsError where some are missing or do not fit."""
        generator = torch.Generator().manual_seed(self.seed)
        of_file = self._made(name, members, wanted) | self._variables(wanted)
        in_order = self._by_position(name, wanted)
        names = [*wanted.names, *(n for n in (*in_order, *of_file) if n not in wanted.names)]
        found: dict[str, Any] = {}
        for argument in names:
            shape = self.shape_of(name, argument) or in_order.get(argument)
            if argument in self.values:
                found[argument] = self.values[argument]
            elif shape is not None:
                found[argument] = self._filled(shape, generator)
            elif argument in of_file:
                found[argument] = of_file[argument]
        if missing := [argument for argument in wanted.needed if argument not in found]:
            raise MissingInputsError(missing)
        if not found:
            raise MissingInputsError((), wanted.takes_any)
        return _without_gaps(found, wanted)

    def shape_of(self, name: str, argument: str) -> Shape | None:
        """Return the shape that was given for an argument of one thing, or of all."""
        return self.shapes.get(f"{name}.{argument}") or self.shapes.get(argument)

    def _filled(self, shape: Shape, generator: torch.Generator) -> Any:
        arrays = _uses_numpy_alone(self.namespace) if self.arrays is None else self.arrays
        usual = torch.float64 if arrays else torch.get_default_dtype()
        if arrays and self.dtype == torch.bfloat16:
            raise NoInputsError("numpy has no bfloat16: take another --dtype, or --torch")
        drawn = _drawn(shape, generator, self.dtype or usual)
        return drawn.numpy() if arrays else drawn

    def _by_position(self, name: str, wanted: Wanted) -> dict[str, Shape]:
        count = len(self.in_order)
        if count > len(wanted.names) and not wanted.takes_any:
            raise NoInputsError(
                f"--shapes has {count} shapes, and {name} takes {len(wanted.names)} inputs, {', '.join(wanted.names)}"
            )
        more = (f"input {i}" for i in range(len(wanted.names), count))
        return dict(zip([*wanted.names, *more], self.in_order, strict=False))

    def _made(self, name: str, members: Sequence[str], wanted: Wanted) -> dict[str, Any]:
        """Return what the file's ``make_inputs_NAME`` or ``make_inputs`` gives for one thing that is checked."""
        own = [f"make_inputs_{one}" for one in (name, *members) if callable(self.namespace.get(f"make_inputs_{one}"))]
        maker = own[0] if own else "make_inputs"
        if not callable(make := self.namespace.get(maker)):
            return {}
        with as_it_was(self.seed):
            made = make()
        if not own and isinstance(made, Mapping):
            made = next((made[one] for one in (name, *members) if isinstance(made.get(one), Sequence | Mapping)), made)
        if isinstance(made, Mapping):
            return {key: value for key, value in made.items() if key in wanted.names}
        return _in_order(made, name, maker, wanted)

    def _variables(self, wanted: Wanted) -> dict[str, Any]:
        """Return the variables of the file that bear the names of arguments: arrays, and numbers that are needed."""
        named = {name: self.namespace.get(name) for name in wanted.names}
        arrays = {name: value for name, value in named.items() if isinstance(value, Tensor | np.ndarray)}
        return {name: named[name] for name in wanted.needed if isinstance(named[name], int | float)} | arrays


def _drawn(shape: Shape, generator: torch.Generator, dtype: torch.dtype) -> Tensor:
    """Return normal numbers of this dtype, the same in each dtype but for rounding, or whole numbers."""
    if shape.limit is not None:
        return torch.randint(shape.limit, shape.sizes, generator=generator)
    return torch.randn(shape.sizes, generator=generator, dtype=torch.float64).to(dtype)


def _in_order(made: Any, name: str, maker: str, wanted: Wanted) -> dict[str, Any]:
    if not isinstance(made, tuple | list):
        kind = type(made).__name__
        raise NoInputsError(f"{maker}() gives a {kind}: expected a tuple or list of inputs, or a dict by name")
    fits = len(wanted.needed) <= len(made) <= len(wanted.names) or (wanted.takes_any and made)
    if not fits:
        takes, count = ", ".join(wanted.needed), f"{len(made)} input{'s' * (len(made) != 1)}"
        raise NoInputsError(f"{maker}() gives {count}, and {name} takes {takes}: give those by make_inputs_{name}()")
    more = (f"input {i}" for i in range(len(wanted.names), len(made)))
    return dict(zip([*wanted.names, *more], made, strict=False))


def _without_gaps(found: dict[str, Any], wanted: Wanted) -> dict[str, Any]:
    """Return inputs with the defaults of those that stand before the last one given."""
    last = max((i for i, name in enumerate(wanted.names) if name in found), default=-1)
    before = {name: found[name] if name in found else wanted.defaults[name] for name in wanted.names[: last + 1]}
    return before | found


def copied(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return inputs for a call that may change them."""
    found: dict[str, Any] = mapped(dict(inputs), lambda _, value: _copy(value), kind=(Tensor, np.ndarray))
    return found


def _copy(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value.copy()


def _uses_numpy_alone(namespace: Mapping[str, Any]) -> bool:
    """Tell whether a file imports numpy, or from numpy, and nothing of torch."""
    packages = {_package(value) for value in namespace.values()}
    return "numpy" in packages and "torch" not in packages


def _package(value: Any) -> str:
    """Return the package that a value comes from."""
    own = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None) or type(value).__module__
    return str(own).split(".")[0]
