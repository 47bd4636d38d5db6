"""Planted faults: mistakes that people make in a backward pass, each a small change of one formula.

    planted = FAULTS["linear-error-transposed"].plant(network, l=2)     # a copy with one wrong formula
    crosscheck(planted, x, t).verdict                                   # has to name it

A fault names the formula that it spoils, by the type that owns it and by what it makes, and the code of the cause that
the checker has to find. Its wrong formula is written by itself: a cause that knew it would find it in any case.
``python -m torch_ref faults`` tries them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from manual_bp import Layer, Loss, Network
from manual_bp.loss import checked_targets

Wrong = Callable[..., Tensor]


@dataclass(frozen=True)
class Fault:
    """One wrong formula: of a type of layer or loss, what it makes (forward, error, output, a parameter), and how."""

    name: str
    of: type
    makes: str
    code: str
    """Of the cause that the checker has to find."""
    cause: str
    """How that cause's sentence begins."""
    wrong: Wrong
    """A layer's: (layer, x) to y; (layer, error, x, y) to an error or a gradient. A loss's: (loss, x, None) to y;
    (loss, x, t) to L or the error."""

    @property
    def is_of_loss(self) -> bool:
        """Tell whether it spoils a loss, which has no layer."""
        return issubclass(self.of, Loss)

    def plant(self, network: Network, l: int) -> Network:
        """Return a copy of the network with the fault in its layer l = 1 ... L, or in its loss.

        Raises ValueError where the layer has no formula of that type.
        """
        if self.is_of_loss:
            if not isinstance(network.loss_function, self.of):
                got = type(network.loss_function).__name__
                raise ValueError(f"{self.name} expects the loss {self.of.__name__}, got {got}")
            return Network(network.layers, _with_fault(network.loss_function, self, FaultyLoss))
        layers = list(network.layers)
        layers[self._position(network, l)] = self.spoiled(layers[self._position(network, l)])
        return Network(tuple(layers), network.loss_function)

    def spoiled(self, layer: Layer) -> Any:
        """Return a copy of one layer with the fault in it."""
        return _with_fault(layer, self, FaultyParametrised if hasattr(layer, "gradients") else FaultyLayer)

    def quantity(self, network: Network, l: int) -> str:
        """Return the name of the one quantity that the checker has to find guilty."""
        names = network.names
        if self.is_of_loss:
            return {"output": "y", "forward": "L", "error": names.errors[-1]}[self.makes]
        position = self._position(network, l)
        found = {"forward": names.values[position + 1], "error": names.errors[position]}
        return (found | names.of_layer(position))[self.makes]

    def _position(self, network: Network, l: int) -> int:
        """Return where the layer of that type stands in the lecture's layer l; raise where there is none."""
        ends = [*network.net_positions[1:], len(network.layers)]
        for position in range(network.net_positions[l - 1], ends[l - 1]):
            if isinstance(network.layers[position], self.of):
                return position
        got = [type(layer).__name__ for layer in network.layers]
        raise ValueError(f"{self.name} expects a {self.of.__name__} in layer {l}, got {got}")


FAULTS: dict[str, Fault] = {}
"""Every fault that is known, by name: ``registry.register`` adds them."""


def planted(of: type, makes: str, prefix: str, *rows: tuple[str, str, str, Wrong]) -> Iterator[Fault]:
    """Yield the faults of one formula: each has a name, a code, the beginning of its cause, and a wrong formula."""
    for name, code, cause, wrong in rows:
        yield Fault(f"{prefix}-{name}", of, makes, code, cause, wrong)


# ------------------------------------------------------------------------------------------------- the faulty types


def _with_fault(owner: Any, fault: Fault, mixed_in: type[Faulty]) -> Any:
    """Return a copy of a layer or loss, of a type below its own and called as it is, with one wrong formula.

    The name is that of the right type, since it names what lies between the lecture's quantities ("MaxPool2d 1").
    """
    members = {"_fault": fault, "_kind": type(owner), "__module__": __name__}
    bases = (type(owner),) if isinstance(owner, Faulty) else (mixed_in, type(owner))
    made: type = type(type(owner).__name__, bases, members)
    return _as(made, owner)


def _as(kind: type, owner: Any) -> Any:
    made: Any = object.__new__(kind)
    made.__dict__.update(owner.__dict__)
    return made


class Faulty:
    """A layer or loss with one wrong formula."""

    _fault: Fault
    _kind: type

    @property
    def _right(self) -> Any:
        """Return the same without the fault."""
        return _as(self._kind, self)

    def _wrong(self, makes: str) -> Wrong | None:
        """Return the wrong formula where this is the one."""
        return self._fault.wrong if self._fault.makes == makes else None


class FaultyLayer(Faulty):
    """A layer with one wrong formula."""

    def forward(self, x: Tensor, out: Any = None) -> tuple[Tensor, Any]:
        """Return y, unless that is the fault; what the right backward reads is saved beside x and y."""
        y, saved = self._right.forward(x)
        if wrong := self._wrong("forward"):
            spoiled = wrong(self, x)
            y, saved = spoiled, _in_place_of(y, spoiled, saved)
        return y, (saved, x, y)

    def backward(self, error: Tensor, saved: Any, out: Any = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the error of x and the gradients, unless one of them is the fault."""
        right_error, d = self._right.backward(error, saved[0])
        wrong = self._wrong("error")
        error_of_x = wrong(self, error, *saved[1:]) if wrong else right_error
        return error_of_x, self._spoiled(d, error, saved)

    def _spoiled(self, d: dict[str, Tensor], error: Tensor, saved: Any) -> dict[str, Tensor]:
        """Return the gradients, with the wrong one in its place."""
        wrongs = {name: self._wrong(name) for name in d}
        return {name: wrong(self, error, *saved[1:]) if (wrong := wrongs[name]) else d[name] for name in d}


class FaultyParametrised(FaultyLayer):
    """A layer that can also give its gradients alone."""

    def gradients(self, error: Tensor, saved: Any, out: Any = None) -> dict[str, Tensor]:
        """Return the gradients, unless one of them is the fault."""
        return self._spoiled(self._right.gradients(error, saved[0]), error, saved)


class FaultyLoss(Faulty):
    """A loss with one wrong formula."""

    def output(self, x: Tensor) -> Tensor:
        """Return y, unless that is the fault."""
        wrong = self._wrong("output")
        y: Tensor = wrong(self, x, None) if wrong else self._right.output(x)
        return y

    def forward(self, x: Tensor, t: Tensor, out: Any = None) -> tuple[Tensor, Any]:
        """Return L, unless that is the fault; what the right backward reads is saved beside x and t."""
        t = checked_targets(self._right, t, x)
        loss, saved = self._right.forward(x, t)
        wrong = self._wrong("forward")
        return wrong(self, x, t) if wrong else loss, (saved, x, t)

    def backward(self, saved: Any, out: Any = None) -> Tensor:
        """Return the error of x, unless that is the fault."""
        inner, x, t = saved
        wrong = self._wrong("error")
        error: Tensor = wrong(self, x, t) if wrong else self._right.backward(inner)
        return error


def _in_place_of(right: Tensor, wrong: Tensor, saved: Any) -> Any:
    """Return what forward saved, with its wrong output in the place of the right one: that is what it would save."""
    if isinstance(saved, tuple):
        parts = [_in_place_of(right, wrong, part) for part in saved]
        return type(saved)(*parts) if hasattr(saved, "_fields") else tuple(parts)
    return wrong if saved is right else saved
