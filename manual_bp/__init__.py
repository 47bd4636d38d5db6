"""Backpropagation by hand: a lecture's formulas in elementary tensor operations, without autograd.

    network = manual_bp.mlp([784, 30, 10])         # W^l, b^l
    trace = network.forward(x)                     # net^l, x^l              E1, E2, E4
    loss = network.loss(trace, t)                  # L                       E6 to E8
    gradients = network.backward(trace)            # δ^l, ∂L/∂W^l, ∂L/∂b^l   E12 to E17
    GradientDescent(network, lr=0.1).update(gradients)                     # E9

Equation numbers are the lecture's; docs/formulas.md lists them. Start reading with ``layer``, then ``linear``.
Names are imported when they are first asked for, so that ``train.py --help`` does not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from manual_bp.activation import ReLU, Sigmoid, Tanh
    from manual_bp.convolution import Conv2d
    from manual_bp.descent import GradientDescent
    from manual_bp.dropout import Dropout
    from manual_bp.flatten import Flatten, Unflatten
    from manual_bp.gradients import Gradients, GradientsOfOneLayer
    from manual_bp.initial import mlp
    from manual_bp.layer import Layer, Parametrised
    from manual_bp.linear import Linear
    from manual_bp.loss import Loss, SoftmaxCrossEntropy, SquaredError, one_hot
    from manual_bp.masks import draw_masks, in_tests
    from manual_bp.network import Network
    from manual_bp.norm import LayerNorm
    from manual_bp.pooling import AvgPool2d, MaxPool2d
    from manual_bp.products import LibraryLinear
    from manual_bp.recurrent import RNN, LastStep
    from manual_bp.structure import Structure
    from manual_bp.trace import Trace

_HOME = {
    "activation": ("ReLU", "Sigmoid", "Tanh"),
    "convolution": ("Conv2d",),
    "descent": ("GradientDescent",),
    "dropout": ("Dropout",),
    "flatten": ("Flatten", "Unflatten"),
    "gradients": ("Gradients", "GradientsOfOneLayer"),
    "initial": ("mlp",),
    "layer": ("Layer", "Parametrised"),
    "linear": ("Linear",),
    "loss": ("Loss", "SoftmaxCrossEntropy", "SquaredError", "one_hot"),
    "masks": ("draw_masks", "in_tests"),
    "network": ("Network",),
    "norm": ("LayerNorm",),
    "pooling": ("AvgPool2d", "MaxPool2d"),
    "products": ("LibraryLinear",),
    "recurrent": ("RNN", "LastStep"),
    "structure": ("Structure",),
    "trace": ("Trace",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__version__ = "0.2.0"

__all__ = [
    "RNN",
    "AvgPool2d",
    "Conv2d",
    "Dropout",
    "Flatten",
    "GradientDescent",
    "Gradients",
    "GradientsOfOneLayer",
    "LastStep",
    "Layer",
    "LayerNorm",
    "LibraryLinear",
    "Linear",
    "Loss",
    "MaxPool2d",
    "Network",
    "Parametrised",
    "ReLU",
    "Sigmoid",
    "SoftmaxCrossEntropy",
    "SquaredError",
    "Structure",
    "Tanh",
    "Trace",
    "Unflatten",
    "draw_masks",
    "in_tests",
    "mlp",
    "one_hot",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module, and keep it; or a module, as ``manual_bp.linear``."""
    if name in _HOME:
        return import_module(f"manual_bp.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'manual_bp' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"manual_bp.{_MODULE_OF[name]}"), name)
    return value
