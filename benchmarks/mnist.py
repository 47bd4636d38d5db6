"""MNIST's 60,000 images: seconds an epoch and to 97, 98 and 99 %, by four programs as people write them."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmarks.epoch import PerImage
from benchmarks.part import Part
from manual_bp import GradientDescent, ReLU, SoftmaxCrossEntropy, mlp
from manual_bp.training.command.start import AUGMENT
from manual_bp.training.engine.step import ManualEngine
from manual_bp.training.images.batches import Batches
from manual_bp.training.images.data import Images
from manual_bp.training.images.datasets import load
from manual_bp.training.run.evaluation import evaluate

FOLDER = Path(os.environ.get("MNIST", "data"))
GOALS = (0.97, 0.98, 0.99)
EPOCHS, BATCH, LR, MOMENTUM, HIDDEN = 10, 128, 0.1, 0.9, 256
USUAL = 0.1307, 0.3081
"""Mean and standard deviation of MNIST's pixels, as most programs have them."""
METHOD = (
    f"784-{HIDDEN}-10 with ReLU, {EPOCHS} epochs in batches of {BATCH}, momentum {MOMENTUM}, learning rate {LR} "
    "falling to 0 as a cosine, no penalty, one seed, all with the same number of threads. PyTorch: Dataset, transforms "
    "for each image, DataLoader without processes of its own, nn.Sequential, optim.SGD. JAX: one jitted step, the "
    "images in one array. scikit-learn: MLPClassifier as it comes (Adam), an epoch for each partial_fit. The last row "
    "is by hand with distorted images and 784-512-256-10, which the others would need too. The clock stops for tests."
)

Epochs = Iterator[tuple[float, float]]
"""Seconds of training so far and the accuracy on the test images, after every epoch."""


def measure(*, quick: bool = False) -> Part:
    """Train with everybody (when quick, two epochs each)."""
    part = Part("MNIST", ("", "s an epoch", *(f"s to {goal:.0%}" for goal in GOALS), "at the end"), method=METHOD)
    if not FOLDER.is_dir():
        part.method = "Left out: no MNIST here (its four files in the folder that $MNIST names)."
        return part
    training, test = load("mnist", FOLDER)
    for name, train in TRAINERS.items():
        try:
            found = list(train(training, test, 2 if quick else EPOCHS))
        except ModuleNotFoundError as error:
            part.method += f" {name} is left out: {error}."
            continue
        reached = [next((seconds for seconds, share in found if share >= goal), None) for goal in GOALS]
        part.rows.append(
            (
                name,
                f"{found[-1][0] / len(found):.2f}",
                *("–" if seconds is None else f"{seconds:.1f}" for seconds in reached),
                f"{found[-1][1]:.2%}",
            )
        )
        part.figures[name] = found
    return part


def by_hand(
    training: Images, test: Images, epochs: int, augment: str = "none", hidden: tuple[int, ...] = (HIDDEN,)
) -> Epochs:
    """Train by hand."""
    kind: dict[str, Any] = {"standard": training, "dtype": torch.float32, "device": "cpu"}
    batches, tests = Batches(training, BATCH, **kind, **AUGMENT[augment]), Batches(test, 1000, **kind)
    generator = torch.Generator().manual_seed(0)
    network = mlp([784, *hidden, 10], activation=ReLU(), loss=SoftmaxCrossEntropy(), generator=generator)
    engine = ManualEngine(network, GradientDescent(network, lr=LR, momentum=MOMENTUM))
    clock, step = _Clock(), 0
    with torch.inference_mode():
        for epoch in range(epochs):
            with clock:
                for x, t in batches.shuffled(0, epoch):
                    engine.descent.lr = _cosine(step / (epochs * len(batches)))
                    engine.step(x, t)
                    step += 1
            yield clock.seconds, evaluate(network, tests.in_order()).accuracy


def distorted(training: Images, test: Images, epochs: int) -> Epochs:
    """Train a larger network by hand, with distorted images."""
    return by_hand(training, test, epochs, augment="affine", hidden=(512, 256))


