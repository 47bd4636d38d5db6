"""A backward as somebody declares it, called as ``check_function`` calls one: gradients of the outputs, then inputs.

Which argument is which is read from the names: those of forward's arguments are its inputs, those that look like a
gradient (d_y, dout, grad_output, upstream) are the upstream gradients, and what is left are forward's outputs.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from itertools import islice, permutations
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from torch_ref.steps.arguments import Missing

UPSTREAM = re.compile(
    r"^(d|g|d_.*|g_.*|d[A-Z].*|d(y|z|o|h|l|out|output|outputs|loss|scores|logits)\d*|.*grad.*|upstream.*|delta.*)$"
)
"""How people call the gradient of an output."""

OUTPUT = re.compile(r"^(y|a|s|p|h|probs?|.*out|out.*|y_.*|act.*|softmax|sigmoid|tanh)\d*$", re.IGNORECASE)
"""How people call an output."""

MOST = 3
"""Inputs of other names than forward's that are tried in every order."""


class Other(NamedTuple):
    """Another way to call a backward, where its names do not say which argument is which."""

    backward: Callable[..., Any]
    said: str
    """Which argument is what: 'probs is the output'."""


@dataclass(frozen=True)
class Arranged:
    """A backward that takes the gradients of the outputs, then all inputs; or a slope, which takes no gradients."""

    backward: Callable[..., Any]
    is_slope: bool = False
    others: tuple[Other, ...] = ()
    """To be tried where the first is wrong."""


def arguments_of(function: Callable[..., Any], names: Sequence[str] = ()) -> list[str] | None:
    """Return the names of what has to be given, and of these; None where a function does not say it.

    A name that differs from one of these in capitals alone is that one: X is x.
    """
    try:
        parameters = [*inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        return None
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.KEYWORD_ONLY) for p in parameters):
        return None
    theirs = [p.name for p in parameters]
    same = {name.lower(): name for name in names if name not in theirs}
    known = [name if name in names else same.get(name.lower(), name) for name in theirs]
    if len({*known}) < len(known):
        known = theirs
    return [name for name, p in zip(known, parameters, strict=True) if p.default is p.empty or name in names]


def arranged(
    forward: Callable[..., Any], backward: Callable[..., Any], names: Sequence[str], outputs: int, *, is_loss: bool
) -> Arranged | None:
    """Return how a backward is called; None where its arguments do not say it.

    ``names`` are those of the inputs that are given, ``outputs`` is how many outputs forward has. The backward of a
    loss may give the gradient of its first input alone: a target has none.
    """
    call = _Calls(forward, backward, tuple(names), is_loss)
    theirs = arguments_of(backward, names)
    if theirs is None or theirs[outputs:] == [*names]:
        return Arranged(call.in_order())
    more = [name for name in theirs if name not in names]
    upstream = [name for name in more if is_upstream(name, more)]
    if not more:
        return Arranged(call.by_name(theirs), is_slope=True)
    if not {*theirs} & {*names} and len(names) == outputs == 1 and len(upstream) == len(theirs) - 1 <= 1:
        return call.of_input_or_output(theirs, upstream)
    if len(upstream) == outputs and len(more) in (outputs, 2 * outputs):
        return Arranged(call.by_name(theirs, upstream, [name for name in more if name not in upstream]))
    if len(more) == outputs and len(theirs) > outputs:
        return Arranged(call.by_name(theirs, more))
    if len(theirs) == outputs + len(names):
        return Arranged(call.in_order(), others=tuple(call.others(theirs, outputs)))
    return None


def is_upstream(name: str, others: Sequence[str]) -> bool:
    """Tell whether an argument looks like the gradient of an output: by its name, or beside what it is of, dp and p."""
    return bool(UPSTREAM.match(name)) or any(name in (f"d{other}", f"d_{other}") for other in others)


@dataclass(frozen=True)
class _Calls:
    """The ways to call a backward with gradients of the outputs, then the inputs."""

    forward: Callable[..., Any]
    backward: Callable[..., Any]
    names: tuple[str, ...]
    is_loss: bool

    def in_order(self) -> Callable[..., Any]:
        """Return backward as it is."""

        @wraps(self.backward)
        def called(*given: Any) -> Any:
            return self._in_order(self.backward(*given))

        return called

    def by_name(
        self, theirs: Sequence[str], upstream: Sequence[str] = (), made: Sequence[str] = ()
    ) -> Callable[..., Any]:
        """Return a backward of ``upstream``, then the inputs, that hands on ``theirs`` in their order.

        ``made`` are forward's outputs, computed anew.
        """

        @wraps(self.backward)
        def called(*given: Any) -> Any:
            known = dict(zip([*upstream, *self.names], given, strict=True))
            if made:
                outputs = self.forward(*given[len(upstream) :])
                known |= dict(zip(made, outputs if isinstance(outputs, tuple | list) else (outputs,), strict=True))
            return self._in_order(self.backward(*(known[name] for name in theirs)))

        # inspect.signature would give that of backward, and its order
        kinds = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in (*upstream, *self.names)]
        called.__signature__ = inspect.Signature(kinds)  # type: ignore[attr-defined]
        return called

    def of_input_or_output(self, theirs: Sequence[str], upstream: Sequence[str]) -> Arranged:
        """Return a backward of forward's only input or output, whatever that is called; or a slope of it."""
        (name,) = (name for name in theirs if name not in upstream)
        of_input = [self.names[0] if name not in upstream else name for name in theirs]
        ways = [
            Other(self.by_name(of_input, upstream), f"{name} is the input"),
            Other(self.by_name(theirs, upstream, [name]), f"{name} is the output"),
        ]
        first, second = reversed(ways) if OUTPUT.match(name) else ways
        return Arranged(first.backward, not upstream, (second,))

    def others(self, theirs: Sequence[str], outputs: int) -> Iterator[Other]:
        """Yield the other ways, where arguments of other names than the inputs stand where these are expected."""
        upstream, after = theirs[:outputs], theirs[outputs:]
        unknown = [name for name in after if name not in self.names]
        free = [name for name in self.names if name not in theirs]
        if any(name in self.names for name in upstream) or len(unknown) != len(free):
            return
        if len(free) <= MOST:
            for order in islice(permutations(free), 1, None):
                meant = dict(zip(unknown, order, strict=True))
                said = ", ".join(f"{theirs} is {mine}" for theirs, mine in meant.items())
                yield Other(self.by_name([meant.get(name, name) for name in theirs], upstream), said)

    def _in_order(self, returned: Any) -> Any:
        """Return gradients in order that came by name, and the one gradient of a loss with None for its target."""
        if isinstance(returned, Mapping) and returned:
            by_name = {self._input_of(key): value for key, value in returned.items()}
            return returned if None in by_name else tuple(by_name.get(name, Missing) for name in self.names)
        one = self.is_loss and isinstance(returned, Tensor | np.ndarray)
        return (returned, *(None,) * (len(self.names) - 1)) if one else returned

    def _input_of(self, key: Any) -> str | None:
        """Return the input whose gradient has a name: x, dx, d_x, grad_x or x_grad."""
        forms = ("{}", "d{}", "d_{}", "grad_{}", "{}_grad")
        return next((name for name in self.names if key in [form.format(name) for form in forms]), None)
