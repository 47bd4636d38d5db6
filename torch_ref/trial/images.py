"""Small convolutional networks for the trial: one for each planted fault of a layer of images, and random ones."""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import Tensor

from manual_bp import (
    AvgPool2d,
    Conv2d,
    Flatten,
    Layer,
    Loss,
    MaxPool2d,
    Network,
    ReLU,
    SquaredError,
    Tanh,
)
from manual_bp.initial import random_conv2d, random_linear

KINDS = (Conv2d, MaxPool2d, AvgPool2d)
"""What is tried in a network of images."""

IMAGE = (2, 9, 8)
"""Channels, rows and columns of what the network for a fault takes."""

CLASSES = 4


def network_of_images(kind: type, dtype: torch.dtype, generator: torch.Generator) -> tuple[Network, int]:
    """Return a network that has a layer of one of the KINDS in the lecture's layer 2, and 2. It gives images.

    The second convolution has a stride, padding, and as many channels in as out. The pooling's windows overlap, and
    behind the ReLU all pixels of some of them are 0.
    """
    pooling = MaxPool2d(2, stride=(2, 1)) if kind is MaxPool2d else AvgPool2d((3, 2), stride=(2, 1))
    layers = (
        random_conv2d(IMAGE[0], 4, 3, padding=1, dtype=dtype, generator=generator),
        Tanh(),
        random_conv2d(4, 4, 3, stride=(2, 1), padding=1, dtype=dtype, generator=generator),
        ReLU(),
        pooling,
    )
    return Network(layers, SquaredError()), 2


def random_network_of_images(
    draw: random.Random, activation: Layer, loss: Loss, rows: int, dtype: torch.dtype, generator: torch.Generator
) -> tuple[Network, Tensor]:
    """Return a correct network of one or two convolutions, with or without pooling, and images (rows, c, h, w)."""
    shape = rows, draw.choice([1, 2, 3]), draw.randint(6, 14), draw.randint(6, 14)
    x = torch.randn(shape, dtype=dtype, generator=generator)
    layers: list[Layer] = []
    y = x[:1]
    for _ in range(draw.randint(1, 2)):
        settings: dict[str, Any] = {"stride": draw.choice([1, 1, 2]), "padding": draw.choice([0, 1, 2])}
        kernel, c_out = min(draw.choice([1, 2, 3]), *y.shape[2:]), draw.choice([1, 2, 4, 6])
        drawn = random_conv2d(y.shape[1], c_out, kernel, **settings, dtype=dtype, generator=generator)
        layers += [drawn, activation]
        y, _ = drawn.forward(y)
        if draw.random() < 0.7 and min(y.shape[2:]) > 1:
            stride = draw.choice([None, 1])
            pooling: Layer = MaxPool2d(2, stride) if draw.random() < 0.5 else AvgPool2d(2, stride)
            layers.append(pooling)
            y, _ = pooling.forward(y)
    linear = random_linear(y[0].numel(), CLASSES, dtype=dtype, generator=generator)
    return Network((*layers, Flatten(), linear), loss), x
