"""Backpropagation by hand: a lecture's formulas in elementary tensor operations, without autograd.

    network = manual_bp.mlp([784, 30, 10])         # W^l, b^l
    trace = network.forward(x)                     # net^l, x^l              E1, E2, E4
    loss = network.loss(trace, t)                  # L                       E6 to E8
    gradients = network.backward(trace)            # δ^l, ∂L/∂W^l, ∂L/∂b^l   E12 to E17
    GradientDescent(network, lr=0.1).update(gradients)                     # E9

Equation numbers are the lecture's; the README lists them. Start reading with ``layer``, then ``linear``.
"""

from manual_bp.activation import ReLU, Sigmoid, Tanh
from manual_bp.descent import GradientDescent
from manual_bp.initial import mlp
from manual_bp.layer import Layer, Parametrised
from manual_bp.linear import Linear
from manual_bp.loss import Loss, SoftmaxCrossEntropy, SquaredError, one_hot
from manual_bp.network import Network
from manual_bp.trace import Gradients, Trace

__all__ = [
    "GradientDescent",
    "Gradients",
    "Layer",
    "Linear",
    "Loss",
    "Network",
    "Parametrised",
    "ReLU",
    "Sigmoid",
    "SoftmaxCrossEntropy",
    "SquaredError",
    "Tanh",
    "Trace",
    "mlp",
    "one_hot",
]
