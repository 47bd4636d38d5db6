"""The network that the settings of a run name."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import torch

from manual_bp import (
    AvgPool2d,
    Dropout,
    Flatten,
    Layer,
    Loss,
    MaxPool2d,
    Network,
    ReLU,
    Sigmoid,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
    Unflatten,
    mlp,
)
from manual_bp.initial import random_conv2d, random_linear
from manual_bp.layer import parameters
from manual_bp.training.command.usage import UsageError
from manual_bp.training.command.words import LENET, PERCEPTRON, Word, layers

if TYPE_CHECKING:
    from manual_bp.training.command.settings import Settings

ACTIVATIONS: dict[str, Layer] = {"sigmoid": Sigmoid(), "tanh": Tanh(), "relu": ReLU()}
LOSSES: dict[str, Loss] = {"cross-entropy": SoftmaxCrossEntropy(), "squared-error": SquaredError()}
POOLINGS = {"max": MaxPool2d, "avg": AvgPool2d}


def new_network(settings: Settings, side: int, classes: int, device: str = "cpu") -> Network:
    """Return the network for images of side × side pixels, its first weights drawn from the seed.

    Its input is rows of pixels (N, side²). UsageError where the layers that the settings name do not fit each other.
    """
    drawing = {
        "generator": torch.Generator().manual_seed(settings.seed),
        "dtype": getattr(torch, settings.dtype),
        "device": device,
    }
    activation, loss = ACTIVATIONS[settings.activation], LOSSES[settings.loss]
    try:
        if settings.network == [PERCEPTRON]:
            made = mlp([side * side, *settings.hidden, classes], activation=activation, loss=loss, **drawing)
            return _with_dropout(made, settings.dropout)
        if settings.dropout:
            hint = f"put dropout:{settings.dropout:g} among the layers of --network"
            raise UsageError(f"argument --dropout: it is for the hidden layers of mlp; {hint}")
        making = _Making(side, drawing)
        for word in _words(settings):
            making.add(word)
        making.add(Word("linear", (classes,)))
        if isinstance(loss, SquaredError):
            making.layers.append(activation)
        return Network(tuple(making.layers), loss)
    except RuntimeError as error:
        name = "hidden" if settings.network == [PERCEPTRON] else "network"
        what = f"a network {_layers(settings, side, classes)} does not fit into memory here"
        raise UsageError(f"argument --{name}: {what}: {str(error).splitlines()[0]}") from error


def _with_dropout(network: Network, p: float) -> Network:
    """Return a perceptron with a dropout after the activation of every hidden layer; itself where p is 0."""
    if not p:
        return network
    ends = [network.index_of_x(l) for l in range(1, network.depth)]
    layers = [[Dropout(p), layer] if i in ends else [layer] for i, layer in enumerate(network.layers)]
    return Network(tuple(itertools.chain(*layers)), network.loss_function)


def described(settings: Settings, side: int, classes: int) -> str:
    """Return the network in a few words: '784-256-128-10, relu', or 'lenet, relu', or its layers."""
    is_named = settings.network in ([PERCEPTRON], [LENET])
    dropout = f", dropout {settings.dropout:g}" if settings.dropout else ""
    return _layers(settings, side, classes) + (f", {settings.activation}" if is_named else "") + dropout


def _layers(settings: Settings, side: int, classes: int) -> str:
    if settings.network == [PERCEPTRON]:
        return "-".join(map(str, [side * side, *settings.hidden, classes]))
    return LENET if settings.network == [LENET] else " ".join([*settings.network, f"linear:{classes}"])


def _words(settings: Settings) -> list[Word]:
    try:
        return layers(settings.network, settings.activation)
    except ValueError as error:
        raise UsageError(f"argument --network: {error}") from error


class _Making:
    """A network while its layers are added: each is given the shape of what comes out of the one below."""

    def __init__(self, side: int, drawing: dict[str, Any]) -> None:
        self.layers: list[Layer] = []
        self.shape: tuple[int, ...] = (side * side,)
        self.side, self.drawing = side, drawing

    def add(self, word: Word) -> None:
        """Add the layer that a word names, and before it what turns rows into images or images into rows."""
        match word:
            case Word("linear", (units,)):
                if len(self.shape) > 1:
                    self.layers.append(Flatten())
                (n_in,) = self.shape = (torch.Size(self.shape).numel(),)
                self.layers.append(random_linear(n_in, units, **self.drawing))
                self.shape = (units,)
            case Word("conv", (channels, kernel, *more)):
                padding, stride = (more + [0, 1][len(more) :])[:2]
                c_in = self._as_images(word)
                layer = random_conv2d(c_in, channels, kernel, stride=stride, padding=padding, **self.drawing)
                self._add_windows(word, layer, channels)
            case Word("max" | "avg" as kind, (kernel, *more)):
                channels = self._as_images(word)
                self._add_windows(word, POOLINGS[kind](kernel, *more), channels)
            case Word("dropout", (p,)):
                self.layers.append(Dropout(p))
            case Word(kind, _):
                self.layers.append(ACTIVATIONS[kind])

    def _as_images(self, word: Word) -> int:
        """Return the channels of the images that come in, which the rows of pixels at the beginning become."""
        if not self.layers:
            self.shape = (1, self.side, self.side)
            self.layers.append(Unflatten(self.shape))
        if len(self.shape) == 1:
            before = "linear:N" if any(parameters(layer) for layer in self.layers) else "any other layer"
            raise UsageError(f"argument --network: {_spelt(word)} expects images, got rows: put it before {before}")
        return self.shape[0]

    def _add_windows(self, word: Word, layer: Any, channels: int) -> None:
        height, width = layer.windows.counted(*self.shape[1:])
        if min(height, width) < 1:
            size = f"{self.shape[1]} × {self.shape[2]}"
            raise UsageError(f"argument --network: {_spelt(word)} does not fit into images of {size} pixels")
        self.layers.append(layer)
        self.shape = (channels, height, width)


def _spelt(word: Word) -> str:
    return ":".join([word.kind, *map(str, word.numbers)])
