"""Pictures of the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.cases import LABELS
from benchmarks.contenders import TITLES
from benchmarks.times import CaseTimes, names_of

MARKERS = dict(zip(TITLES, "|os^vDPX", strict=True))
COLOURS = {"floor": "black", "manual": "C3", "autograd": "C0", "expert": "C9", "compile": "C1", "jax": "C2"}


def plot_steps(path: Path, results: Sequence[CaseTimes], best: float) -> None:
    """Draw the time of every contender relative to manual_bp, a line for each case.

    ``best`` are the GFLOP/s of the fastest product seen here: a bar shows the time of the step's products at that rate,
    where that is in the picture, as in all but the smallest networks.
    """
    figure, axes = _figure(1, (8.5, 0.62 * len(results) + 1.3))
    for name in names_of(results):
        points = [(times.ratio(name, "manual"), y) for y, times in enumerate(results)]
        known = [(ratio[1], y) for ratio, y in points if ratio]
        size = 120 if name == "floor" else 46
        style = {"marker": MARKERS[name], "color": COLOURS.get(name, "grey" if name == "sklearn" else "C4"), "s": size}
        axes[0].scatter(*zip(*known, strict=True), label=TITLES[name], zorder=3, **style)
    axes[0].set_xscale("log")
    left, _ = axes[0].get_xlim()
    roof = [1e-9 * times.case.flops / best / times.timings["manual"].median for times in results]
    shown = [(share, y) for y, share in enumerate(roof) if share > left] or [(float("nan"), 0)]
    axes[0].scatter(*zip(*shown, strict=True), label="roof", marker="|", color="C3", s=300, linewidths=3)
    axes[0].axvline(1, color="C3", linewidth=1)
    axes[0].set(xscale="log", xlabel="time of a training step, manual_bp = 1 (log scale; left is faster)")
    axes[0].set_xticks(ticks := _ticks(axes[0].get_xlim()), [f"{t:g}" for t in ticks], minor=False)
    axes[0].set_yticks(range(len(results)), [f"{t.case.name}: {t.case.title}" for t in results])
    axes[0].set_ylim(len(results) - 0.5, -0.5)
    axes[0].minorticks_off()
    figure.legend(loc="outside upper center", ncols=9, fontsize=8, frameon=False, handletextpad=0.1, columnspacing=1)
    _save(figure, path)


def _ticks(limits: tuple[float, float]) -> list[float]:
    candidates = [m * 10.0**k for k in range(-2, 4) for m in (1, 2, 5)]
    return [tick for tick in candidates if limits[0] <= tick <= limits[1]]


def plot_scaling(path: Path, figures: Mapping[str, Mapping[str, Any]]) -> None:
    """Draw the cost of a step against depth, width and batch, both axes logarithmic."""
    figure, all_axes = _figure(len(figures), (9.5, 3.4), sharey=True)
    for axes, (axis, values) in zip(all_axes, figures.items(), strict=True):
        for who, us in values["us"].items():
            label = f"{TITLES[who]}, exponent {values['exponents'][who]:.2f}"
            axes.plot(values["sizes"], us, marker=".", color=COLOURS[who], label=label)
        axes.set(xscale="log", yscale="log", xlabel=LABELS[axis])
        axes.set_xticks(values["sizes"], [str(n) for n in values["sizes"]])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    all_axes[0].set_ylabel("µs per training step")
    _save(figure, path)


def _figure(columns: int, size: tuple[float, float], **settings: Any) -> tuple[Figure, list[Any]]:
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, columns, squeeze=False, **settings)[0]
    for each in axes:
        each.grid(alpha=0.3)
    return figure, list(axes)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=130)
