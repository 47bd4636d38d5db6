"""How a backward gets its arguments: by name from what forward was given, had and returned; or in the usual order."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manual_bp.layer import described
from torch_ref.lines.names import RATE
from torch_ref.lines.places import is_value, values_in
from torch_ref.lines.upstream import (
    CACHE,
    OUTPUT,
    count_of_arrays,
    count_of_outputs,
    parameters_of,
    shared_out,
    upstream_of,
)


@dataclass(frozen=True)
class Result:
    """What forward returned, read."""

    outputs: dict[str, Any]
    """Those that have an upstream gradient, by the names that they had in forward."""
    cache: Any = None
    """What is kept for backward; None where nothing is."""
    rest: Sequence[Any] = ()
    """What else was returned, part by part."""

    @classmethod
    def of(cls, returned: Any, variables: Mapping[str, Any], backward: Callable[..., Any] | None) -> Result:
        """Read what forward returned: an output, several, or outputs with a cache.

        Raises TypeError where there is no output.
        """
        if isinstance(returned, Mapping):
            name = next((name for name in OUTPUT if is_value(returned.get(name))), None)
            if name is not None:
                return cls({name: returned[name]}, returned)
        parts = list(returned) if isinstance(returned, tuple | list) else [returned]
        parts = _loss_first(parts)
        if not parts or not is_value(parts[0]):
            raise TypeError(
                "check_lines expects a forward that returns its output (a tensor, an array or a loss), or a tuple that "
                f"begins with it, got {described(returned)}"
            )
        called = [_name_of(part, variables) for part in parts]
        count = _count(parts[: count_of_outputs(parts, called)], variables, backward)
        rest = parts[count:]
        cache = None if not rest else rest[0] if len(rest) == 1 else tuple(rest)
        names = [name or ("output" if count == 1 else f"output {i}") for i, name in enumerate(called[:count])]
        return cls(dict(zip(names, parts[:count], strict=True)), cache, rest)


def _count(parts: Sequence[Any], known: Mapping[str, Any], backward: Callable[..., Any] | None) -> int:
    """Return how many of the parts are outputs: as many as backward asks for gradients."""
    if backward is None:
        return 1
    asked = upstream_of(parameters_of(backward), known, len(parts), count_of_arrays(parts))
    return min(len(parts), max(1, len(asked)))


def _loss_first(parts: list[Any]) -> list[Any]:
    """Return what was returned with the loss at its beginning, where it is the only value among other things."""
    values = [i for i, part in enumerate(parts) if is_value(part)]
    if len(values) != 1 or math.prod(np.shape(parts[values[0]])) != 1:
        return parts
    return [parts[values[0]], *parts[: values[0]], *parts[values[0] + 1 :]]


def _name_of(value: Any, variables: Mapping[str, Any]) -> str:
    return next((name for name, other in variables.items() if other is value), "")


@dataclass(frozen=True)
class Filling:
    """What a backward can be given."""

    inputs: Mapping[str, Any]
    variables: Mapping[str, Any]
    """Those of forward, at its end."""
    result: Result
    upstream: Sequence[Any]
    """The gradient of each output."""

    def arguments(self, backward: Callable[..., Any]) -> dict[str, Any]:
        """Return the arguments of backward, by name.

        Raises TypeError where one cannot be filled.
        """
        parameters = parameters_of(backward)
        found = self._by_name(parameters)
        missing = [p for p in parameters if p.name not in found and p.default is p.empty]
        if missing:
            rest = self._left_over(missing, found)
            found |= rest if found and rest else self._in_order(parameters) or rest
        missing = [p for p in parameters if p.name not in found and p.default is p.empty]
        if missing:
            raise TypeError(self._what_is_missing(backward, [p.name for p in missing]))
        return found

    def _by_name(self, parameters: Sequence[inspect.Parameter]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        known = {**self.variables, **self.inputs}
        outputs = [*self.result.outputs.values()]
        found |= self._of_outputs(upstream_of(parameters, known, len(outputs), len(outputs)))
        for p in parameters:
            if p.name in found:
                continue
            is_part = p.name in known and any(part is known[p.name] for part in self.result.rest)
            is_cache = CACHE.fullmatch(p.name) and self.result.cache is not None and p.name not in self.inputs
            if is_cache and not is_part:  # before a variable of that name, which may lie in it
                found[p.name] = self.result.cache
            elif p.name in known:
                found[p.name] = known[p.name]
            elif p.name in self.result.outputs:
                found[p.name] = self.result.outputs[p.name]
            elif p.default is p.empty and RATE.fullmatch(p.name):
                found[p.name] = 1.0
        return found

    def _of_outputs(self, names: Sequence[str]) -> dict[str, Any]:
        """Return the upstream gradients: by the outputs' names, else in order."""
        return {name: self.upstream[n] for name, n in shared_out(names, list(self.result.outputs)).items()}

    def _in_order(self, parameters: Sequence[inspect.Parameter]) -> dict[str, Any]:
        """Return the arguments as those of a pair of functions: the gradients of the outputs, then forward's inputs."""
        usual = [*self.upstream, *self.inputs.values()]
        for values in (usual, [*self.inputs.values()]):
            alone = len(self.upstream) == 1 and getattr(self.upstream[0], "ndim", 0) == 0
            if (values is usual or alone) and len(parameters) == len(values):
                return {p.name: value for p, value in zip(parameters, values, strict=True)}
        return {}

    def _left_over(self, missing: Sequence[inspect.Parameter], found: Mapping[str, Any]) -> dict[str, Any]:
        """Return the cache for the only parameter that is left over; the upstream gradient where it is the first.

        A loss needs no upstream gradient: there one parameter is the cache, too.
        """
        has_upstream = any(value is d for value in found.values() for d in self.upstream)
        is_loss = all(np.ndim(d) == 0 for d in self.upstream)
        rest: dict[str, Any] = {}
        left = [p.name for p in missing]
        if self.result.cache is not None and len(left) in ({1} if has_upstream else {1, 2} if is_loss else {2}):
            rest[left.pop()] = self.result.cache
        if not has_upstream and len(left) == len(self.upstream):
            rest |= dict(zip(left, self.upstream, strict=True))
        return rest

    def _what_is_missing(self, backward: Callable[..., Any], names: Sequence[str]) -> str:
        there = [
            *dict.fromkeys(
                [*self.inputs, *(name for name, v in self.variables.items() if _is_shown(v)), "the upstream gradient"]
            )
        ]
        if self.result.cache is not None:
            there.append("the cache that forward returned")
        name = getattr(backward, "__name__", "backward")
        return (
            f"check_lines expects a {name} whose arguments can be found by name, but nothing is called "
            f"{' or '.join(names)}. There are {', '.join(there)}. Name the parameter after one of them, give it a "
            f"default, or give a backward without parameters that calls yours"
        )


def _is_shown(value: Any) -> bool:
    return any(True for _ in values_in(value, ""))
