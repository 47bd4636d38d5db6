"""An object that keeps its input, parameters and gradients on itself, as two functions without state."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from manual_bp.layer import described
from torch_ref.followed.array import Followed
from torch_ref.numbers.containers import leaves_of, mapped, parts_of
from torch_ref.steps.attributes import at_path, put_at_path

Method = str | Callable[..., Any]

Arrays = (Tensor, np.ndarray, Followed)

RATE = 2.0**20
"""The learning rate with which an object updates itself: W − ηg is almost −ηg, and g is exact to the last digit."""

RATE_IN_HALF = 2.0**3
"""The same in half precision, whose largest number is small."""


RATES = (["lr"], ["learning_rate"], ["learn_rate"], ["eta"], ["alpha"], ["rate"])
"""The names of a last argument that is one, also of a layer that has nothing to update."""


class Functions(NamedTuple):
    """What ``check_function`` takes."""

    forward: Callable[..., Any]
    backward: Callable[..., Any]
    inputs: dict[str, Any]
    """By name: the arguments of forward, and the parameters."""


def functions_of(
    layer: Any,
    inputs: Any,
    gradients: Mapping[str, str] | None = None,
    *,
    updated: Sequence[str] = (),
    returned: Sequence[str] = (),
    forward: Method = "forward",
    backward: Method = "backward",
    rate: str | None = None,
) -> Functions:
    """Return an object's forward and backward as functions of its inputs and parameters, for ``check_function``.

        check_function(*functions_of(layer, x, {"W": "dW", "b": "db"}))

    ``inputs`` are what forward takes: a sequence in order, or one array or tensor. A parameter is an attribute: an
    array or tensor, a list or a dict of them; it may lie deeper, 'layers.0.W'. Each is named once, according to where
    its gradient is:

    - ``gradients``: in an attribute after backward, {"W": "dW"}.
    - ``returned``: among what backward returns, in this order. Otherwise backward returns those of the inputs.
    - ``updated``: nowhere, since backward updates the parameter at once, by a learning rate that is its last argument
      (one called lr, learning_rate, eta, ... is given in any case), or that lies in the attribute ``rate``. It is
      called with the rate 2^20 (in half precision 2^3), and the gradient is (before − after) / rate. This is exact but
      for one rounding of the gradient, and 2^-20 of one of the parameter.

    ``forward`` and ``backward`` are names of methods, or functions (object, *inputs) and (object, gradient of the
    output, *inputs). A method backward is called with the inputs where its arguments have the names of forward's, else
    with the gradient of the output, or without where it takes none. One that does not take the gradient of the output
    is that of a loss. Everything is called on copies of the object, which stays as it is.

    Raises TypeError where the object has no such attribute or method, or a parameter holds no array and no tensor.
    """
    given = [inputs] if isinstance(inputs, Tensor | np.ndarray) else [*inputs]
    names = (*(gradients or {}), *updated, *returned)
    _check(layer, names, (forward, backward), rate)
    adapted = Object(layer, len(given), gradients or {}, tuple(updated), tuple(returned), forward, backward, rate)
    arguments = dict(zip(adapted.input_names, given, strict=True)) | {name: at_path(layer, name) for name in names}
    return Functions(
        _like(_method(layer, forward), lambda **named: adapted.run([*named.values()])),
        _like(_method(layer, backward), lambda d, **named: adapted.back(d, named)),
        arguments,
    )


@dataclass(frozen=True)
class Object:
    """An object, and where its parameters and their gradients are."""

    layer: Any
    count: int
    """How many inputs forward takes."""
    gradients: Mapping[str, str]
    updated: tuple[str, ...]
    returned: tuple[str, ...]
    forward: Method
    backward: Method
    rate: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the parameters in order."""
        return (*self.gradients, *self.updated, *self.returned)

    @property
    def input_names(self) -> list[str]:
        """Return the names that forward gives its inputs."""
        found = _arguments(_method(self.layer, self.forward))
        return [found[i] if i < len(found) else f"input {i}" for i in range(self.count)]

    def at(self, parameters: Sequence[Any]) -> Any:
        """Return a copy of the object with copies of these parameters, wherever it holds them."""
        memo: dict[int, Any] = {}
        for name, value in zip(self.names, parameters, strict=True):
            for (_, held), (_, leaf) in zip(leaves_of(at_path(self.layer, name)), leaves_of(value), strict=True):
                memo |= {id(held): _copied(leaf)} if isinstance(held, Arrays) else {}
        return copy.deepcopy(self.layer, memo)

    def run(self, arguments: Sequence[Any]) -> Any:
        """Return what forward gives for inputs and parameters."""
        return _method(self.at(arguments[self.count :]), self.forward)(*arguments[: self.count])

    def back(self, d_output: Any, named: Mapping[str, Any]) -> dict[str, Any]:
        """Return the gradients of inputs and parameters by name, after a forward of the same object."""
        inputs = [*named.values()][: self.count]
        other, rate = self.at([named[name] for name in self.names]), _rate_for(named)
        if self.rate:
            put_at_path(other, self.rate, rate)
        _method(other, self.forward)(*inputs)
        found = self._called(other, d_output, inputs, rate)
        scale = d_output if self._ignores_upstream(other) and np.ndim(d_output) == 0 else None
        gradients = {name: at_path(other, there) for name, there in self.gradients.items()}
        gradients |= {name: _recovered(named[name], at_path(other, name), rate) for name in self.updated}
        gradients |= dict(zip(self.returned, _in_order(found, len(self.returned)), strict=True))
        of_inputs = [None] * self.count if self.returned else _in_order(found, self.count)
        gradients |= dict(zip(named, of_inputs, strict=False))
        return {name: _scaled(value, scale) for name, value in gradients.items()}

    def _last(self, other: Any) -> int:
        """Return how many arguments of backward stand for the learning rate."""
        is_asked = bool(self.updated) or _arguments(_method(other, self.backward))[-1:] in RATES
        return int(is_asked and not self.rate)

    def _takes_inputs(self, other: Any) -> bool:
        names = _arguments(_method(other, self.backward))
        return bool(names) and names[: self.count] == self.input_names

    def _ignores_upstream(self, other: Any) -> bool:
        """Tell whether backward is that of a loss, which takes no gradient of the output."""
        if not isinstance(self.backward, str):
            return False
        return self._takes_inputs(other) or len(_arguments(_method(other, self.backward))) <= self._last(other)

    def _called(self, other: Any, d_output: Any, inputs: Sequence[Any], rate: float) -> Any:
        """Return what backward gives for the arguments that it takes."""
        method, last = _method(other, self.backward), (rate,) * self._last(other)
        if not isinstance(self.backward, str):
            return method(d_output, *inputs, *last)
        if self._takes_inputs(other):
            return method(*inputs, *last)
        return method(*last) if self._ignores_upstream(other) else method(d_output, *last)


