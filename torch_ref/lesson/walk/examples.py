"""What can be walked through: the lecture's X1 and X2, a random network, one real digit. A batch of one sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise

import torch
from torch import Tensor

from manual_bp import Flatten, Layer, Linear, Loss, MaxPool2d, Network, SoftmaxCrossEntropy, SquaredError, lecture
from manual_bp.initial import random_conv2d, random_linear
from manual_bp.training.images.data import mnist5k
from torch_ref.lesson.walk.activations import ACTIVATIONS, activation_of
from torch_ref.lesson.walk.size import is_walkable, sizes_of
from torch_ref.lesson.walk.training import RATES, Training, trained

LOSSES: dict[str, Loss] = {
    "squared-error": SquaredError(reduction="sum"),
    "cross-entropy": SoftmaxCrossEntropy(reduction="sum"),
}

DRAWS = 100
"""How often weights are drawn again where every unit of a ReLU layer puts out 0."""


@dataclass(frozen=True)
class Slide:
    """A number as the slides print it, and their calculation where they show one."""

    printed: str
    calculation: str = ""


@dataclass(frozen=True)
class Example:
    """A network, one sample x (1, n^0) with its target t (1, n^L), None where there is only a forward pass, and η."""

    title: str
    network: Network
    x: Tensor
    t: Tensor | None
    lr: float
    slides: Mapping[str, Slide] = field(default_factory=dict)
    """By quantity, what is printed in the lecture."""
    pixels: Tensor | None = None
    """The picture (height, width) that x is made of."""
    label: int | None = None
    training: Training | None = None
    """How the network was trained; None where its weights are as they were drawn."""

    @property
    def has_biases(self) -> bool:
        """Tell whether the layers have biases."""
        return any(name.endswith("bias") for name in self.network.parameters())

    @property
    def sizes(self) -> list[int]:
        """Return the numbers of units, n^0 to n^L."""
        if not self.is_of_images:
            return sizes_of(self.network)
        trace = self.network.forward(self.x)
        return [self.x[0].numel(), *(trace.net(l)[0].numel() for l in range(1, self.network.depth + 1))]

    @property
    def is_of_images(self) -> bool:
        """Tell whether x is an image (1, c, h, w), and the network one with a convolution."""
        return self.x.ndim == 4

    @property
    def is_walkable(self) -> bool:
        """Tell whether it is walked through number by number; a larger one is tensor by tensor."""
        return not self.is_of_images and is_walkable(self.sizes, bias=self.has_biases)

    @property
    def description(self) -> str:
        """Describe the network: a 2-2-1 network, sigmoid, squared error, no biases, float64."""
        softmax = isinstance(self.network.loss_function, SoftmaxCrossEntropy)
        if self.is_of_images:
            dtype = str(self.network.buffer.dtype).removeprefix("torch.")
            pixels = " × ".join(map(str, self.x.shape[2:]))
            layers = ", ".join(repr(layer).removesuffix("()") for layer in self.network.layers)
            return f"{pixels} pixels through {layers}, {type(self.network.loss_function).__name__}, {dtype}"
        activations = [type(layer).__name__ for layer in self.network.layers if not isinstance(layer, Linear)]
        parts = [f"a {'-'.join(map(str, self.sizes))} network", *dict.fromkeys(map(str.lower, activations))]
        parts += ["softmax and cross-entropy" if softmax else "squared error"] if self.t is not None else []
        parts += [] if self.has_biases else ["no biases"]
        return ", ".join([*parts, str(self.network.buffer.dtype).removeprefix("torch.")])


def x1(which: int) -> Example:
    """Return X1 with its input 1 or 2; the slides give no target."""
    numbers = {n.quantity: Slide(n.printed) for n in lecture.X1_NUMBERS[which - 1]}
    return Example(f"X1, input {which}", lecture.x1_network(), _row(lecture.X1_INPUTS[which - 1]), None, 1.0, numbers)


def x2(lr: float = lecture.X2_LEARNING_RATE) -> Example:
    """Return X2; with another η than the slides' the updated weights have nothing to be compared with."""
    calculations = lecture.on_paper()
    slides = {n.quantity: Slide(n.printed, calculations[n.quantity].text) for n in lecture.X2_NUMBERS}
    if lr != lecture.X2_LEARNING_RATE:
        slides = {name: slide for name, slide in slides.items() if not name.endswith(" after")}
    return Example("X2", lecture.x2_network(), _row(lecture.X2_INPUT), _row(lecture.X2_TARGET), lr, slides)


