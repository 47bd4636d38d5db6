"""Pictures of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter


def plot_curves(path: Path, losses: Sequence[float], accuracies: Sequence[float]) -> None:
    """Draw loss and test accuracy over the epochs into a PNG file, which appears whole or not at all."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    epochs = range(1, len(losses) + 1)
    left.plot(epochs, losses, marker=".")
    left.set(title="Training loss", xlabel="epoch", yscale="log")
    right.plot(epochs, [100 * a for a in accuracies], marker=".", color="C1")
    right.set(title=f"Test accuracy: {accuracies[-1]:.2%} at the end", xlabel="epoch", ylabel="%")
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    left.yaxis.set_minor_formatter(NullFormatter())
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        figure.savefig(unfinished, format="png", dpi=150)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def draw_run(path, history, y, test):
    pass
