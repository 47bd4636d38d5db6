"""A step with the matrix products of each library: rounds in which all compute in turn, on one thread and on two."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median

import torch

from benchmarks.cases import CASES, Problem, problem
from benchmarks.contenders.contender import Contender
from benchmarks.contenders.manual import Manual
from benchmarks.equality import after_steps, difference
from benchmarks.machine import cores, load
from benchmarks.part import Part
from benchmarks.worker import BLOCK, Worker, block
from manual_bp.products import LIBRARIES
from manual_bp.training.engine.fastest import TORCH, fastest, multiplied_by, seconds_of_a_step, set_threads

IN = ("c128", "c1024", "d", "e")
"""The cases in which a step is almost only matrix products."""
NAMES = (TORCH, *LIBRARIES)
ROUNDS, QUICK_ROUNDS = 25, 5
METHOD = (
    f"ManualEngine.step as train.py --products runs it, float32: medians of {ROUNDS} rounds ({QUICK_ROUNDS} with "
    "--quick, without e), and of the ratio in each round. Each computes the same step, which is checked first. Where "
    "numpy multiplies, the threads are numpy's, and torch has one. 'fastest' is what --products fastest takes."
)


class ManualBy(Manual):
    """manual_bp with the products of a library."""

    def __init__(self, problem: Problem, name: str) -> None:
        """Make network and engine."""
        self.name = name
        super().__init__(problem, lambda network: multiplied_by(network, name))

    @contextmanager
    def scope(self) -> Iterator[None]:  # type: ignore[override]  # a context as the other is
        """Let the threads of the process be those of the library that multiplies."""
        threads = torch.get_num_threads()
        set_threads(threads, self.name)
        try:
            with torch.inference_mode():
                yield
        finally:
            torch.set_num_threads(threads)


def measure(*, quick: bool = False) -> Part:
    """Measure in a process with one thread, then (unless quick) in one with two.

    Not with two on a busy machine: there they wait for a core ten times as long as they compute.
    """
    programs = load() or 0.0  # where nobody counts them, nobody is known to be in the way
    is_busy = programs > cores()
    threads = [n for n in (1, 2) if n <= (1 if quick or is_busy else cores())]
    others = NAMES[1:]
    heads = (*(f"ms, {name}" for name in NAMES), *(f"torch / {name}" for name in others), "fastest")
    made = Part("A step with the products of each library", ("", *heads), method=METHOD)
    for n in threads:
        with Worker(n) as worker:
            figures = worker.part(measure_here, quick=quick).figures
        made.figures[f"threads_{n}"] = figures
        for case, found in figures.items():
            ms = (f"{found['ms'][name]:.2f}" for name in NAMES)
            gains = (f"{found['gain'][name]:.2f}" for name in others)
            made.rows.append((f"{case}, {n} thread{'s' * (n > 1)}", *ms, *gains, found["fastest"]))
    if is_busy:
        made.method += f" Two threads were left out, at a load of {programs:.1f} on {cores()} cores."
    return made


def measure_here(*, quick: bool = False) -> Part:
    """Measure with the threads of this process."""
    part = Part("", ())
    for case in IN[: -1 if quick else None]:
        part.figures[case] = _figures(problem(CASES[case]), QUICK_ROUNDS if quick else ROUNDS)
    return part


def _figures(this: Problem, rounds: int) -> dict[str, object]:
    """Return the milliseconds of a step with each library, torch's time over each, and who is taken for the fastest."""
    first, mine = this.arrays(), after_steps(Manual(this))
    makers: dict[str, Callable[[], Contender]] = {name: partial(ManualBy, this, name) for name in NAMES}
    for name, make in makers.items():
        if wrong := difference(first, mine, after_steps(make())):
            raise ValueError(f"with the products of {name} it is another step: it {wrong}")
    there = {name: make() for name, make in makers.items()}
    steps = {name: max(1, round(BLOCK / median(block(one, 3) for _ in range(3)))) for name, one in there.items()}
    seconds: dict[str, list[float]] = {name: [] for name in there}
    for number in range(rounds):
        gc.collect()
        turn = number % len(NAMES)
        for name in NAMES[turn:] + NAMES[:turn]:
            seconds[name].append(block(there[name], steps[name]))
    gains = {name: median(a / b for a, b in zip(seconds[TORCH], taken, strict=True)) for name, taken in seconds.items()}
    return {
        "ms": {name: 1e3 * median(taken) for name, taken in seconds.items()},
        "gain": gains,
        "fastest": fastest(seconds_of_a_step(this.network(), this.x, this.t, torch.get_num_threads())),
    }
