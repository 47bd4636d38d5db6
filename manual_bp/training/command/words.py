"""A network in words: its layers in order, as the command line, a config.json and a checkpoint name them.

    mlp                             the perceptron of --hidden and --activation
    lenet                           conv:6:5:2 A max:2 conv:16:5 A max:2 linear:120 A linear:84 A, A the --activation
    conv:CHANNELS:KERNEL            a convolution; conv:CHANNELS:KERNEL:PADDING and ...:PADDING:STRIDE say more
    max:KERNEL, avg:KERNEL          pooling by windows that do not overlap; max:KERNEL:STRIDE moves by other steps
    linear:UNITS                    every unit sees everything below
    relu, sigmoid, tanh             σ of E2
    dropout:P                       each number is left out with probability P, in training alone

The last layer is not named: a linear one with a unit for each class. This module does not import torch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

PERCEPTRON = "mlp"
LENET = "lenet"
LAYERS_OF_LENET = ("conv:6:5:2", "{A}", "max:2", "conv:16:5", "{A}", "max:2", "linear:120", "{A}", "linear:84", "{A}")
"""LeNet-5's channels and units, {A} the activation. Its first kernel sees 32 × 32 pixels: 28 and the padding."""

KINDS = ("conv", "max", "avg", "linear", "dropout", "relu", "sigmoid", "tanh")

PATTERN = (
    "^(mlp|lenet|relu|sigmoid|tanh|conv(:[0-9]{1,5}){2,4}|(max|avg)(:[0-9]{1,5}){1,2}|linear:[0-9]{1,7}|"
    r"dropout:0(\.[0-9]{1,9})?)$"
)
"""What a word has to look like, as a regular expression."""

EXPECTED = "mlp, lenet, or layers such as conv:16:3, relu, max:2, linear:128"


class Word(NamedTuple):
    """A layer: its kind and its numbers."""

    kind: str
    numbers: tuple[Any, ...]


def layers(words: list[str], activation: str) -> list[Word]:
    """Return the layers that words name, without the last one; ValueError where a network's name is not alone."""
    if words == [LENET]:
        words = [word.format(A=activation) for word in LAYERS_OF_LENET]
    read = [_read(word) for word in words]
    for word, (kind, numbers) in zip(words, read, strict=True):
        if kind not in KINDS:
            raise ValueError(f"expected {word} alone, or layers such as conv:16:3, got {' '.join(words)}")
        may_be_zero = {"conv": 2, "dropout": 0}.get(kind)
        if any(number == 0 for i, number in enumerate(numbers) if i != may_be_zero):
            raise ValueError(f"expected whole numbers from 1, got {word}")
    return read


def _read(word: str) -> Word:
    kind, *numbers = word.split(":")
    return Word(kind, tuple(map(float if kind == "dropout" else int, numbers)))
