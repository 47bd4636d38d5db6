"""The check of an object that keeps what backward reads, and its gradients, on itself.

Where the gradients are is found by running it once, on a copy: in attributes whose names say so (dW, grads), among what
backward returns, or in what backward subtracts from the parameters.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torch_ref.files.found import NotCheckedError
from torch_ref.files.held import arrays_of, gradients_by_name, is_floating, same
from torch_ref.files.inputs import Wanted, copied
from torch_ref.steps.attributes import at_path, put_at_path
from torch_ref.steps.guarded import as_it_was
from torch_ref.steps.objects import Functions, functions_of

RATES = ("lr", "learning_rate", "eta", "alpha", "rate", "step_size", "learn_rate")
"""How people call the learning rate."""

RETURNED = "returned_gradients"
"""The attribute of a copy in which those that backward returned are kept."""


class Saving:
    """A layer whose forward gives (y, saved) for backward(d_y, saved), as one that keeps on itself what it saved."""

    def __init__(self, layer: Any) -> None:
        """Take the layer."""
        self.layer = layer

    def forward(self, x: Any) -> Any:
        """Return y."""
        y, self.saved = self.layer.forward(x)
        return y

    def backward(self, d_y: Any) -> Any:
        """Return what backward gives for the gradient of y."""
        return self.layer.backward(d_y, self.saved)


@dataclass(frozen=True)
class Keeping:
    """An object, and the inputs of its forward by name."""

    layer: Any
    inputs: Mapping[str, Any]

    def functions(self) -> Functions:
        """Return it as two functions; raise NotCheckedError where it is not seen how it is called."""
        given = [*self.inputs.values()]
        if self._returned is not None:
            found = functions_of(self.layer, given, self.gradients, backward=self._keeping_what_it_returns)
        else:
            rate = self._rate_inside if self.updated and not self._takes_rate else None
            found = functions_of(self.layer, given, self.gradients, updated=self.updated, rate=rate)
        owner = self.layer.layer if isinstance(self.layer, Saving) else self.layer
        for function, method in ((found.forward, owner.forward), (found.backward, owner.backward)):
            function.__wrapped__ = method  # type: ignore[attr-defined]  # where a report says that it stands
            function.__name__ = method.__name__
        return found

    @cached_property
    def gradients(self) -> dict[str, str]:
        """Return the path of the gradient of each parameter."""
        return gradients_by_name(self._before, self._after[1]) if self._returned is None else self._returned

    @cached_property
    def updated(self) -> tuple[str, ...]:
        """Return the parameters that backward itself changes, and whose gradients lie nowhere."""
        known = {*self.gradients, *self.gradients.values()}
        changed = (path for path, array in self._after[0].items() if not same(array, self._after[1].get(path, array)))
        return tuple(path for path in changed if path in self._before and path not in known and self._matters(path))

    @property
    def left_out(self) -> list[str]:
        """Return the parameters whose gradients are not seen; a name that begins with _ is none's."""
        known = {*self.gradients, *self.gradients.values(), *self.updated}
        named = (path for path in self._before if path not in known and not path.split(".")[-1].startswith("_"))
        return [path for path in named if self._matters(path)]

    # ---------------------------------------------------------------------------------------------------- one run

    @cached_property
    def _before(self) -> dict[str, Any]:
        """Return the arrays that it holds as it is."""
        return arrays_of(self.layer)

    @cached_property
    def _run(self) -> tuple[dict[str, Any], dict[str, Any], Any]:
        """Return the arrays of a copy after its forward and after its backward, and what backward gives."""
        other = copy.deepcopy(self.layer)
        with as_it_was(), torch.no_grad():
            y = other.forward(*copied(self.inputs).values())
            between = {path: copied({"": array})[""] for path, array in arrays_of(other).items()}
            found = other.backward(*self._arguments(y))
        return between, arrays_of(other), found

    @property
    def _after(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._run[:2]

    def _arguments(self, y: Any) -> list[Any]:
        """Return what backward is called with: as ``functions_of`` does it."""
        takes = [name for name in self._takes if name not in RATES]
        rate = [0.5] * self._takes_rate
        if [*self.inputs] == takes[: len(self.inputs)]:
            return [*copied(self.inputs).values(), *rate]
        if len(takes) > 1:
            raise NotCheckedError(
                f"its backward takes {', '.join(takes)}: expected the gradient of the output, then a learning rate or "
                "nothing"
            )
        d_output = torch.ones_like(y) if isinstance(y, Tensor) else np.ones_like(y)
        return [*[d_output][: len(takes)], *rate]

    @property
    def _takes(self) -> list[str]:
        wanted = Wanted.by(self.layer.backward)
        return [name for name in wanted.names if name in wanted.needed or name in RATES]

    @property
    def _takes_rate(self) -> bool:
        return bool({*self._takes} & {*RATES})

    @property
    def _rate_inside(self) -> str | None:
        return next((name for name in RATES if isinstance(getattr(self.layer, name, None), float | int)), None)

    def _matters(self, path: str) -> bool:
        """Tell whether forward reads an array."""
        other = copy.deepcopy(self.layer)
        with as_it_was(), torch.no_grad():
            first = other.forward(*copied(self.inputs).values())
            other = copy.deepcopy(self.layer)
            put_at_path(other, path, at_path(other, path) + 1)
            second = other.forward(*copied(self.inputs).values())
        return not same(first, second)

    # ----------------------------------------------------------------------------------------- what backward returns

    @cached_property
    def _returned(self) -> dict[str, str] | None:
        """Return the parameters whose gradients backward returns after those of the inputs; None where it does not."""
        found = self._run[2]
        if not isinstance(found, tuple | list) or len(found) <= len(self.inputs):
            return None
        more = found[len(self.inputs) :]
        if len(more) == 1 and isinstance(more[0], Mapping):
            ends = {path: path.split(".")[-1] for path in self._before}
            named = ((path, key) for path, end in ends.items() for key in (end, f"d{end}") if key in more[0])
            return {path: f"{RETURNED}.0.{key}" for path, key in named}
        matter = [path for path in self._before if self._matters(path)]
        shapes = [self._before[path].shape for path in matter]
        if not all(map(is_floating, more)) or [d.shape for d in more] != shapes:
            expected = ", ".join([*self.inputs, *matter])
            raise NotCheckedError(f"its backward gives {len(found)} things: expected the gradients of {expected}")
        return {path: f"{RETURNED}.{i}" for i, path in enumerate(matter)}

    @property
    def _keeping_what_it_returns(self) -> Callable[..., Any]:
        count = len(self.inputs)

        def backward(layer: Any, d_output: Any, *_: Any) -> Any:
            found = layer.backward(d_output)
            vars(layer)[RETURNED] = [*found[count:]]
            return found[0] if count == 1 else found[:count]

        return backward