def random_example(sizes: Sequence[int], activation: str, loss: str, seed: int, lr: float, *, bias: bool) -> Example:
    """Return a network with weights, input and target of two decimals each, so that a reader can calculate along."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(DRAWS):
        linears = [_two_decimal_linear(a, b, generator, bias=bias) for a, b in pairwise(sizes)]
        x = _hundredths(5, 100, (1, sizes[0]), generator)
        network = _network(linears, activation, loss)
        if all(value.any() for value in network.forward(x).values):
            break
    t = _target(network, sizes[-1], generator)
    return Example(f"Random, seed {seed}", network, x, t, lr)


def of_images(activation: str, loss: str, seed: int, lr: float, *, bias: bool) -> Example:
    """Return a small network with two convolutions and a pooling, weights as ``nn.Conv2d`` draws them, and an image."""
    generator = torch.Generator().manual_seed(seed)
    own, dtype = ACTIVATIONS[activation].layer, torch.float64
    for _ in range(DRAWS):
        lower = random_conv2d(1, 2, 3, padding=1, bias=bias, generator=generator, dtype=dtype)
        upper = random_conv2d(2, 2, 2, bias=bias, generator=generator, dtype=dtype)
        linear = random_linear(8, 3, bias=bias, generator=generator, dtype=dtype)
        layers: list[Layer] = [lower, own, MaxPool2d(2), upper, own, Flatten(), linear, own]
        if loss == "cross-entropy":
            layers.pop()
        network = Network(tuple(layers), LOSSES[loss])
        x = torch.rand(1, 1, 6, 6, generator=generator, dtype=dtype)
        if all(value.any() for value in network.forward(x).values):
            break
    t = _target(network, 3, generator)
    return Example(f"Random, seed {seed}", network, x, t, lr)


def large_example(sizes: Sequence[int], activation: str, loss: str, seed: int, lr: float, *, bias: bool) -> Example:
    """Return a network that is too large for a reader to calculate along: weights as ``nn.Linear`` draws them."""
    generator = torch.Generator().manual_seed(seed)
    network = _drawn(sizes, activation, loss, generator, torch.float64, bias=bias)
    x = _hundredths(5, 100, (1, sizes[0]), generator)
    return Example(f"Random, seed {seed}", network, x, _target(network, sizes[-1], generator), lr)


def digit(index: int, reader: Reader, lr: float) -> Example:
    """Return one of the 1,000 test digits before a network that reads digits."""
    _, images = mnist5k()
    pixels, label = images.pixels[index], int(images.labels[index])
    t = torch.zeros(1, images.classes)
    t[0, label] = 1.0
    title, x = f"Test digit {index}, a {label}", pixels.flatten()[None] / 255
    return Example(title, reader.network, x, t, lr, pixels=pixels, label=label, training=reader.training)


@dataclass(frozen=True)
class Reader:
    """A network from 784 pixels to 10 digits in float32, trained or as it was drawn."""

    network: Network
    training: Training | None = None


@cache
def reader(
    sizes: tuple[int, ...], activation: str, loss: str, seed: int, *, bias: bool, is_trained: bool = True
) -> Reader:
    """Draw a network, and train it.

    Raises UntrainableError where training ends with numbers that are not finite.
    """
    generator = torch.Generator().manual_seed(seed)
    network = _drawn(sizes, activation, loss, generator, torch.float32, bias=bias)
    return Reader(network, trained(network, RATES[activation, loss], generator) if is_trained else None)


def _drawn(
    sizes: Sequence[int], activation: str, loss: str, generator: torch.Generator, dtype: torch.dtype, *, bias: bool
) -> Network:
    draw = [random_linear(a, b, bias=bias, generator=generator, dtype=dtype) for a, b in pairwise(sizes)]
    return _network(draw, activation, loss)


def _network(linears: Sequence[Linear], activation: str, loss: str) -> Network:
    """Put an activation after each linear layer, but none after the last one before a softmax."""
    layers: list[Layer] = [layer for linear in linears for layer in (linear, ACTIVATIONS[activation].layer)]
    if loss == "cross-entropy":
        layers.pop()
    return Network(tuple(layers), LOSSES[loss])


def _two_decimal_linear(n_in: int, n_out: int, generator: torch.Generator, *, bias: bool) -> Linear:
    weight = _signed(_hundredths(5, 100, (n_out, n_in), generator), generator)
    return Linear(weight, _signed(_hundredths(5, 50, (n_out,), generator), generator) if bias else None)


def _target(network: Network, outputs: int, generator: torch.Generator) -> Tensor:
    """Draw numbers that the last activation can reach; of a softmax, one class."""
    if isinstance(network.loss_function, SoftmaxCrossEntropy):
        t = torch.zeros(1, outputs, dtype=torch.float64)
        t[0, int(torch.randint(outputs, (), generator=generator))] = 1.0
        return t
    return _hundredths(*activation_of(network).targets, (1, outputs), generator)


def _hundredths(low: int, high: int, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.randint(low, high + 1, shape, generator=generator).double() / 100


def _signed(magnitudes: Tensor, generator: torch.Generator) -> Tensor:
    return torch.where(torch.rand(magnitudes.shape, generator=generator) < 0.4, -magnitudes, magnitudes)


def _row(values: Sequence[float]) -> Tensor:
    return torch.tensor([list(values)], dtype=torch.float64)
