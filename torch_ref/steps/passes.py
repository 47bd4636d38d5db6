"""The whole pass three times: by hand, by autograd, and the loss alone for its finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from manual_bp import Gradients, Network, Trace
from manual_bp.layer import holding, parameters
from manual_bp.structure import Names
from torch_ref.autograd.mirrored import LossModule
from torch_ref.numbers.differences import slope
from torch_ref.numbers.witness import Tensors, all_finite, doubled
from torch_ref.steps.buffers import is_alike, of_another_batch
from torch_ref.steps.calling import put_back
from torch_ref.steps.step import Outputs, plain, same


@dataclass
class HandPass:
    """Every quantity of the whole handwritten pass by name, as far as it came."""

    found: dict[str, Tensor] = field(default_factory=dict)
    error: Exception | None = None
    changed: tuple[str, ...] = ()
    """What the pass changed; it was put back."""
    unlike: tuple[str, ...] = ()
    """What came out otherwise when the pass wrote into the tensors of another one."""

    @property
    def note(self) -> str:
        """Say what happened to the pass."""
        if self.error is not None:
            return f"The whole pass broke off with {type(self.error).__name__}: {self.error}"
        if self.changed:
            return f"The whole pass changed {', '.join(self.changed)}, which is put back"
        if self.unlike:
            return f"With out=, in tensors of another batch, the pass gives another {', '.join(self.unlike)}"
        return ""


def by_hand(network: Network, names: Names, x: Tensor, t: Tensor) -> HandPass:
    """Run the whole handwritten pass on the very x and t, whose places in memory decide the last bits.

    Whatever somebody's formula raises is kept, it is what the report has to say; what it changes is put back.
    """
    given = {"the parameters": network.buffer, "x": x, "t": t}
    before = {name: tensor.clone() for name, tensor in given.items() if isinstance(tensor, Tensor)}
    done = HandPass()
    try:
        run(network, names, x, t, done.found)
        done.changed = tuple(name for name, tensor in before.items() if not same(given[name], tensor))
        if not done.changed:
            done.unlike = _unlike(network, names, x, t, done.found)
    except Exception as error:
        done.error = error
    for name, tensor in before.items():
        if not same(given[name], tensor):
            put_back(given[name], tensor)
    return done


def run(
    network: Network,
    names: Names,
    x: Tensor,
    t: Tensor,
    found: dict[str, Tensor],
    trace: Trace | None = None,
    gradients: Gradients | None = None,
) -> tuple[Trace, Gradients]:
    """Run one pass, with ``out=`` where tensors of another are given, and put copies of everything into ``found``."""
    trace = network.forward(x, out=trace)
    found |= {name: value.clone() for name, value in zip(names.values, trace.values, strict=True)}
    network.loss(trace, t)
    found |= {"L": trace.loss.clone(), "y": trace.y.clone()}
    gradients = network.backward(trace, out=gradients)
    found |= {name: e.clone() for name, e in zip(names.errors, gradients.errors, strict=True) if e is not None}
    found |= {shown: gradients[name].clone() for name, shown in names.gradients.items()}
    found[names.errors[0]] = network.input_error(trace, gradients)
    return trace, gradients


def _unlike(network: Network, names: Names, x: Tensor, t: Tensor, found: Tensors) -> tuple[str, ...]:
    """Return what a pass gives otherwise in the tensors of another batch, of random numbers, never of its own."""
    again: Tensors = {}
    trace, gradients = run(network, names, of_another_batch(x), t.flip(0), {})
    run(network, names, x.clone(), t.clone(), again, trace, gradients)
    return tuple(name for name, value in again.items() if not is_alike(value, found[name]))


@dataclass(frozen=True)
class Reference:
    """The whole pass by autograd, at any parameters, in any dtype."""

    names: Names
    modules: tuple[nn.Module, ...]
    loss: LossModule

    def evaluate(self, given: Tensors, fixed: Tensors) -> Tensors:
        """Return every quantity by name; ``given`` holds x and the parameters."""
        with torch.inference_mode(mode=False), torch.enable_grad():
            leaves = {name: plain(tensor).requires_grad_() for name, tensor in given.items()}
            values = [leaves["x"]]
            for position, module in enumerate(self.modules):
                values.append(call(module, values[-1], _of_position(leaves, position)))
            loss = self.loss(values[-1], plain(fixed["t"]))
            y = self.loss.output(values[-1])
            parameters = [leaves[name] for name in self.names.gradients]
            d = torch.autograd.grad(loss, [*values, *parameters], materialize_grads=True)
        found = dict(zip(self.names.values, [value.detach() for value in values], strict=True))
        found |= {"y": y.detach(), "L": loss.detach()}
        found |= {name: -d_value for name, d_value in zip(self.names.errors, d, strict=False)}
        return found | dict(zip(self.names.gradients.values(), d[len(values) :], strict=True))


def call(module: nn.Module, x: Tensor, named: Tensors) -> Tensor:
    """Return what a module gives at other parameters, and with its buffers in the dtype of x."""
    buffers = {name: (b.to(x.dtype) if b.is_floating_point() else b).clone() for name, b in module.named_buffers()}
    outcome: Tensor = functional_call(module, named | buffers, (x,))
    return outcome


def _of_position(tensors: Tensors, position: int) -> Tensors:
    prefix = f"{position}."
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


class LossSlopes:
    """Finite differences of the loss, in float64, by any value or parameter; by our forward formulas alone."""

    def __init__(self, network: Network, names: Names, x: Tensor, t: Tensor) -> None:
        """Take everything in float64; without that there are no slopes."""
        self.loss, self.t = network.loss_function, doubled({"t": t})["t"]
        self.position = {name: i for i, name in enumerate(names.errors)}
        self.parameter = {shown: name for name, shown in names.gradients.items()}
        self.layers: list[Any] = []
        self.here: Outputs = ()
        self.values = [x.double()]
        try:
            self.layers = [holding(layer, doubled(parameters(layer))) for layer in network.layers]
            for layer in self.layers:
                self.values.append(layer.forward(self.values[-1])[0])
            self.here = self._loss([], self.values[-1])
        except Exception:  # of somebody's layer, which may be for one dtype only: no third witness
            self.values = []

    def difference(self, name: str, by_hand: Tensor) -> float | None:
        """Return how far the slope is from an error or gradient, of its norm; None where it cannot tell."""
        if not self.values or not all_finite(by_hand):
            return None
        try:
            if name in self.position:
                return self._by_value(self.position[name], by_hand)
            if name in self.parameter:
                return self._by_parameter(self.parameter[name], by_hand)
        except Exception:  # of somebody's layer, at numbers that it does not take
            return None
        return None

    def _by_value(self, i: int, error: Tensor) -> float | None:
        return self._difference(lambda q: self._loss(self.layers[i:], q), self.values[i], error, -1.0)

    def _by_parameter(self, full_name: str, gradient: Tensor) -> float | None:
        position, name = full_name.split(".", 1)
        i = int(position)
        layer, above, x = self.layers[i], self.layers[i + 1 :], self.values[i]
        loss: Callable[[Tensor], Outputs] = lambda q: self._loss([holding(layer, {name: q}), *above], x)  # noqa: E731
        return self._difference(loss, parameters(layer)[name], gradient, 1.0)

    def _loss(self, layers: Sequence[Any], x: Tensor) -> Outputs:
        """Return L when the pass goes on from x through the layers."""
        for layer in layers:
            x = layer.forward(x)[0]
        return (self.loss.forward(x, self.t)[0],)

    def _difference(self, loss: Callable[[Tensor], Outputs], at: Tensor, by_hand: Tensor, sign: float) -> float | None:
        if at.shape != by_hand.shape:
            return None
        errors = [torch.tensor(sign, dtype=torch.float64, device=at.device)]
        return slope(loss, at, errors, by_hand, self.here).share(by_hand)
