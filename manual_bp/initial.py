"""A network before training: its weights and biases as ``nn.Linear`` and ``nn.Conv2d`` draw them, number for number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from operator import index

import torch

from manual_bp.activation import Sigmoid
from manual_bp.convolution import Conv2d
from manual_bp.layer import Layer
from manual_bp.linear import Linear
from manual_bp.loss import Loss, SoftmaxCrossEntropy, SquaredError
from manual_bp.network import Network
from manual_bp.recurrent import RNN
from manual_bp.windows import Pair, pair


def mlp(
    sizes: Sequence[int],
    *,
    activation: Layer | None = None,
    loss: Loss | None = None,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Network:
    """Make a multilayer network with sizes[l] units in layer l: from n^0 inputs to n^L outputs.

    Every layer is a Linear and an ``activation`` (default: Sigmoid, the lecture's). The default loss is SquaredError,
    the mean over the samples. With SoftmaxCrossEntropy the last layer has no activation: the softmax is in the loss.
    A generator with some seed draws the numbers that ``nn.Linear`` draws after ``torch.manual_seed`` with that seed.

    Raises ValueError unless ``sizes`` are at least two whole numbers from 1, TypeError for a dtype that is not of
    floating point.

        mlp([784, 30, 10])
        mlp([784, 256, 128, 10], activation=ReLU(), loss=SoftmaxCrossEntropy())
    """
    activation = Sigmoid() if activation is None else activation
    loss = SquaredError() if loss is None else loss
    sizes = _checked_sizes(sizes)
    if not dtype.is_floating_point:
        raise TypeError(f"mlp expects a floating-point dtype, got {dtype}")
    layers: list[Layer] = []
    for n_in, n_out in pairwise(sizes):
        layers += [random_linear(n_in, n_out, generator=generator, dtype=dtype, device=device), activation]
    if isinstance(loss, SoftmaxCrossEntropy):
        layers.pop()
    return Network(tuple(layers), loss)


def random_linear(
    n_in: int,
    n_out: int,
    *,
    bias: bool = True,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Linear:
    """Draw weights and biases as ``nn.Linear`` does: uniform within 1 / sqrt(n_in), number for number.

    They are drawn on the generator's device (on the CPU without a generator) and then moved to ``device``, so that one
    seed gives one network on every device.
    """
    source = "cpu" if generator is None else generator.device
    bound = math.sqrt(3.0) * (math.sqrt(2.0 / 6.0) / math.sqrt(n_in))  # the rounding of nn.init.kaiming_uniform_
    weight = torch.empty(n_out, n_in, dtype=dtype, device=source).uniform_(-bound, bound, generator=generator)
    if not bias:
        return Linear(weight.to(device))
    bound = 1 / math.sqrt(n_in)
    b = torch.empty(n_out, dtype=dtype, device=source).uniform_(-bound, bound, generator=generator)
    return Linear(weight.to(device), b.to(device))


def random_conv2d(
    c_in: int,
    c_out: int,
    kernel: int | Pair,
    *,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    bias: bool = True,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Conv2d:
    """Draw weights and biases as ``nn.Conv2d`` does: those of a unit with c_in k_h k_w inputs, number for number."""
    height, width = pair("random_conv2d", "kernel", kernel, least=1)
    drawn = random_linear(c_in * height * width, c_out, bias=bias, generator=generator, dtype=dtype, device=device)
    return Conv2d(drawn.weight.view(c_out, c_in, height, width), drawn.bias, stride, padding)


def random_rnn(
    n_in: int,
    n: int,
    *,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> RNN:
    """Draw weights and biases as ``nn.RNN`` does: uniform within 1 / sqrt(n), number for number."""
    source, bound = "cpu" if generator is None else generator.device, 1 / math.sqrt(n)
    drawn = (
        torch.empty(shape, dtype=dtype, device=source).uniform_(-bound, bound, generator=generator)
        for shape in ((n, n_in), (n, n), (n,), (n,))
    )
    return RNN(*(p.to(device) for p in drawn))


def _checked_sizes(sizes: Sequence[int]) -> list[int]:
    try:
        whole = [index(n) for n in sizes if not isinstance(n, bool)]
    except TypeError:
        whole = []
    if len(whole) < 2 or len(whole) != len(sizes) or min(whole) < 1:
        raise ValueError(f"mlp expects sizes of at least two layers, each a whole number from 1, got {sizes!r}")
    return whole
