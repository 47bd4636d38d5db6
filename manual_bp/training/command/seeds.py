"""Several runs that differ in their seed alone, and what is said of them together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean, stdev

from manual_bp.training.command.ending import INTERRUPTED, Ending
from manual_bp.training.command.settings import Settings
from manual_bp.training.engine.processes import Processes


def run_seeds(settings: Settings, processes: Processes, run_one: Callable[[int], Ending]) -> int:
    """Run each seed by ``run_one``, up to one that does not come to its end; return the exit code."""
    accuracies: list[float] = []
    for seed in range(settings.seed, settings.seed + settings.seeds):
        ending = run_one(seed)
        if ending.code or ending.is_interrupted:
            return ending.code or INTERRUPTED
        accuracies.append(ending.accuracy)
    if processes.is_main:
        print(f"test accuracy {spread(accuracies)} of {settings.seeds} seeds")
    return 0


def spread(accuracies: Sequence[float]) -> str:
    """Return mean and standard deviation of several runs."""
    return f"{mean(accuracies):.2%} ± {stdev(accuracies):.2%} (mean ± sd)"
