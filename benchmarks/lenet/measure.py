"""Time and memory of a step of LeNet-5: rounds in which everybody computes in turn, with one thread and with two."""

from __future__ import annotations

import gc
from collections.abc import Callable
from statistics import median

from benchmarks.contenders.contender import Steps
from benchmarks.equality import after_steps, difference
from benchmarks.lenet.by_jax import Jax
from benchmarks.lenet.by_numpy import Numpy
from benchmarks.lenet.by_torch import Autograd, ByHand, Mkldnn
from benchmarks.lenet.problem import BATCH, Problem
from benchmarks.machine import cores
from benchmarks.memory import peak_of
from benchmarks.part import Part
from benchmarks.worker import BLOCK, Worker, block

WHO: dict[str, Callable[[Problem], Steps]] = {
    "by hand": ByHand,
    "plain": Autograd,
    "mkldnn": Mkldnn,
    "JAX jit": Jax,
    "numpy": Numpy,
}
QUICK = ("by hand", "plain", "mkldnn", "numpy")
IN_TORCH = ("by hand", "plain", "mkldnn")
"""Those whose memory torch can tell."""
ROUNDS, QUICK_ROUNDS = 25, 5
METHOD = (
    f"--network lenet, batch {BATCH}, float32, plain gradient descent: medians of {ROUNDS} rounds ({QUICK_ROUNDS} with "
    "--quick), and of the ratio in each round. 'plain' is nn.Sequential and torch.optim with mkldnn and nnpack off, "
    "'mkldnn' the same with PyTorch's default. Each computes the same step, which is checked first. Memory: what a "
    "step adds at its peak, buffers that are kept included, as torch tells it."
)


def measure(*, quick: bool = False) -> Part:
    """Measure in a process with one thread, then (unless quick) in one with two."""
    threads = [n for n in (1, 2) if n <= (1 if quick else cores())]
    parts = []
    for n in threads:
        with Worker(n) as worker:
            parts.append(worker.part(measure_here, quick=quick))
    names = [name for name in WHO if all(name in part.figures["ms"] for part in parts)]
    heads = (f"{head}, {n} thread{'s' * (n > 1)}" for n in threads for head in ("ms", "of by hand"))
    made = Part("A step of LeNet-5", ("", *heads, "MB"), method=METHOD)
    for name in names:
        times = (shown for part in parts for shown in (part.figures["ms"][name], part.figures["of_by_hand"][name]))
        memory = parts[0].figures["mb"].get(name)
        made.rows.append((name, *(f"{value:.2f}" for value in times), "" if memory is None else f"{memory:.1f}"))
    made.figures = {f"threads_{n}": part.figures for n, part in zip(threads, parts, strict=True)}
    missing = {name: why for part in parts for name, why in part.figures["missing"].items()}
    made.method += "".join(f" {name} is missing: {why}." for name, why in missing.items())
    return made


def measure_here(*, quick: bool = False) -> Part:
    """Measure with the threads of this process."""
    problem, steps, missing = Problem.drawn(), {}, {}
    first, mine = problem.arrays(), after_steps(ByHand(problem))
    there: dict[str, Steps] = {}
    for name in QUICK if quick else WHO:
        try:
            wrong = difference(first, mine, after_steps(WHO[name](problem)))
            there[name] = WHO[name](problem)
        except ModuleNotFoundError as error:
            missing[name] = str(error)
            continue
        if wrong:
            raise ValueError(f"{name} computes another step: it {wrong}")
        steps[name] = max(1, round(BLOCK / median(block(there[name], 3) for _ in range(3))))
    seconds: dict[str, list[float]] = {name: [] for name in there}
    order = list(there)
    for number in range(QUICK_ROUNDS if quick else ROUNDS):
        gc.collect()
        for name in order[number % len(order) :] + order[: number % len(order)]:
            seconds[name].append(block(there[name], steps[name]))
    part = Part("", ())
    part.figures = {
        "ms": {name: 1e3 * median(taken) for name, taken in seconds.items()},
        "of_by_hand": {
            name: median(a / b for a, b in zip(taken, seconds["by hand"], strict=True))
            for name, taken in seconds.items()
        },
        "mb": {name: peak_of(WHO[name](problem)) / 1e6 for name in IN_TORCH},
        "missing": missing,
    }
    return part
