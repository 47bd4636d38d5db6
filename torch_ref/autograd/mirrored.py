"""The same network under autograd: a plain ``nn.Sequential`` with copied parameters, and its loss as a module.

One registered function for each layer type. For a layer of your own, add one:

    @module_of.register
    def _(layer: MyLayer) -> nn.Module: ...
"""

from __future__ import annotations

from functools import singledispatch
from typing import NamedTuple

import torch
from torch import Tensor, nn

from manual_bp import (
    RNN,
    AvgPool2d,
    Conv2d,
    Dropout,
    Flatten,
    LastStep,
    Layer,
    LayerNorm,
    Linear,
    Loss,
    MaxPool2d,
    Network,
    ReLU,
    Sigmoid,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
    Unflatten,
)
from manual_bp.layer import parameters
from manual_bp.loss import check_rows_for_softmax, check_shape_of_targets
from torch_ref.autograd.convolved import ColumnsConv2d
from torch_ref.autograd.drawn import SeededDropout
from torch_ref.autograd.elementary import ElementaryLayerNorm, ElementaryRNN, Last


class Mirror(NamedTuple):
    """A network for autograd: ``loss(model(x), t)`` is the loss of the network that was mirrored."""

    model: nn.Sequential
    loss: LossModule


class LossModule(nn.Module):
    """A loss under autograd: ``forward(x, t)`` is L, ``output(x)`` the network's answer y."""

    def __init__(self, reduction: str) -> None:
        """Take 'mean' or 'sum' over the samples (E7)."""
        super().__init__()
        self.reduction = reduction

    def output(self, x: Tensor) -> Tensor:
        """Return y, given the output x of the last layer."""
        return x

    def reduced(self, total: Tensor, n: int) -> Tensor:
        """Return the sum over the samples, or their mean."""
        return total / n if self.reduction == "mean" else total


class SquaredErrorModule(LossModule):
    """E6 with torch's own squared error."""

    def forward(self, y: Tensor, t: Tensor) -> Tensor:
        """Return ½ Σ (t − y)², t as y, or class indices (N,) where y is rows."""
        t = _targets("SquaredError", t, y)
        return self.reduced(0.5 * nn.functional.mse_loss(y, t, reduction="sum"), len(y))


class CrossEntropyModule(LossModule):
    """E8 with torch's own logsumexp, after the largest net of each row is subtracted (which changes no value).

    Not ``F.cross_entropy``: its backward pass computes an exp of its own and differs in the last bit of some
    entries of δ. The tests hold the two against each other.
    """

    def output(self, x: Tensor) -> Tensor:
        """Return softmax(x) (E5) in the same terms."""
        shifted = _shifted(x)
        return torch.exp(shifted - torch.logsumexp(shifted, 1, keepdim=True))

    def forward(self, net: Tensor, t: Tensor) -> Tensor:
        """Return −Σ t ln softmax(net), t as (N, n^L) or class indices (N,)."""
        check_rows_for_softmax(net)
        t, shifted = _targets("SoftmaxCrossEntropy", t, net), _shifted(net)
        total = (torch.logsumexp(shifted, 1) - (shifted * t).sum(1)).sum()
        return self.reduced(total, len(net))


def _shifted(net: Tensor) -> Tensor:
    return net - net.detach().amax(1, keepdim=True)


def mirror(network: Network) -> Mirror:
    """Return ``network`` as an ``nn.Sequential`` with copied parameters of the same names, and its loss.

    Raises TypeError for a layer or loss type without a registered function.
    """
    with torch.inference_mode(mode=False), torch.enable_grad():
        return Mirror(nn.Sequential(*map(module_of, network.layers)), loss_of(network.loss_function))


@singledispatch
def module_of(layer: Layer) -> nn.Module:
    """Return the nn.Module of one layer, its parameters copied."""
    name = type(layer).__name__
    raise TypeError(f"mirror has no nn.Module for the layer {name}: register one with @torch_ref.module_of.register")


@module_of.register
def _(layer: Linear) -> nn.Module:
    n_out, n_in = layer.weight.shape
    module = nn.Linear(n_in, n_out, bias=layer.bias is not None, device="meta")  # draws no random numbers
    return _with_parameters(module, layer)


@module_of.register
def _(layer: Sigmoid) -> nn.Module:
    return nn.Sigmoid()


@module_of.register
def _(layer: Tanh) -> nn.Module:
    return nn.Tanh()


@module_of.register
def _(layer: ReLU) -> nn.Module:
    return nn.ReLU()


@module_of.register
def _(layer: Conv2d) -> nn.Module:
    c_out, c_in, *_ = layer.weight.shape
    kernel, stride, padding = layer.windows.kernel, layer.windows.stride, layer.windows.padding
    module = ColumnsConv2d(c_in, c_out, kernel, stride, padding, bias=layer.bias is not None, device="meta")
    return _with_parameters(module, layer)


@module_of.register
def _(layer: MaxPool2d) -> nn.Module:
    return nn.MaxPool2d(layer.windows.kernel, layer.windows.stride)


@module_of.register
def _(layer: AvgPool2d) -> nn.Module:
    return nn.AvgPool2d(layer.windows.kernel, layer.windows.stride)


@module_of.register
def _(layer: Flatten) -> nn.Module:
    return nn.Flatten()


@module_of.register
def _(layer: Unflatten) -> nn.Module:
    return nn.Unflatten(1, layer.shape)


@module_of.register
def _(layer: Dropout) -> nn.Module:
    return SeededDropout(layer.p, layer.seed, layer.first)


@module_of.register
def _(layer: LayerNorm) -> nn.Module:
    module = ElementaryLayerNorm(len(layer.weight), eps=layer.epsilon, device="meta")
    return _with_parameters(module, layer)


@module_of.register
def _(layer: RNN) -> nn.Module:
    n, n_in = layer.weight_ih_l0.shape
    return _with_parameters(ElementaryRNN(n_in, n, batch_first=True, device="meta"), layer)


@module_of.register
def _(layer: LastStep) -> nn.Module:
    return Last()


def _with_parameters(module: nn.Module, layer: Layer) -> nn.Module:
    """Return the module with copies of the layer's parameters, which bear the same names."""
    for name, parameter in parameters(layer).items():
        setattr(module, name, nn.Parameter(parameter.clone()))
    return module


@singledispatch
def loss_of(loss: Loss) -> LossModule:
    """Return the module of one loss."""
    name = type(loss).__name__
    raise TypeError(f"mirror has no module for the loss {name}: register one with @torch_ref.loss_of.register")


@loss_of.register
def _(loss: SquaredError) -> LossModule:
    return SquaredErrorModule(loss.reduction)


@loss_of.register
def _(loss: SoftmaxCrossEntropy) -> LossModule:
    return CrossEntropyModule(loss.reduction)


def _targets(loss: str, t: Tensor, like: Tensor) -> Tensor:
    """Return t, one-hot for class indices. Raises ValueError or TypeError for what torch would broadcast."""
    if isinstance(t, Tensor) and t.ndim == 1 and like.ndim == 2 and not t.is_floating_point():
        t = nn.functional.one_hot(t.long(), like.shape[1]).to(like.dtype)
    check_shape_of_targets(loss, t, like)
    return t
