"""Modules through hooks: what each submodule got and gave in a pass, and the same code called at other numbers."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from torch_ref.numbers.containers import leaves_of, mapped
from torch_ref.numbers.witness import Tensors
from torch_ref.steps.kept import as_in_training, kept

Bound = inspect.BoundArguments


def tensors_in(value: Any, name: str = "") -> Tensors:
    """Return every tensor of a value by its path."""
    return {path: leaf for path, leaf in leaves_of(value, name) if isinstance(leaf, Tensor)}


def tensors_of(bound: Bound) -> Tensors:
    """Return every tensor among arguments by its path: ``x``, ``state[0]``."""
    return {path: t for name, value in bound.arguments.items() for path, t in tensors_in(value, name).items()}


def with_tensors(bound: Bound, tensors: Mapping[str, Tensor]) -> Bound:
    """Return the arguments with the tensors at these paths replaced."""
    arguments = {
        name: mapped(value, lambda path, t: tensors.get(path, t), name) for name, value in bound.arguments.items()
    }
    return Bound(bound.signature, arguments)


def bound_to(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Bound:
    """Return arguments under the names that the module's forward gives them; raise TypeError where they do not fit."""
    return inspect.signature(module.forward).bind(*args, **kwargs)


@dataclass
class Visit:
    """One call of one submodule in a pass."""

    path: str
    number: int
    """How many calls of the same submodule came before."""
    bound: Bound
    """Its arguments, the tensors copied."""
    output: Any = None
    flowing: set[str] = field(default_factory=set)
    """The paths of the tensors among the arguments that have a gradient."""
    flowing_out: set[str] = field(default_factory=set)
    """The paths of the outputs that have one."""
    written: dict[str, str] = field(default_factory=dict)
    """Of the arguments that it changed in place, the path of the output that now stands there."""
    upstream: Tensors = field(default_factory=dict)
    """The gradients that its outputs got in the backward pass, by path."""
    inside: list[Visit] = field(default_factory=list)
    buffers: Tensors = field(default_factory=dict)
    """Of the whole module: its buffers after the call, by name."""

    @property
    def label(self) -> str:
        """Return how it is named: 'block.2', or 'cell, call 2'; '' for the whole module."""
        return f"{self.path}, call {self.number + 1}" if self.number else self.path

    def walk(self) -> Iterator[Visit]:
        """Yield what lies inside, innermost first, then the visit itself."""
        for visit in self.inside:
            yield from visit.walk()
        yield self


