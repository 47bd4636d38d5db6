"""Somebody's forward and backward, run: forward under autograd, then both on plain numbers, with every value read.

The order matters: what an object keeps on ``self`` is plain when backward reads it. Random numbers are the same in both
runs. All of it happens to copies.
"""

from __future__ import annotations

import inspect
import math
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from manual_bp.layer import described
from torch_ref.followed.cannot import CannotFollow
from torch_ref.followed.follow import follow
from torch_ref.lines.arguments import Filling, Result
from torch_ref.lines.calls import Calls
from torch_ref.lines.cells import Cell, result_of
from torch_ref.lines.changed import Watched
from torch_ref.lines.log_shift import WithoutShift
from torch_ref.lines.mentioned import names_in, updated_in
from torch_ref.lines.names import RATE, named_after, path_of
from torch_ref.lines.places import copied, followed, is_complex
from torch_ref.lines.trace import Run, code_of, run
from torch_ref.lines.values import Unnamed, Values, kept_of
from torch_ref.lines.world import World
from torch_ref.steps.beside import moved, shaken
from torch_ref.steps.graph import Graph
from torch_ref.steps.guarded import as_it_was
from torch_ref.steps.step import negative, plain
from torch_ref.steps.ties import TIES
from torch_ref.steps.upstream import drawn


class NotFollowed(ValueError):  # noqa: N818 - it is what happened, and no mistake of anybody's
    """Autograd cannot follow forward, for the reason that it says."""


NO_CALLS = (None, None)


