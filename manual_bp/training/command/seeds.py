"""Several runs that differ in their seed alone, and what is said of them together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean, stdev

import torch

from manual_bp.training.command.ending import INTERRUPTED, Answers, Ending
from manual_bp.training.command.settings import Settings
from manual_bp.training.engine.processes import Processes


def run_seeds(settings: Settings, processes: Processes, run_one: Callable[[int], Ending]) -> int:
    """Run each seed by ``run_one``, up to one that does not come to its end; return the exit code."""
    accuracies: list[float] = []
    together: list[Answers] = []
    for seed in range(settings.seed, settings.seed + settings.seeds):
        ending = run_one(seed)
        if ending.code or ending.is_interrupted:
            return ending.code or INTERRUPTED
        accuracies.append(ending.accuracy)
        if ending.answers is not None:
            together.append(ending.answers)
    if processes.is_main:
        print(f"test accuracy {spread(accuracies)} of {settings.seeds} seeds")
        if together:
            print(f"test accuracy {accuracy_of_mean(together):.2%} of the mean of their answers")
    return 0


def accuracy_of_mean(together: Sequence[Answers]) -> float:
    """Return the share of test images that are answered right by the mean of several networks' answers.

    Raises ValueError where their test images are not the same.
    """
    first = together[0]
    for each in together:
        if not torch.equal(each.labels, first.labels) or each.y.shape != first.y.shape:
            raise ValueError("expected runs with the same test images, to answer them together")
    y = torch.stack([each.y.double() for each in together]).mean(0)
    return (y.argmax(1).cpu() == first.labels).double().mean().item()


def spread(accuracies: Sequence[float]) -> str:
    """Return mean and standard deviation of several runs."""
    return f"{mean(accuracies):.2%} ± {stdev(accuracies):.2%} (mean ± sd)"