def _check(layer: Any, names: Sequence[str], methods: Sequence[Method], rate: str | None) -> None:
    """Raise TypeError where an object has no such parameter or method."""
    kind = layer.__name__ if isinstance(layer, type) else type(layer).__name__
    if isinstance(layer, type):
        raise TypeError(f"functions_of expects an object, got the class {kind}: make one, {kind}(...)")
    for name in (*names, *([rate] if rate else []), *(m for m in methods if isinstance(m, str))):
        try:
            value = at_path(layer, name)
        except (AttributeError, LookupError, ValueError) as error:
            raise TypeError(f"functions_of expects {kind} to have {name!r}, got none: {error}") from error
        if name in names and not any(isinstance(leaf, Arrays) for _, leaf in leaves_of(value)):
            got = described(value)
            raise TypeError(f"functions_of expects {name!r} of {kind} to hold arrays or tensors, got {got}")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TypeError(f"functions_of expects each parameter once, got {', '.join(twice)} twice")


# ------------------------------------------------------------------------------ numbers


def _copied(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value.copy()


def _recovered(before: Any, after: Any, rate: float) -> Any:
    """Return the gradient of a parameter that was updated: of the array, or of each in a container."""
    if parts_of(before) is None:
        return (before - after) / rate
    found = dict(leaves_of(after))
    return mapped(before, lambda path, t: (t - found[path]) / rate, kind=Arrays)


def _scaled(value: Any, scale: Any) -> Any:
    """Return the gradient of a loss that counts so many times."""
    if scale is None:
        return value
    return mapped(value, lambda _, t: scale * t, kind=(*Arrays, np.generic, float))


def _rate_for(values: Any) -> float:
    dtypes = {str(leaf.dtype).removeprefix("torch.") for _, leaf in leaves_of(values) if isinstance(leaf, Arrays)}
    return RATE_IN_HALF if dtypes & {"float16", "bfloat16"} else RATE


# ------------------------------------------------------------------------------ methods


def _method(layer: Any, method: Method) -> Callable[..., Any]:
    if isinstance(method, str):
        found: Callable[..., Any] = at_path(layer, method)
        return found
    return partial(method, layer)


def _arguments(method: Callable[..., Any]) -> list[str]:
    """Return the names of the arguments that a method takes in order."""
    parameters = inspect.signature(method).parameters.values()
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _in_order(found: Any, count: int) -> list[Any]:
    """Return what was returned for so many things, None where that is nothing."""
    parts = [*found] if count != 1 and isinstance(found, tuple | list) else [found]
    return (parts + [None] * count)[:count]


def _like(method: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function with the name and the place in its file of the method that it calls."""
    signature = inspect.signature(function)
    function.__name__ = getattr(method, "__name__", "function")
    function.__wrapped__ = method  # type: ignore[attr-defined]
    function.__signature__ = signature  # type: ignore[attr-defined]
    return function