@dataclass(frozen=True)
class Subject:
    """A forward and a backward, and the inputs at which they are read."""

    forward: Callable[..., Any]
    backward: Callable[..., Any] | None
    """None where forward computes the gradients, too."""
    inputs: Mapping[str, Any]
    as_keywords: bool
    is_wide: bool = False
    """Whether it is computed in float64."""
    without_shift: WithoutShift | None = None
    """Takes log(p) for log(p + ε) under autograd, where that is asked for."""
    is_returned: bool = False
    """Whether backward is a function that forward defines and returns: each forward pass makes one of its own."""
    most_lines: float = math.inf
    """After so many lines a run is stopped."""
    is_moved: bool = False
    """Whether all numbers with a fraction are a little larger or smaller than they were given."""

    def copied(self, value: Any) -> Any:
        """Return a copy of a tensor or an array, in float64 where that is asked for."""
        found = _elsewhere(copied(value)) if self.is_moved else copied(value)
        if not self.is_wide or is_complex(found):
            return found
        return found.double() if isinstance(found, Tensor) else found.astype(np.float64)

    def _begin(self) -> None:
        """Let what is made without a dtype be in float64, too; ``as_it_was`` puts that back."""
        if self.is_wide:
            torch.set_default_dtype(torch.float64)

    @property
    def around(self) -> Mapping[str, Any]:
        """Return the global variables of backward."""
        function: Any = self.forward if self.backward is None else self.backward
        found: Mapping[str, Any] = getattr(function, "variables", None) or getattr(function, "__globals__", {})
        return found

    @classmethod
    def of(
        cls, forward: Callable[..., Any], backward: Callable[..., Any] | None, inputs: Sequence[Any] | Mapping[str, Any]
    ) -> Subject:
        """Return a subject with the names that forward gives its inputs; raise TypeError where they do not fit."""
        if isinstance(inputs, Mapping) or isinstance(forward, Cell):
            if not isinstance(inputs, Mapping):
                raise TypeError(f"check_lines expects the inputs of a cell by name, got {described(inputs)}")
            return cls(forward, backward, dict(inputs), True)
        if isinstance(inputs, Tensor | np.ndarray | str) or not isinstance(inputs, Sequence):
            raise TypeError(f"check_lines expects inputs as a list of arguments, or by name, got {described(inputs)}")
        return cls(forward, backward, dict(zip(_names(forward, len(inputs)), inputs, strict=True)), False)

    def with_backward_returned(self) -> Subject:
        """Return the subject with the function as backward that forward returns; itself where it returns none."""
        if self.backward is not None or isinstance(self.forward, Cell) or not _defines_functions(self.forward):
            return self
        world = World(self.copied, self.instead_of_number)
        arguments, named = self.arguments(world)
        with as_it_was(), torch.inference_mode(mode=False), torch.no_grad():
            returned = run(self.within(world, self.forward), arguments, named, ends_only=True).returned
        functions = [*_functions_in(returned)]
        return replace(self, backward=functions[0], is_returned=True) if len(functions) == 1 else self

    @cached_property
    def _like(self) -> Tensor | None:
        """Return a tensor like which a number is, where the inputs are tensors."""
        return next((t for t in self.inputs.values() if isinstance(t, Tensor) and t.is_floating_point()), None)

    def _as_array(self, value: float | np.floating) -> Any:
        like = self._like
        return np.array(value) if like is None else torch.tensor(value, dtype=like.dtype, device=like.device)

    @cached_property
    def _parameters(self) -> set[str]:
        """Return the names of numbers that are parameters: backward has a gradient of each, or moves it."""
        function = self.forward if self.backward is None else self.backward
        own = {*code_of(self.forward).co_varnames, *self.inputs}
        graded = {of for name in names_in(function) for of in named_after(name)} - own
        return {name for name in graded | updated_in(function) if not RATE.fullmatch(name)}

    def instead_of_number(self, place: str, value: float) -> Any:
        """Return the array that stands for a number of an object or a module; None where it stays a number."""
        return self._as_array(value) if path_of(place).name in self._parameters else None

    @cached_property
    def prepared(self) -> dict[str, Any]:
        """Return the inputs, a number as an array where backward has a variable for its gradient."""
        names = names_in(self.forward if self.backward is None else self.backward)
        wanted = {of for name in names for of in named_after(name)}

        is_number = {n: isinstance(v, float | np.floating) for n, v in self.inputs.items()}
        return {n: self._as_array(v) if is_number[n] and n in wanted else v for n, v in self.inputs.items()}

    def under_autograd(self, world: World, unnamed: Unnamed | None = None) -> tuple[Run, Unnamed]:
        """Run forward in a world of tensors that require a gradient."""
        unnamed = unnamed or Unnamed()
        with as_it_was(), torch.inference_mode(mode=False), torch.enable_grad():
            self._begin()
            arguments, named = self.arguments(world)
            forward = self.within(world, self.forward)
            with unnamed, self.without_shift or nullcontext():
                return _completed(run(forward, arguments, named, kept_of), forward), unnamed

    def takes_a_shifted_log(self) -> bool:
        """Tell whether forward takes a log of a sum with a small number, as log(p + 1e-8)."""
        without = WithoutShift()
        asked = replace(self, without_shift=without)
        asked.under_autograd(World(lambda value: _with_gradient(self.copied(value)), self.instead_of_number))
        return without.shift > 0

    def within(self, world: World, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the copy of one of the two functions in a world."""
        if isinstance(function, Cell):
            return function.within(world, self._inputs(world))
        found: Callable[..., Any] = world.of(function, "self")
        return found

    def _inputs(self, world: World) -> dict[str, Any]:
        return {name: world.of(value, name) for name, value in self.prepared.items()}

    def arguments(self, world: World) -> tuple[list[Any], dict[str, Any]]:
        """Return what forward is called with in a world, in order and by name."""
        if isinstance(self.forward, Cell):
            return [], {}
        found = self._inputs(world)
        return ([], found) if self.as_keywords else ([*found.values()], {})

    def by_hand(self, upstream: Sequence[Any], calls: tuple[Calls | None, Calls | None] = NO_CALLS) -> Run:
        """Run forward on plain numbers, then backward on what that left, and return what backward did.

        ``calls`` collect what the two call; of a forward that is the backward, too, the second does. Raises TypeError
        where backward's arguments cannot be found.
        """
        world = World(self.copied, self.instead_of_number)
        arguments, named = self.arguments(world)
        forward = self.within(world, self.forward)
        inputs = Watched({} if self.backward else self._inputs(world))
        with as_it_was(), torch.inference_mode(mode=False), torch.no_grad():
            self._begin()
            ends_only = self.backward is not None and not isinstance(forward, Cell)
            first = run(
                forward, arguments, named, calls=calls[self.backward is None], ends_only=ends_only, most=self.most_lines
            )
            first = _completed(first, forward)
        if self.backward is None or first.failure:
            return replace(first, changed=inputs.changed(first.versions))
        return self._backward_by_hand(world, first, [copied(d) for d in upstream], calls[1])

    def _backward_by_hand(self, world: World, first: Run, upstream: Sequence[Any], calls: Calls | None) -> Run:
        """Run backward on what the run of forward left in a world."""
        assert self.backward is not None
        backward = self._in_returned(first) if self.is_returned else self.within(world, self.backward)
        with as_it_was(), torch.inference_mode(mode=False), torch.no_grad():
            self._begin()
            inputs = Watched(self._inputs(world))
            if isinstance(backward, Cell):
                found = run(backward, calls=calls, most=self.most_lines)
                return replace(found, changed=inputs.changed(found.versions))
            result = Result.of(first.returned, first.variables, backward)
            arguments = Filling(self._inputs(world), first.variables, result, upstream).arguments(backward)
            given = {name: d for name, value in arguments.items() for d in upstream if value is d}
            gradients = Watched(given)
            found = run(backward, (), arguments, calls=calls, most=self.most_lines)
            changed = (*inputs.changed(found.versions), *gradients.changed())
            return replace(found, changed=changed, upstream=tuple(given))

    def _in_returned(self, first: Run) -> Callable[..., Any]:
        """Return the function that a run of forward returned."""
        assert self.backward is not None
        code = code_of(self.backward)
        return next(function for function in _functions_in(first.returned) if function.__code__ is code)

    def calls(self, upstream: Sequence[Any]) -> tuple[Calls, Calls]:
        """Run forward and backward by hand, and return what each of them called."""
        found = (Calls(), Calls())
        self.by_hand(upstream, found)
        return found

    def run_plain(self, function: Callable[..., Any], named: Mapping[str, Any], calls: Calls | None) -> Run:
        """Run a function on plain numbers."""
        with as_it_was(), torch.inference_mode(mode=False), torch.no_grad():
            self._begin()
            return run(function, (), named, calls=calls, most=self.most_lines)


def _completed(found: Run, function: Callable[..., Any]) -> Run:
    """Return a run with what a cell computed as what it returned."""
    return replace(found, returned=result_of(found)) if isinstance(function, Cell) and not found.failure else found


def _defines_functions(forward: Callable[..., Any]) -> bool:
    return any(isinstance(one, types.CodeType) and one.co_name.isidentifier() for one in code_of(forward).co_consts)


def _functions_in(returned: Any) -> Iterator[types.FunctionType]:
    """Yield the functions among what was returned."""
    for part in returned if isinstance(returned, tuple | list) else [returned]:
        if isinstance(part, types.FunctionType):
            yield part


def _names(forward: Callable[..., Any], count: int) -> list[str]:
    forward = forward.forward if isinstance(forward, nn.Module) else forward
    try:
        named = [p.name for p in inspect.signature(forward).parameters.values() if p.kind is not p.VAR_POSITIONAL]
    except (TypeError, ValueError):
        named = []
    return [named[i] if i < len(named) else f"input {i}" for i in range(count)]


class Pass(NamedTuple):
    """A forward pass under autograd, and its outputs, each with its upstream gradient."""

    values: Values
    roots: tuple[tuple[Tensor, Tensor], ...]


@dataclass(frozen=True)
class Read:
    """What there is to see of a forward and a backward."""

    values: Values
    by_hand: Run
    roots: tuple[tuple[Tensor, Tensor], ...]
    """The outputs, each with its upstream gradient."""
    beside: Callable[[int], Pass]
    """Computes the forward pass once more, with its inputs moved a little in a direction of that number; from ``TIES``
    on every value in between, too."""
    by_hand_of: Callable[[Subject], Run]
    """Runs a subject by hand with the same upstream gradients: this one with another backward, say."""
    again: Callable[[float], Run]
    """Runs both by hand once more, with upstream gradients that many times as large."""
    calls: Callable[[], tuple[Calls, Calls]]
    """Runs forward and backward by hand once more, and returns what each of them called."""

    @property
    def is_of_a_loss(self) -> bool:
        """Tell whether backward was given the gradient of one number, a loss."""
        return bool(self.by_hand.upstream) and len(self.roots) == 1 and self.roots[0][0].numel() == 1


def read(subject: Subject, upstream: Any = None) -> Read:
    """Run a forward and a backward, and return all that they computed.

    Raises TypeError where forward returns no output or backward's arguments cannot be found, ValueError where forward
    raises, or autograd cannot follow it.
    """

    def change(value: Any) -> Any:
        return _with_gradient(subject.copied(value))

    world = World(change, subject.instead_of_number)
    first, unnamed = subject.under_autograd(world)
    works_in_place = "a leaf Variable that requires grad" in first.failure  # which a leaf does not allow
    if works_in_place:
        world = World(lambda value: _without_leaf(change(value)), subject.instead_of_number)
        first, unnamed = subject.under_autograd(world)
    if first.failure.startswith(f"raises {CannotFollow.__name__}: "):
        raise NotFollowed(first.failure.partition(": ")[2])
    if first.failure:
        raise ValueError(f"check_lines expects a forward that runs under autograd, but it {first.failure}")
    result = Result.of(first.returned, first.variables, subject.backward)
    if said := _makes_all_itself(subject, world, first, result.outputs):
        raise ValueError(said)
    outputs = [_tensor_of(name, value) for name, value in result.outputs.items()]
    d_outputs = [*map(negative, drawn(outputs))] if upstream is None else given_upstream(upstream, outputs)
    here = _pass(world, first, unnamed, outputs, d_outputs)

    def beside(draw: int) -> Pass:
        generator = torch.Generator().manual_seed(draw)

        def change(value: Any) -> Any:
            found = _with_gradient(_moved(subject.copied(value), draw, generator))
            return _without_leaf(found) if works_in_place else found

        world = World(change, subject.instead_of_number)
        moving = Unnamed(lambda found, given: shaken(found, given, generator)) if draw >= TIES else None
        run, unnamed = subject.under_autograd(world, moving)
        result = Result.of(run.returned, run.variables, subject.backward)
        return _pass(world, run, unnamed, [_tensor_of(*named) for named in result.outputs.items()], d_outputs)

    handed = [_like(value, d) for value, d in zip(result.outputs.values(), d_outputs, strict=True)]

    def again(factor: float) -> Run:
        return subject.by_hand([d * factor for d in handed])

    def by_hand_of(other: Subject) -> Run:
        return other.by_hand(handed)

    calls = partial(subject.calls, handed)
    return Read(here.values, by_hand_of(subject), here.roots, beside, by_hand_of, again, calls)


def _pass(world: World, run: Run, unnamed: Unnamed, outputs: list[Tensor], d_outputs: Sequence[Tensor]) -> Pass:
    """Return a forward pass under autograd with the places of all that it computed."""
    roots = tuple((y, d) for y, d in zip(outputs, d_outputs, strict=True) if y.requires_grad)
    given = {place: kept for place, value in world.given.items() if (kept := kept_of(value)) is not None}
    graph = Graph.of([y for y, _ in roots])
    return Pass(Values(run, given, unnamed.places, tuple(y for y, _ in roots), graph), roots)


def _without_leaf(value: Any) -> Any:
    """Return a copy of a leaf, which may be worked on in place; what is no tensor as it is."""
    return value.clone() if isinstance(value, Tensor) else value


def _moved(value: Any, draw: int, generator: torch.Generator) -> Any:
    """Return a tensor or an array of floating-point numbers moved a little."""
    if isinstance(value, Tensor):
        return moved(value, draw, generator) if value.is_floating_point() else value
    if value.dtype.kind != "f":
        return value
    found: Any = moved(torch.from_numpy(np.ascontiguousarray(value)), draw, generator).numpy().reshape(value.shape)
    return found


def _elsewhere(value: Any) -> Any:
    """Return a tensor or an array, each number with a fraction up to 1 % larger or smaller, and others as they are.

    A one of a mask or of a row of classes stays one.
    """
    is_tensor = isinstance(value, Tensor)
    if not (value.is_floating_point() if is_tensor else value.dtype.kind == "f"):
        return value
    shares: Any = 1 + 0.01 * np.cos(1 + np.arange(math.prod(value.shape))).reshape(tuple(value.shape))
    shares = torch.from_numpy(np.ascontiguousarray(shares)).to(value) if is_tensor else shares.astype(value.dtype)
    return value * (shares * (value % 1 != 0) + (value % 1 == 0))


def _with_gradient(value: Any) -> Any:
    """Return what stands in place of a tensor or an array in the forward pass under autograd."""
    if isinstance(value, Tensor):
        return plain(value).clone().requires_grad_()
    return follow(value)


def _makes_all_itself(subject: Subject, world: World, first: Run, outputs: Mapping[str, Any]) -> str:
    """Return what to do where forward makes its data and weights itself, over those that were there; '' elsewhere."""
    new = {v.place for v in first.versions if not v.given and v.value is None}
    if world.given.keys() - new or any(kept_of(value) is not None for value in outputs.values()):
        return ""
    is_cell = isinstance(subject.forward, Cell)
    return (
        "check_lines expects a forward that is given the values that gradients are of, as inputs or as variables from "
        f"outside, but this {'cell' if is_cell else 'function'} makes all of them itself. Move the lines that make "
        f"data and weights {'into a cell of their own before it' if is_cell else 'out of it'}"
    )


def _tensor_of(name: str, value: Any) -> Tensor:
    """Return an output as a tensor with its history; raise ValueError where it has none."""
    tensor = followed(value)
    tensor = value if tensor is None else tensor
    if not isinstance(tensor, Tensor) or not tensor.requires_grad:
        raise ValueError(
            f"check_lines expects a forward whose output depends on its inputs under autograd, but {name}, "
            f"{described(value)}, has no history: .item(), .detach(), float() and torch.no_grad() drop it"
        )
    return tensor


def given_upstream(upstream: Any, outputs: Sequence[Tensor]) -> list[Tensor]:
    """Return given gradients of the outputs; raise ValueError where they do not fit."""
    several = list(upstream) if isinstance(upstream, tuple | list) else [upstream]
    tensors = [torch.as_tensor(d).detach() for d in several]
    if [d.shape for d in tensors] != [y.shape for y in outputs]:
        expected, got = ([tuple(t.shape) for t in ts] for ts in (outputs, tensors))
        raise ValueError(f"check_lines expects upstream gradients of the outputs' shapes {expected}, got {got}")
    return [d.to(y.dtype) for d, y in zip(tensors, outputs, strict=True)]


def _like(value: Any, d: Tensor) -> Any:
    """Return an upstream gradient as what its output is: a tensor, an array, or a number."""
    if isinstance(value, Tensor):
        return d.detach().clone()
    return d.detach().clone().numpy()[()]
