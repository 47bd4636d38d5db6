"""The whole network: y = f(x) (E4), its loss, and backpropagation (E15). The only loops over layers.

    forward    for l = 1 ... L:  net^l = W^l x^(l-1) + b^l (E1),  x^l = σ(net^l) (E2)
    loss       L of y = x^L against the target t (E6 to E8)
    backward   for l = L ... 1:  δ^l = σ′(net^l) e^l,  e^L = t − y,  e^l = (W^(l+1))ᵀ δ^(l+1) (E15)
                                 ∂L/∂W^l_ij = −δ^l_i x^(l-1)_j,  ∂L/∂b^l = −δ^l (E12)

What the numbers are called, and which of them stands where, says ``structure``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor

from manual_bp.directions import Directions, LossDirections, directions, directions_of_loss
from manual_bp.gradients import Gradients
from manual_bp.layer import Layer, check_kind, described, holding, named_parameters, parameters, positions
from manual_bp.loss import Loss, checked_targets
from manual_bp.structure import Structure
from manual_bp.trace import Trace
from manual_bp.transforms import check_in_memory, check_untransformed

Record = TypeVar("Record", Trace, Gradients)


@dataclass(frozen=True, eq=False)
class Network(Structure):
    """A fully connected feed-forward network (E4): layers in order, and the loss at the end.

    It holds its parameters and nothing else, side by side in one ``buffer``: copies of those of the given layers, in
    copies of these layers. The layers that it is given stay as they are. Raises TypeError or ValueError for what is no
    layer or no loss, and for parameters of several dtypes or devices, or shared by two layers.

    What a pass computes is in the Trace and the Gradients that it returns. Pass them back as ``out=`` for a batch of
    the same size, and the pass allocates nothing (but for the check of the targets):

        trace = network.forward(x)             # every net^l and x^l
        loss = network.loss(trace, t)          # L
        gradients = network.backward(trace)    # every δ^l, ∂L/∂W^l, ∂L/∂b^l
    """

    buffer: Tensor = field(init=False, repr=False)
    """All parameters, one after the other."""
    _views: dict[str, Tensor] = field(init=False, repr=False)
    """Each of them, by name."""
    _layers: tuple[Directions, ...] = field(init=False, repr=False)
    """How the passes call the layers."""
    _loss: LossDirections = field(init=False, repr=False)
    """How they call the loss."""

    def __post_init__(self) -> None:
        """Check the layers, and lay their parameters side by side."""
        if not isinstance(self.layers, Iterable):
            raise TypeError(f"Network expects its layers in a tuple, got {described(self.layers)}")
        given = tuple(self.layers)
        _check(given, self.loss_function)
        layout = Structure(given, self.loss_function).layout
        buffer = layout.buffer()
        views = layout.views(buffer)
        for i, layer in enumerate(given):
            for name, parameter in named_parameters(layer, i).items():
                views[name].copy_(parameter.detach())
        layers = tuple(_holding(layer, views, i) for i, layer in enumerate(given))
        held = {"layers": layers, "owned": tuple(map(parameters, layers)), "buffer": buffer, "_views": views}
        called = {"_layers": tuple(map(directions, layers)), "_loss": directions_of_loss(self.loss_function)}
        for name, value in (held | called).items():
            object.__setattr__(self, name, value)

    def __reduce__(self) -> tuple[type[Network], tuple[tuple[Layer, ...], Loss]]:
        """Copy and pickle by the layers: a copy lays out a buffer of its own."""
        clones = ({name: p.clone() for name, p in mine.items()} for mine in self.owned)
        return type(self), (tuple(map(holding, self.layers, clones)), self.loss_function)

    # ---------------------------------------------------------------------------------------------------- the pass

    def forward(self, x: Tensor, out: Trace | None = None) -> Trace:
        """Pass x (N, n^0) through every layer (E4); return every net^l and x^l.

        Raises ValueError or TypeError for an x that does not fit the first layer, or the batch that ``out`` is for,
        and TypeError for a trace of another network.
        """
        trace = Trace(self) if out is None else self._own(out, Trace)
        value = trace.begin(x)
        for i, layer in enumerate(self._layers):
            trace.steps[i] = value, _ = layer.forward(value, out=trace.steps[i])
        return trace

    def loss(self, trace: Trace, t: Tensor, *, trusted: bool = False) -> Tensor:
        """Return L, a tensor without dimensions, of a traced pass against t: (N, n^L), or N class indices.

        The values of t are checked, except those of a ``trusted`` t: rows that ``one_hot`` made, for instance. A loss
        of your own without ``out`` is given t as it is, in whatever form it takes. Raises ValueError or TypeError for
        a t that does not fit, ValueError before the forward pass, and TypeError for a trace of another network.
        """
        output = self._own(trace, Trace).value(len(self.layers))
        buffers = None if trace.measured else trace.loss_step
        if buffers is not None and self._loss.trusts_t and not trusted:
            t = checked_targets(self.loss_function, t, output)
        trace.loss_step = self._loss.forward(output, t, out=buffers)
        trace.measured = True
        return trace.loss_step[0]

    def backward(self, trace: Trace, out: Gradients | None = None) -> Gradients:
        """Return every δ^l and every gradient of the traced loss.

        Raises ValueError before ``Network.loss``, for another size of batch than ``out`` is for, and where a layer
        gives an error or a gradient of another shape or name; TypeError for what belongs to another network.
        """
        gradients = Gradients(self) if out is None else self._own(out, Gradients)
        for _ in self.backward_by_layer(trace, gradients):
            continue
        return gradients

    def backward_by_layer(self, trace: Trace, out: Gradients | None = None) -> Iterator[dict[str, Tensor]]:
        """Yield each layer's gradients by name, from layer L to 1, as soon as they are there (E15, E12).

        The error of the layer below, which needs these weights (E14), is computed before the gradients are
        yielded: whoever takes them may update the layer at once. Below layer 1 no error is computed. Raises what
        ``backward`` raises, when the first gradients are asked for.
        """
        gradients = Gradients(self) if out is None else self._own(out, Gradients)
        _, saved = self._own(trace, Trace).measured_step()
        gradients.begin(trace)
        top, lowest = len(self.layers), self.net_positions[0]
        error = self._loss.backward(saved, out=gradients.room(top)[0])
        error = gradients.keep_error(top, error, trace.value(top))
        for i in range(top - 1, lowest, -1):
            error, d = self._layers[i].backward(error, trace.saved(i), out=gradients.room(i))
            error = gradients.keep_error(i, error, trace.value(i))
            if of_layer := gradients.keep_gradients(i, d):
                yield of_layer
        d = self._layers[lowest].gradients(error, trace.saved(lowest), out=gradients.room(lowest)[1])
        yield gradients.keep_gradients(lowest, d)

    def input_error(self, trace: Trace, gradients: Gradients) -> Tensor:
        """Return e^0 = −∂L/∂x^0 (N, n^0), the error of the input, with the weights as they are now.

        Raises ValueError before ``Network.backward``.
        """
        error = gradients.delta(1)
        for i in range(self.net_positions[0], -1, -1):
            error, _ = self._layers[i].backward(error, trace.saved(i))
        return error

    def _own(self, record: Record, kind: type[Record]) -> Record:
        """Return a trace or gradients of this very network, or raise."""
        if not isinstance(record, kind) or record.network is not self:
            got = "that of another network" if isinstance(record, kind) else type(record).__name__
            raise TypeError(f"Network expects a {kind.__name__} of its own, got {got}")
        return record

    # --------------------------------------------------------------------------------------------------- parameters

    def parameters(self) -> dict[str, Tensor]:
        """Return the parameters themselves, under the names of ``nn.Sequential``: '0.weight', '0.bias', ..."""
        return dict(self._views)

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
            raise TypeError(f"Network expects layers with forward and backward, got {described(layer)} at position {i}")
        if getattr(layer, "_parameters", None):
            raise TypeError(
                f"Network expects {type(layer).__name__} to hold its parameters as plain attributes, got an nn.Module, "
                "which hides them: leave nn.Module out of its bases"
            )
    if isinstance(loss, type) or not isinstance(loss, Loss):
        raise TypeError(f"Network expects a loss with output, forward and backward, got {described(loss)}")
    owners = [pair for i, layer in enumerate(layers) for pair in named_parameters(layer, i).items()]
    if not owners:
        raise ValueError("Network expects at least one layer with parameters, got none")
    _, like = owners[0]
    for name, p in owners:
        check_kind("Network", name, p, like)
        check_untransformed("Network", name, p)
        check_in_memory("Network", p)
    pointers = [p.data_ptr() for _, p in owners if p.device.type != "meta"]
    if len(set(pointers)) < len(pointers):
        raise ValueError("Network expects layers that do not share parameters, got one tensor twice")


def _holding(layer: Layer, views: Mapping[str, Tensor], position: int) -> Layer:
    """Return a copy of the layer that holds the views of its position; raise where it makes others of them."""
    own = holding(layer, {name: views[f"{position}.{name}"] for name in parameters(layer)})
    for name, held in parameters(own).items():
        if not (held.is_meta or held.is_set_to(views[f"{position}.{name}"])):
            raise ValueError(
                f"Network expects {type(layer).__name__} to hold the very tensor that it is given for {name}, got a "
                "copy: the optimizer would not reach it"
            )
    return own


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