@contextmanager
def visited(module: nn.Module, paths: Mapping[str, str]) -> Iterator[list[Visit]]:
    """While inside, put every call of some submodules into a list; ``paths`` has the names that the visits get.

    An output is handed on as a copy: its gradient is the one that this submodule got, whoever shares the tensor.
    """
    found: list[Visit] = []
    open_visits: list[Visit] = []
    count: Counter[str] = Counter()

    def before(name: str) -> Callable[..., None]:
        def enter(submodule: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            bound = bound_to(submodule, args, kwargs)
            visit = Visit(name, count[name], with_tensors(bound, {p: _copied(t) for p, t in tensors_of(bound).items()}))
            visit.flowing = {path for path, t in tensors_of(bound).items() if t.requires_grad}
            count[name] += 1
            (open_visits[-1].inside if open_visits else found).append(visit)
            open_visits.append(visit)

        return enter

    def leave(submodule: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        visit = open_visits.pop()
        outputs = tensors_in(output)
        visit.written = dict(_written(visit.bound, bound_to(submodule, args, kwargs), outputs))
        visit.output = mapped(output, lambda _, t: _copied(t))
        visit.flowing_out = {path for path, t in outputs.items() if t.requires_grad}
        return mapped(output, lambda path, t: _watched(t, visit, path))

    handles = []
    try:
        for path, name in paths.items():
            submodule = module.get_submodule(path)
            handles.append(submodule.register_forward_pre_hook(before(name), prepend=True, with_kwargs=True))
            handles.append(submodule.register_forward_hook(leave, with_kwargs=True))
        yield found
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def written(module: nn.Module) -> Iterator[Tensors]:
    """While inside, put the buffers of a module into a dict as they are after a call."""
    found: Tensors = {}

    def read(called: nn.Module, args: Any, output: Any) -> None:
        found.update({name: _copied(b) for name, b in called.named_buffers()})

    handle = module.register_forward_hook(read)
    try:
        yield found
    finally:
        handle.remove()


def _copied(t: Tensor) -> Tensor:
    return t.detach().clone()


def _watched(t: Tensor, visit: Visit, path: str) -> Tensor:
    if not t.requires_grad:
        return t
    copied = t.clone()

    def keep(d: Tensor) -> None:
        visit.upstream[path] = _copied(d)

    copied.register_hook(keep)  # type: ignore[no-untyped-call]
    return copied


def _written(before: Bound, after: Bound, outputs: Tensors) -> Iterator[tuple[str, str]]:
    """Yield the arguments that are others than before, each with an output of the same numbers."""
    old = tensors_of(before)
    for path, t in tensors_of(after).items():
        if not torch.equal(t, old[path]):
            yield from ((path, name) for name, y in outputs.items() if torch.equal(t, y))


@dataclass(frozen=True)
class Side:
    """One of two modules, and where its parameters and buffers come from."""

    module: nn.Module
    names: Mapping[str, str]
    """Of each of its parameters, the name under which it is given."""
    buffers: Mapping[str, Tensor]
    """Its buffers as they are before a call, by its own names."""
    keeps: bool = False
    """Whether what a submodule keeps on itself stays there after a call."""

    def parameters_in(self, path: str) -> dict[str, str]:
        """Return the parameters of a submodule: by its own names, those under which they are given."""
        return _below(path, self.names)

    def call(self, path: str, bound: Bound, tensors: Tensors) -> Any:
        """Return what a submodule gives for these arguments and parameters; its buffers stay as they are."""
        submodule = self.module.get_submodule(path)
        given = self.parameters_in(path)
        in_float64 = any(t.dtype in (torch.float64, torch.complex128) for t in tensors.values())
        state = {name: tensors[shown] for name, shown in given.items() if shown in tensors}
        for name, buffer in _below(path, self.buffers).items():
            state[name] = (buffer.double() if in_float64 and buffer.is_floating_point() else buffer).clone()
        with nullcontext() if self.keeps else kept(submodule), torch.enable_grad(), as_in_training():
            return functional_call(submodule, state, bound.args, dict(bound.kwargs))

    @contextmanager
    def without(self, calls: Mapping[str, list[Stand]]) -> Iterator[dict[tuple[str, int], Tensors]]:
        """While inside, the submodules at these paths are not called: what stands in their place is handed on.

        What each of them was given is collected, by path and number.
        """
        found: dict[tuple[str, int], Tensors] = {}
        with ExitStack() as stack:
            for path, stands in calls.items():
                submodule = self.module.get_submodule(path)
                stack.enter_context(kept(submodule))
                for hooks in ("_forward_hooks", "_forward_pre_hooks"):
                    vars(submodule)[hooks] = {}  # they were called when the numbers were made
                vars(submodule)["forward"] = _standing_in(submodule, path, stands, found)
            yield found


@dataclass(frozen=True)
class Stand:
    """What a submodule gave in one call, to be handed on in its place."""

    visit: Visit
    tensors: Tensors
    """By path."""


def _standing_in(
    submodule: nn.Module, path: str, stands: list[Stand], found: dict[tuple[str, int], Tensors]
) -> Callable[..., Any]:
    signature, calls = inspect.signature(submodule.forward), iter(enumerate(stands))

    def forward(*args: Any, **kwargs: Any) -> Any:
        number, stand = next(calls)
        given = tensors_of(signature.bind(*args, **kwargs))
        found[path, number] = {name: t.clone() for name, t in given.items()}
        for name, output in stand.visit.written.items():
            given[name].copy_(stand.tensors[output])
        return mapped(stand.visit.output, lambda name, _: stand.tensors[name].clone())

    return forward


def _below(path: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known by full names of what lies in a submodule, by the names there."""
    prefix = f"{path}." if path else ""
    return {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}
