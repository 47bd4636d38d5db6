"""The whole network: y = f(x) (E4), its loss, and backpropagation (E15). The only loops over layers.

    forward    for l = 1 ... L:  net^l = W^l x^(l-1) + b^l (E1),  x^l = σ(net^l) (E2)
    loss       L of y = x^L against the target t (E6 to E8)
    backward   for l = L ... 1:  δ^l = σ′(net^l) e^l,  e^L = t − y,  e^l = (W^(l+1))ᵀ δ^(l+1) (E15)
                                 ∂L/∂W^l_ij = −δ^l_i x^(l-1)_j,  ∂L/∂b^l = −δ^l (E12)

A layer that has parameters begins the lecture's layer l: its output is net^l, and what reaches the next such
layer (or the loss) is x^l. Positions, as in ``nn.Sequential``, count every layer from 0 and name the parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import torch
from torch import Tensor

from manual_bp.layer import Layer, Parametrised, check_kind, named_parameters, parameters, positions
from manual_bp.layout import Layout
from manual_bp.loss import Loss, checked_targets
from manual_bp.trace import Gradients, Trace

Record = TypeVar("Record", Trace, Gradients)


@dataclass(frozen=True, eq=False)
class Network:
    """A fully connected feed-forward network (E4): layers in order, and the loss at the end.

    It holds its parameters and nothing else: copies of those of the given layers, side by side in one ``buffer``.
    What a pass computes is in the Trace and the Gradients that it returns. Pass them back as ``out=`` for a batch of
    the same size, and the pass allocates nothing (but for the check of the targets):

        trace = network.forward(x)             # every net^l and x^l
        loss = network.loss(trace, t)          # L
        gradients = network.backward(trace)    # every δ^l, ∂L/∂W^l, ∂L/∂b^l
    """

    layers: tuple[Layer, ...]
    loss_function: Loss
    net_positions: tuple[int, ...] = field(init=False, repr=False)
    """The positions of the layers with parameters: entry l - 1 is the layer that makes net^l."""
    lowest: Parametrised = field(init=False, repr=False)
    """The lowest of them, which needs no error of its input."""
    layout: Layout = field(init=False, repr=False)
    """Where each parameter lies in the buffer."""
    buffer: Tensor = field(init=False, repr=False)
    """All parameters, one after the other."""

    def __post_init__(self) -> None:
        """Check the layers, and lay their parameters side by side."""
        _check(tuple(self.layers), self.loss_function)
        given = {i: named_parameters(layer, i) for i, layer in enumerate(self.layers)}
        layout = Layout({name: p for of_layer in given.values() for name, p in of_layer.items()})
        buffer = layout.buffer()
        views = layout.views(buffer)
        for of_layer in given.values():
            for name, parameter in of_layer.items():
                views[name].copy_(parameter)
        layers = tuple(_holding(layer, views, i) for i, layer in enumerate(self.layers))
        positions = tuple(i for i, of_layer in given.items() if of_layer)
        derived = {"layers": layers, "net_positions": positions, "lowest": layers[positions[0]]}
        for name, value in (derived | {"layout": layout, "buffer": buffer}).items():
            object.__setattr__(self, name, value)

    def __reduce__(self) -> tuple[type[Network], tuple[tuple[Layer, ...], Loss]]:
        """Copy and pickle by the layers: a copy lays out a buffer of its own."""
        return type(self), (self.layers, self.loss_function)

    # ---------------------------------------------------------------------------------------------------- the pass

    def forward(self, x: Tensor, out: Trace | None = None) -> Trace:
        """Pass x (N, n^0) through every layer (E4); return every net^l and x^l."""
        trace = Trace(self) if out is None else self._own(out, Trace)
        value = trace.begin(x)
        for i, layer in enumerate(self.layers):
            trace.steps[i] = value, _ = layer.forward(value, trace.steps[i])
        return trace

    def loss(self, trace: Trace, t: Tensor, *, trusted: bool = False) -> Tensor:
        """Return L, a tensor without dimensions, of a traced pass against t: (N, n^L), or N class indices.

        The values of t are checked, except those of a ``trusted`` t: rows that ``one_hot`` made, for instance.
        """
        output, _ = self._own(trace, Trace).whole()[-1]
        buffers = None if trace.measured else trace.loss_step
        if buffers is not None and not trusted:
            t = checked_targets(self.loss_function, t, output)
        trace.loss_step = self.loss_function.forward(output, t, buffers)
        trace.measured = True
        return trace.loss_step[0]

    def backward(self, trace: Trace, out: Gradients | None = None) -> Gradients:
        """Return every δ^l and every gradient of the traced loss."""
        gradients = Gradients(self) if out is None else self._own(out, Gradients)
        for _ in self.backward_by_layer(trace, gradients):
            continue
        return gradients

    def backward_by_layer(self, trace: Trace, out: Gradients | None = None) -> Iterator[dict[str, Tensor]]:
        """Yield each layer's gradients by name, from layer L to 1, as soon as they are there.

        The error of the layer below, which needs these weights (E14), is computed before the gradients are
        yielded: whoever takes them may update the layer at once. Below layer 1 no error is computed.
        """
        gradients = Gradients(self) if out is None else self._own(out, Gradients)
        _, saved = self._own(trace, Trace).measured_step()
        room = gradients.begin(trace)
        steps, lowest = trace.whole(), self.net_positions[0]
        error = self.loss_function.backward(saved, room)
        error = gradients.loss_error = gradients.placed(error, room, self.loss_function, steps[-1][0])
        for i in range(len(self.layers) - 1, lowest, -1):
            room, _ = gradients.steps[i]
            error, d = self.layers[i].backward(error, steps[i][1], gradients.steps[i])
            error = gradients.placed(error, room, self.layers[i], steps[i - 1][0])
            gradients.steps[i] = error, d
            if d:
                yield gradients.keep(i, d)
        _, d = gradients.steps[lowest]
        yield gradients.keep(lowest, self.lowest.gradients(error, steps[lowest][1], d))

    def input_error(self, trace: Trace, gradients: Gradients) -> Tensor:
        """Return e^0 = −∂L/∂x^0 (N, n^0), the error of the input, with the weights as they are now."""
        error = gradients.delta(1)
        for i in range(self.net_positions[0], -1, -1):
            error, _ = self.layers[i].backward(error, trace.whole()[i][1])
        return error

    def _own(self, record: Record, kind: type[Record]) -> Record:
        """Return a trace or gradients of this very network, or raise."""
        if not isinstance(record, kind) or record.network is not self:
            got = "that of another network" if isinstance(record, kind) else type(record).__name__
            raise TypeError(f"Network expects a {kind.__name__} of its own, got {got}")
        return record

    # ---------------------------------------------------------------------------------------- the lecture's index

    @property
    def depth(self) -> int:
        """Return L, the number of layers with parameters."""
        return len(self.net_positions)

    def index_of_net(self, l: int) -> int:
        """Return where net^l, l = 1 ... L, stands among the values of a trace (and δ^l among the errors)."""
        if not 1 <= l <= self.depth:
            raise IndexError(f"Network expects a layer l from 1 to {self.depth}, got {l}")
        return self.net_positions[l - 1] + 1

    def index_of_x(self, l: int) -> int:
        """Return where x^l, l = 0 ... L, stands among the values of a trace (and e^l among the errors)."""
        if not 0 <= l <= self.depth:
            raise IndexError(f"Network expects a layer l from 0 to {self.depth}, got {l}")
        return self.net_positions[l] if l < self.depth else len(self.layers)

    # --------------------------------------------------------------------------------------------------- parameters

    def parameters(self) -> dict[str, Tensor]:
        """Return the parameters themselves, under the names of ``nn.Sequential``: '0.weight', '0.bias', ..."""
        return {name: p for i, layer in enumerate(self.layers) for name, p in named_parameters(layer, i).items()}

    def state_dict(self) -> dict[str, Tensor]:
        """Return a copy of the parameters, for ``load_state_dict`` here or of the mirrored ``nn.Sequential``."""
        return {name: p.clone() for name, p in self.parameters().items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Copy ``state`` into the parameters, or raise before anything is changed where a tensor does not fit."""
        mine = self.parameters()
        if not isinstance(state, Mapping):
            raise TypeError(f"Network expects a mapping from names to tensors, got {type(state).__name__}")
        if state.keys() != mine.keys():
            missing, extra = sorted(mine.keys() - state.keys()), sorted(state.keys() - mine.keys())
            raise ValueError(f"Network expects the parameters {list(mine)}; missing {missing}, unexpected {extra}")
        for name, p in mine.items():
            _check_loadable(name, state[name], p)
        for name, p in mine.items():
            p.copy_(state[name].detach())


