"""How the cost of a step grows with depth, width and batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.cases import AXES
from benchmarks.contenders import CONTENDERS
from benchmarks.part import Part
from benchmarks.steps import measure_case
from benchmarks.worker import Worker

METHOD = (
    "One thread. The exponent k of cost = c size^k is the slope of a least-squares line through the logarithms of the "
    "upper half of the sizes, where arithmetic outweighs the calls."
)
WHO = ("floor", "manual", "autograd")


def measure(*, quick: bool = False) -> Part:
    """Time every case on the three axes (when quick, half of the rounds)."""
    part = Part(
        "Cost against depth, width and batch", ("", "exponent of manual_bp", "autograd", "floor"), method=METHOD
    )
    names = [name for name in CONTENDERS if name.partition(":")[0] in WHO]
    with Worker(1) as worker:
        for axis, cases in AXES.items():
            times = {n: measure_case([worker], case, names, 5 if quick else 9) for n, case in cases.items()}
            part.figures[axis] = figures(
                list(times), {who: [t.timings[who].median for t in times.values()] for who in WHO}
            )
            exponents = part.figures[axis]["exponents"]
            part.rows.append((axis, *(f"{exponents[who]:.2f}" for who in ("manual", "autograd", "floor"))))
    return part


def figures(sizes: Sequence[int], seconds: dict[str, list[float]]) -> dict[str, object]:
    """Return sizes, microseconds and exponents of one axis."""
    return {
        "sizes": list(sizes),
        "us": {who: [round(1e6 * s, 1) for s in values] for who, values in seconds.items()},
        "exponents": {who: exponent(sizes, values) for who, values in seconds.items()},
    }


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Return the slope of log seconds against log size over the upper half of the sizes."""
    upper = slice(len(sizes) // 2, None)
    slope, _ = np.polyfit(np.log(sizes[upper]), np.log(seconds[upper]), 1)
    return float(slope)
