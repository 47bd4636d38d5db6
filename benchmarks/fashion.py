"""Time to 88 % on Fashion-MNIST, by manual_bp."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from statistics import median

import torch

from benchmarks.part import Part
from manual_bp import GradientDescent, ReLU, SoftmaxCrossEntropy, mlp
from manual_bp.training.engine.step import ManualEngine
from manual_bp.training.images.batches import Batches
from manual_bp.training.images.data import Images
from manual_bp.training.images.datasets import load
from manual_bp.training.run.evaluation import evaluate

FOLDER = Path(os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))
GOAL, EPOCHS = 0.88, 3
METHOD = (
    "784-256-10, ReLU, softmax cross-entropy, batch 128, 3 epochs, 2 threads; lr 0.08 falling as a cosine to 0, "
    "momentum 0.9 in Nesterov's form. The clock runs while it trains, data feeding included, and stops for the tests."
)


def measure(*, quick: bool = False) -> Part:
    """Train with three seeds (when quick, with one)."""
    part = Part("Fashion-MNIST", ("seed", "test accuracy after each epoch", "seconds to 88 %"), method=METHOD)
    if not FOLDER.is_dir():
        part.method = "Left out: no Fashion-MNIST here (Debian package dataset-fashion-mnist, or $FASHION_MNIST)."
        return part
    training, test = load("fashion-mnist", FOLDER)
    runs = [train(training, test, seed) for seed in range(1 if quick else 3)]
    for seed, run in enumerate(runs):
        part.rows.append(
            (
                str(seed),
                ", ".join(f"{a:.2%}" for _, a in run),
                f"{reached(run):.2f}" if run[-1][1] >= GOAL else "not reached",
            )
        )
    part.figures = {"runs": runs, "seconds_to_88": median(reached(run) for run in runs)}
    return part


def train(training: Images, test: Images, seed: int) -> list[tuple[float, float]]:
    """Return seconds of training and test accuracy after every epoch."""
    batches, test_batches = (
        Batches(half, size, standard=training, dtype=torch.float32, device="cpu")
        for half, size in ((training, 128), (test, 1000))
    )
    generator = torch.Generator().manual_seed(seed)
    network = mlp([784, 256, 10], activation=ReLU(), loss=SoftmaxCrossEntropy(), generator=generator)
    engine = ManualEngine(network, GradientDescent(network, lr=0.08, momentum=0.9, nesterov=True))
    run, seconds, step, steps = [], 0.0, 0, EPOCHS * len(batches)
    with torch.inference_mode():
        for epoch in range(EPOCHS):
            began = time.perf_counter()
            for x, t in batches.shuffled(seed, epoch):
                engine.descent.lr = 0.04 * (1 + math.cos(math.pi * step / steps))
                engine.step(x, t)
                step += 1
            seconds += time.perf_counter() - began
            run.append((seconds, evaluate(network, test_batches.in_order()).accuracy))
    return run


def reached(run: list[tuple[float, float]]) -> float:
    """Return the seconds of training after which the goal was reached, infinity where it was not."""
    return next((seconds for seconds, share in run if share >= GOAL), float("inf"))