def _check(layers: tuple[Layer, ...], loss: Loss) -> None:
    """Raise unless the layers and the loss make a network."""
    for i, layer in enumerate(layers):
        if isinstance(layer, type) or not isinstance(layer, Layer):
            raise TypeError(f"Network expects layers with forward and backward, got {layer!r} at position {i}")
    if isinstance(loss, type) or not isinstance(loss, Loss):
        raise TypeError(f"Network expects a loss with output, forward and backward, got {loss!r}")
    owners = [(i, name, p) for i, layer in enumerate(layers) for name, p in named_parameters(layer, i).items()]
    if not owners:
        raise ValueError("Network expects at least one layer with parameters, got none")
    first, _, like = owners[0]
    if not isinstance(layers[first], Parametrised):
        raise TypeError(
            f"Network expects {type(layers[first]).__name__} at position {first}, its lowest layer with parameters, "
            "to have gradients(error, saved) too: the error of its x is not computed"
        )
    for _, name, p in owners:
        check_kind("Network", name, p, like)
    pointers = [p.data_ptr() for _, _, p in owners if p.device.type != "meta"]
    if len(set(pointers)) < len(pointers):
        raise ValueError("Network expects layers that do not share parameters, got one tensor twice")


def _holding(layer: Layer, views: Mapping[str, Tensor], position: int) -> Layer:
    """Return the layer with its parameters replaced by those of the views that carry its position."""
    mine = {name: views[f"{position}.{name}"] for name in parameters(layer)}
    return replace(layer, **mine) if mine else layer  # type: ignore[type-var]  # parameters() found a dataclass


def _check_loadable(name: str, new: Tensor, old: Tensor) -> None:
    if not isinstance(new, Tensor):
        raise TypeError(f"Network expects {name} as a torch.Tensor, got {type(new).__name__}")
    if new.shape != old.shape:
        raise ValueError(f"Network expects {name} of shape {tuple(old.shape)}, got {tuple(new.shape)}")
    if new.dtype != old.dtype:
        raise TypeError(f"Network expects {name} of dtype {old.dtype}, got {new.dtype}")
    if not torch.isfinite(new).all():
        places = positions(~torch.isfinite(new))
        raise ValueError(f"Network expects finite parameters, got NaN or infinity in {name} at {places}")
