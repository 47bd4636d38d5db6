"""One real digit for the page: a 784-30-10 network, trained here, and test digits for it.

    x^0    784 pixels, no ink 0, full ink 1
    x^1     30 sigmoid units
    y       10 sigmoid units, one a class; t is one-hot, the loss is the squared error (E6)

The page computes everything anew from the same weights. They go over as float32; both sides then calculate in
float64, so that their numbers may differ by the rounding of float64 alone.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import torch
from torch import Tensor

from manual_bp import Linear, Network, Sigmoid, SquaredError, mlp
from manual_bp.training.images.data import Images, mnist5k
from manual_bp.training.run.evaluation import mistakes
from torch_ref.lesson.walk.size import sizes_of
from torch_ref.lesson.walk.training import BATCH_SIZE, EPOCHS, RATES, ink, one_thread, train

HIDDEN = 30
LEARNING_RATE = RATES["sigmoid", "squared-error"]
SEED = 1
WRONG = 4
"""How many of the digits are ones that the network gets wrong."""


def digit_data() -> dict[str, Any]:
    """Train the network, and return it with its digits: numbers as JSON, arrays in base64."""
    training, test = mnist5k()
    with one_thread():
        network = exact(trained(training, EPOCHS))
        y = network.forward(ink(test)).y
    right = int((y.argmax(1) == test.labels).sum())
    samples = chosen(y, test.labels)
    linears = [layer for layer in network.layers if isinstance(layer, Linear)]
    return {
        "sizes": sizes_of(network),
        "weights": [_base64(linear.weight) for linear in linears],
        "biases": [_base64(linear.bias) for linear in linears if linear.bias is not None],
        "training": {"digits": len(training), "epochs": EPOCHS, "batchSize": BATCH_SIZE, "lr": LEARNING_RATE},
        "test": {"digits": len(test), "right": right},
        "digits": [{"pixels": _bytes(test.pixels[n]), "label": int(test.labels[n])} for n in samples],
        "first": least_sure(y[samples], test.labels[samples]),
    }


def trained(training: Images, epochs: int) -> Network:
    """Return the network after training in float32; the same numbers every time."""
    generator = torch.Generator().manual_seed(SEED)
    sizes = [training.pixels[0].numel(), HIDDEN, training.classes]
    network = mlp(sizes, loss=SquaredError(reduction="sum"), generator=generator)
    train(network, training, LEARNING_RATE, epochs, generator)
    return network


def exact(network: Network) -> Network:
    """Return the network with the very same parameters in float64."""
    layers: list[Linear | Sigmoid] = []
    for layer in network.layers:
        if isinstance(layer, Linear) and layer.bias is not None:
            layers += [Linear(layer.weight.double(), layer.bias.double()), Sigmoid()]
    return Network(tuple(layers), network.loss_function)


def chosen(y: Tensor, labels: Tensor) -> list[int]:
    """Return the first sample of each class that is answered right, then those answered wrong most confidently."""
    right = y.argmax(1) == labels
    firsts = [int((right & (labels == k)).nonzero()[0]) for k in range(y.shape[1])]
    return firsts + mistakes(y, labels)[:WRONG].tolist()


def least_sure(y: Tensor, labels: Tensor) -> int:
    """Return which sample is answered right with the least confidence: it has something left to learn."""
    confidence = y.gather(1, labels.unsqueeze(1)).squeeze(1)
    return int(confidence.where(y.argmax(1) == labels, torch.inf).argmin())


def _base64(parameter: Tensor) -> str:
    """Return the float32 numbers, row by row, the lowest byte of each first."""
    return b64encode(parameter.float().numpy().astype("<f4").tobytes()).decode()


def _bytes(picture: Tensor) -> str:
    return b64encode(picture.numpy().tobytes()).decode()
