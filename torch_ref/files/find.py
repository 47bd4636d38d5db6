"""What there is to check among the names of a file or a cell: pairs of functions, autograd Functions, layers."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any

import torch

from torch_ref.files.autograd_function import AutogradFunction
from torch_ref.files.found import Checked, Found, NotCheckedError, Settings
from torch_ref.files.inputs import Wanted
from torch_ref.files.layer import LayerOfFile
from torch_ref.files.pair import Pair
from torch_ref.steps.step import source_of

Names = Mapping[str, Any]

SLOPES = ("_grad", "_prime", "_derivative", "_deriv", "_gradient")
"""How a function ends that is the derivative of another."""


@dataclass(frozen=True)
class Unchecked:
    """Something that cannot be checked as it stands, with the reason."""

    name: str
    title: str
    reason: str
    place: str

    @property
    def members(self) -> tuple[str, ...]:
        """Return its own name."""
        return (self.name,)

    @property
    def wanted(self) -> Wanted:
        """Raise NotCheckedError."""
        raise NotCheckedError(self.reason)

    @property
    def made_from(self) -> tuple[str, ...]:
        """Return nothing."""
        return ()

    def run_forward(self, inputs: Mapping[str, Any]) -> Any:
        """Raise NotCheckedError."""
        raise NotCheckedError(self.reason)

    def check(self, inputs: Mapping[str, Any], settings: Settings) -> Checked:
        """Raise NotCheckedError."""
        raise NotCheckedError(self.reason)


def find(namespace: Names, own: Collection[str]) -> list[Found]:
    """Return what there is to check, in the order of the names; ``own`` are those that the file or cell defines."""
    found = [*_pairs(namespace, own), *_functions(namespace, own), *_with_two_directions(namespace, own)]
    order = {name: i for i, name in enumerate(namespace)}
    return sorted(found, key=lambda one: min(order[name] for name in one.members))


def own_names(namespace: Names, module: str) -> list[str]:
    """Return the names of what a module defines itself, and of its objects with two directions."""
    return [
        name
        for name, value in namespace.items()
        if getattr(value, "__module__", None) == module or (not isinstance(value, type) and _has_two_directions(value))
    ]


# -------------------------------------------------------------------------------------------------- pairs of functions


def _pairs(namespace: Names, own: Collection[str]) -> Iterator[Found]:
    functions = {name: value for name, value in namespace.items() if _is_function(value)}
    for name, backward in functions.items():
        candidates = _forwards_of(name)
        forward = next((one for one in candidates if one in functions), None)
        if forward is None:
            if name in own and _is_called_backward(name):
                expected = " or ".join(candidates)
                yield Unchecked(name, name, f"there is no function {expected}", source_of(backward))
        elif {name, forward} & set(own):
            stem = name.removeprefix("backward_").removesuffix("_backward")
            shown = "forward" if name == "backward" else stem if _is_called_backward(name) else forward
            yield Pair(shown, functions[forward], backward, (forward, name), namespace)


def _forwards_of(name: str) -> tuple[str, ...]:
    """Return what the forward of a function may be called, the likeliest first."""
    if name == "backward":
        return ("forward",)
    if stem := name.removesuffix("_backward") if name.endswith("_backward") else "":
        return (f"{stem}_forward", stem)
    if name.startswith("backward_"):
        return (f"forward_{name.removeprefix('backward_')}",)
    if name.startswith("d_"):
        return (name.removeprefix("d_"),)
    for suffix in SLOPES:
        if name.endswith(suffix):
            return (name.removesuffix(suffix),)
    return (name.removeprefix("d"),) if name.startswith("d") and len(name) > 1 else ()


def _is_called_backward(name: str) -> bool:
    return name == "backward" or name.startswith("backward_") or name.endswith("_backward")


def _is_function(value: Any) -> bool:
    return callable(value) and not isinstance(value, type) and not _has_two_directions(value)


# -------------------------------------------------------------------------------- Functions, layers and other classes


def _functions(namespace: Names, own: Collection[str]) -> Iterator[Found]:
    for name in own:
        value = namespace[name]
        if isinstance(value, type) and issubclass(value, torch.autograd.Function):
            base = torch.autograd.Function
            if value.backward is base.backward and value.vjp is base.vjp:
                if value.forward is not base.forward:  # else others inherit from it
                    yield Unchecked(name, f"torch.autograd.Function {name}", "it has no backward", "")
            else:
                yield AutogradFunction(name, value, namespace)


def _with_two_directions(namespace: Names, own: Collection[str]) -> Iterator[Found]:
    """Yield objects with forward and backward, and the classes of which there is no object."""
    values = {name: namespace[name] for name in own if _has_two_directions(namespace[name])}
    made = {type(value) for value in values.values() if not isinstance(value, type)}
    for name, value in values.items():
        is_class = isinstance(value, type)
        if is_class and (value in made or _is_abstract(value)):
            continue
        yield LayerOfFile(name, value, namespace)


def _is_abstract(kind: type) -> bool:
    """Tell whether a class is there for others to inherit from: one direction only raises, or does nothing."""
    if inspect.isabstract(kind) or getattr(kind, "_is_protocol", False):
        return True
    codes = [getattr(getattr(kind, name), "__code__", None) for name in ("forward", "backward")]
    return any(code is not None and (code.co_names == ("NotImplementedError",) or _is_empty(code)) for code in codes)


def _is_empty(code: CodeType) -> bool:
    """Tell whether a function does nothing, as one with ``pass``."""
    return code.co_code == _nothing.__code__.co_code and code.co_consts[-1] is None


def _nothing() -> None:
    pass


def _has_two_directions(value: Any) -> bool:
    """Tell whether a class or object, and no Function, has forward and backward."""
    kind = value if isinstance(value, type) else type(value)
    if kind.__module__ == "builtins" or issubclass(kind, torch.autograd.Function) or inspect.ismodule(value):
        return False
    return all(callable(getattr(kind, name, None)) for name in ("forward", "backward"))