def by_pytorch(training: Images, test: Images, epochs: int) -> Epochs:
    """Train as most tutorials do."""
    torch.manual_seed(0)
    loader = DataLoader(PerImage(training, *USUAL), BATCH, shuffle=True)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(loader))
    loss_function, clock = nn.CrossEntropyLoss(), _Clock()
    x, labels = _standardised(test), test.labels
    for _ in range(epochs):
        with clock:
            for images, classes in loader:
                optimizer.zero_grad()
                loss_function(model(images), classes).backward()
                optimizer.step()
                schedule.step()
        with torch.no_grad():
            yield clock.seconds, float((model(x).argmax(1) == labels).double().mean())


def by_jax(training: Images, test: Images, epochs: int) -> Epochs:
    """Train with one jitted step; raises ModuleNotFoundError where JAX is not installed."""
    jax = import_module("jax")
    numbers, random = jax.numpy, np.random.default_rng(0)
    images, labels = (numbers.asarray(t.numpy()) for t in (_standardised(training), training.labels))
    x_test, of_test = numbers.asarray(_standardised(test).numpy()), test.labels.numpy()
    sizes = [(784, HIDDEN), (HIDDEN, 10)]
    leaves = [numbers.asarray(random.normal(0, (2 / n) ** 0.5, (n, m)).astype(np.float32)) for n, m in sizes]
    leaves = [leaf for w in leaves for leaf in (w, numbers.zeros(w.shape[1], numbers.float32))]

    def net(leaves: list[Any], x: Any) -> Any:
        w1, b1, w2, b2 = leaves
        return jax.nn.relu(x @ w1 + b1) @ w2 + b2

    def loss(leaves: list[Any], x: Any, t: Any) -> Any:
        return -jax.nn.log_softmax(net(leaves, x))[numbers.arange(len(t)), t].mean()

    @jax.jit  # type: ignore[untyped-decorator]  # JAX may not be installed
    def step(leaves: list[Any], speeds: list[Any], rows: Any, lr: float) -> Any:
        gradients = jax.grad(loss)(leaves, images[rows], labels[rows])
        speeds = [MOMENTUM * v + g for v, g in zip(speeds, gradients, strict=True)]
        return [p - lr * v for p, v in zip(leaves, speeds, strict=True)], speeds

    speeds, clock, done, steps = [0 * leaf for leaf in leaves], _Clock(), 0, epochs * (len(training) // BATCH)
    step(leaves, speeds, np.arange(BATCH), LR)  # compiled before the clock runs
    for _ in range(epochs):
        with clock:
            order = random.permutation(len(training))
            for rows in order[: len(order) // BATCH * BATCH].reshape(-1, BATCH):
                leaves, speeds = step(leaves, speeds, rows, _cosine(done / steps))
                done += 1
            jax.block_until_ready(leaves)
        yield clock.seconds, float((np.asarray(net(leaves, x_test)).argmax(1) == of_test).mean())


def by_sklearn(training: Images, test: Images, epochs: int) -> Epochs:
    """Train MLPClassifier; raises ModuleNotFoundError where scikit-learn is not installed."""
    model = import_module("sklearn.neural_network").MLPClassifier((HIDDEN,), random_state=0)
    images, labels = _standardised(training).flatten(1).numpy(), training.labels.numpy()
    x, of_test, clock = _standardised(test).flatten(1).numpy(), test.labels.numpy(), _Clock()
    for _ in range(epochs):
        with clock:
            model.partial_fit(images, labels, classes=np.arange(10))
        yield clock.seconds, float(model.score(x, of_test))


TRAINERS: Mapping[str, Callable[[Images, Images, int], Epochs]] = {
    "by hand": by_hand,
    "PyTorch": by_pytorch,
    "JAX": by_jax,
    "scikit-learn": by_sklearn,
    "by hand, distorted images": distorted,
}


class _Clock:
    """Seconds inside ``with``, added up."""

    def __init__(self) -> None:
        self.seconds = self._began = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._began


def _cosine(share: float) -> float:
    """Return the learning rate where so much of the training is done."""
    return LR / 2 * (1 + math.cos(math.pi * share))


def _standardised(images: Images) -> Tensor:
    """Return the images as rows of floats, as PerImage makes each of them."""
    mean, deviation = USUAL
    return images.pixels.flatten(1).float().div(255).sub(mean).div(deviation)
