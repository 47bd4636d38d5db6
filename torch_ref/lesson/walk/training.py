"""A network that reads digits: trained on the spot by E9, with the same numbers every time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from manual_bp import GradientDescent, Network, one_hot
from manual_bp.training.engine.step import ManualEngine
from manual_bp.training.images.data import Images, mnist5k

EPOCHS = 12
BATCH_SIZE = 10
RATES = {
    ("sigmoid", "squared-error"): 0.3,
    ("tanh", "squared-error"): 0.01,
    ("relu", "squared-error"): 0.005,
    ("sigmoid", "cross-entropy"): 0.03,
    ("tanh", "cross-entropy"): 0.01,
    ("relu", "cross-entropy"): 0.01,
}
"""η of E9, for the sum over the batch (E7), by activation and loss: each gets more than nine test digits of ten right
with 784-30-10."""
WEIGHTS = 1_200_000
"""How many weights are gone through in all epochs: a large network is trained for fewer, and for seconds too."""


class UntrainableError(ValueError):
    """A network that training makes worse, to the point where its numbers are not finite."""


@dataclass(frozen=True)
class Training:
    """How a network was trained, and what came of it."""

    digits: int
    epochs: int
    right: int
    """Of the test digits."""
    of: int


def trained(network: Network, rate: float, generator: torch.Generator) -> Training:
    """Train a network in its own parameters on the 4,000 digits, and try it on the 1,000 test digits.

    Raises UntrainableError where it ends with numbers that are not finite.
    """
    training, test = mnist5k()
    epochs = epochs_of(network)
    with one_thread():
        train(network, training, rate, epochs, generator)
        y = network.forward(ink(test).to(network.buffer)).y
    if not (network.buffer.isfinite().all() and y.isfinite().all()):
        raise UntrainableError(f"training ends with numbers that are not finite, at η = {rate}")
    return Training(len(training), epochs, int((y.argmax(1) == test.labels).sum()), len(test))


def epochs_of(network: Network) -> int:
    """Return for how many epochs a network of its size is trained."""
    return max(1, min(EPOCHS, WEIGHTS // network.buffer.numel()))


def train(network: Network, images: Images, rate: float, epochs: int, generator: torch.Generator) -> None:
    """Train a network by E9, its gradients summed over each batch (E7) that the generator draws."""
    engine = ManualEngine(network, GradientDescent(network, lr=rate))
    x = ink(images).to(network.buffer)
    t = one_hot(images.labels, images.classes, like=x)
    for _ in range(epochs):
        for rows in torch.split(torch.randperm(len(x), generator=generator), BATCH_SIZE):
            engine.step(x[rows], t[rows])


def ink(images: Images) -> Tensor:
    """Return images as network input in float64, (n, height * width): no ink 0, full ink 1."""
    return images.pixels.flatten(1).double() / 255


@contextmanager
def one_thread() -> Iterator[None]:
    """Calculate in one thread: several would add up in another order, with other last bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
