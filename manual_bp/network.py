"""The whole network: y = f(x) (E4), its loss, and backpropagation (E15). The only loops over layers.

    forward    for l = 1 ... L:  net^l = W^l x^(l-1) + b^l (E1),  x^l = σ(net^l) (E2)
    loss       L of y = x^L against the target t (E6 to E8)
    backward   for l = L ... 1:  δ^l = σ′(net^l) e^l,  e^L = t − y,  e^l = (W^(l+1))ᵀ δ^(l+1) (E15)
                                 ∂L/∂W^l_ij = −δ^l_i x^(l-1)_j,  ∂L/∂b^l = −δ^l (E12)

A layer that has parameters begins the lecture's layer l: its output is net^l, and what reaches the next such
layer (or the loss) is x^l. Positions, as in ``nn.Sequential``, count every layer from 0 and name the parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from manual_bp.activation import Sigmoid
from manual_bp.layer import Layer, Parametrised, check_kind, parameters, positions
from manual_bp.linear import random_linear
from manual_bp.loss import Loss, SoftmaxCrossEntropy, SquaredError
from manual_bp.trace import Gradients, Trace


@dataclass(frozen=True, eq=False)
class Network:
    """A fully connected feed-forward network (E4): layers in order, and the loss at the end.

    It holds its parameters and nothing else. What a pass computes is in the Trace and the Gradients that it
    returns; pass them back as ``out=`` for a batch of the same size, and the pass allocates nothing:

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

    def __post_init__(self) -> None:
        """Check the layers, and find those with parameters."""
        layers = tuple(self.layers)
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "lowest", _checked(layers, self.loss_function))
        object.__setattr__(self, "net_positions", tuple(i for i, layer in enumerate(layers) if parameters(layer)))

    # ---------------------------------------------------------------------------------------------------- the pass

    def forward(self, x: Tensor, out: Trace | None = None) -> Trace:
        """Pass x (N, n^0) through every layer (E4); return every net^l and x^l."""
        trace = Trace(self) if out is None else out
        value = trace.begin(x)
        for i, layer in enumerate(self.layers):
            trace.steps[i] = value, _ = layer.forward(value, trace.steps[i])
        return trace

    def loss(self, trace: Trace, t: Tensor) -> Tensor:
        """Return L, a tensor without dimensions, of a traced pass against t: (N, n^L), or N class indices."""
        trace.loss_step = self.loss_function.forward(trace.step(-1)[0], t, trace.loss_step)
        trace.measured = True
        return trace.loss

    def backward(self, trace: Trace, out: Gradients | None = None) -> Gradients:
        """Return every δ^l and every gradient of the traced loss."""
        gradients = Gradients(self) if out is None else out
        for _ in self.backward_by_layer(trace, gradients):
            continue
        return gradients

    def backward_by_layer(self, trace: Trace, out: Gradients | None = None) -> Iterator[dict[str, Tensor]]:
        """Yield each layer's gradients by name, from layer L to 1, as soon as they are there.

        The error of the layer below, which needs these weights (E14), is computed before the gradients are
        yielded: whoever takes them may update the layer at once. Below layer 1 no error is computed.
        """
        gradients = Gradients(self) if out is None else out
        _, saved = trace.measured_step()
        error = gradients.loss_error = self.loss_function.backward(saved, gradients.loss_error)
        first, lowest = self.net_positions[0], self.lowest
        for i in range(len(self.layers) - 1, first, -1):
            gradients.steps[i] = error, d = self.layers[i].backward(error, trace.step(i)[1], gradients.steps[i])
            if d:
                yield gradients.named(i, d)
        gradients.lowest = lowest.gradients(error, trace.step(first)[1], gradients.lowest)
        yield gradients.named(first, gradients.lowest)

    def input_error(self, trace: Trace, gradients: Gradients) -> Tensor:
        """Return e^0 = −∂L/∂x^0 (N, n^0), the error of the input, with the weights as they are now."""
        error = gradients.delta(1)
        for i in range(self.net_positions[0], -1, -1):
            error, _ = self.layers[i].backward(error, trace.step(i)[1])
        return error

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
        return {f"{i}.{name}": p for i, layer in enumerate(self.layers) for name, p in parameters(layer).items()}

    def state_dict(self) -> dict[str, Tensor]:
        """Return a copy of the parameters, for ``load_state_dict`` here or of the mirrored ``nn.Sequential``."""
        return {name: p.clone() for name, p in self.parameters().items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Copy ``state`` into the parameters, or raise before anything is changed where a tensor does not fit."""
        mine = self.parameters()
        if state.keys() != mine.keys():
            missing, extra = sorted(mine.keys() - state.keys()), sorted(state.keys() - mine.keys())
            raise ValueError(f"Network expects the parameters {list(mine)}; missing {missing}, unexpected {extra}")
        for name, p in mine.items():
            _check_loadable(name, state[name], p)
        for name, p in mine.items():
            p.copy_(state[name])


def mlp(
    sizes: Sequence[int],
    *,
    activation: Layer | None = None,
    loss: Loss | None = None,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Network:
    """Make a multilayer network of the given numbers of units, sizes[0] = n^0 inputs to sizes[-1] = n^L outputs.

    Every layer is linear and then ``activation`` (default Sigmoid, the lecture's); with ``loss`` SoftmaxCrossEntropy
    the last layer is linear and its softmax is the loss's (default: SquaredError, the mean over the samples).
    The parameters are those that ``nn.Linear`` draws after ``torch.manual_seed``, for a generator with that seed.

        mlp([784, 30, 10])
        mlp([784, 256, 128, 10], activation=ReLU(), loss=SoftmaxCrossEntropy())
    """
    activation = Sigmoid() if activation is None else activation
    loss = SquaredError() if loss is None else loss
    if len(sizes) < 2 or any(not isinstance(n, int) or n < 1 for n in sizes):
        raise ValueError(f"mlp expects sizes of at least two layers, each a whole number from 1, got {list(sizes)}")
    layers: list[Layer] = []
    for n_in, n_out in pairwise(sizes):
        layers += [random_linear(n_in, n_out, generator=generator, dtype=dtype, device=device), activation]
    if isinstance(loss, SoftmaxCrossEntropy):
        layers.pop()
    return Network(tuple(layers), loss)


def _checked(layers: tuple[Layer, ...], loss: Loss) -> Parametrised:
    """Raise unless the layers and the loss make a network; return the lowest layer with parameters."""
    for i, layer in enumerate(layers):
        if isinstance(layer, type) or not isinstance(layer, Layer):
            raise TypeError(f"Network expects layers with forward and backward, got {layer!r} at position {i}")
    if isinstance(loss, type) or not isinstance(loss, Loss):
        raise TypeError(f"Network expects a loss with output, forward and backward, got {loss!r}")
    owners = [(i, name, p) for i, layer in enumerate(layers) for name, p in parameters(layer).items()]
    if not owners:
        raise ValueError("Network expects at least one layer with parameters, got none")
    first, _, like = owners[0]
    lowest = layers[first]
    if not isinstance(lowest, Parametrised):
        raise TypeError(
            f"Network expects {type(lowest).__name__} at position {first}, its lowest layer with parameters, "
            "to have gradients(error, saved) too: the error of its x is not computed"
        )
    for i, name, p in owners:
        check_kind("Network", f"{i}.{name}", p, like)
    pointers = [p.data_ptr() for _, _, p in owners if p.device.type != "meta"]
    if len(set(pointers)) < len(pointers):
        raise ValueError("Network expects layers that do not share parameters, got one tensor twice")
    return lowest


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
