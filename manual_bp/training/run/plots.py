"""Pictures of a run, one PNG file each: its curves, which class it takes for which, its worst mistakes, distortions.

Figures are drawn without pyplot: nothing global changes, no display is asked for. A file appears whole or not at all.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from torch import Tensor

from manual_bp.training.images.data import Images
from manual_bp.training.run.evaluation import confusion, mistakes
from manual_bp.training.run.whole_file import write_whole

GRID = 40  # mistakes in one picture: five rows of eight can be looked at one by one
COLUMNS = 8
EXAMPLES = COLUMNS**2  # distorted images in one picture
INK, LIGHT = "gray_r", "gray"  # what a large number is: ink, as in MNIST, or light, as in a photograph
WITH_COUNTS = 20  # classes: with more, a count does not fit into its cell


def draw_run(
    folder: Path,
    history: Sequence[Mapping[str, float]],
    y: Tensor,
    test: Images,
    distorted: Tensor | None = None,
    *,
    is_smoothed: bool = False,
    shades: str = INK,
) -> None:
    """Draw curves.png, confusion.png and mistakes.png: y (n, classes) are the answers to the test images.

    Where there are ``distorted`` images, draw them in distorted.png. ``is_smoothed`` says that the training loss is one
    of smoothed targets. ``shades`` are those of images: INK or LIGHT.
    """
    confidences, answered = y.cpu().max(1)
    plot_curves(folder / "curves.png", history, is_smoothed=is_smoothed)
    plot_confusion(folder / "confusion.png", confusion(answered, test.labels, test.classes), test.names)
    worst = mistakes(y.cpu(), test.labels)
    shown = test.pixels[worst], test.labels[worst], answered[worst], confidences[worst]
    plot_mistakes(folder / "mistakes.png", *shown, test.names, shades=shades)
    if distorted is not None:
        plot_distorted(folder / "distorted.png", distorted, shades=shades)


def plot_curves(path: Path, history: Sequence[Mapping[str, float]], *, is_smoothed: bool = False) -> None:
    """Draw the run's epochs: losses, accuracies, and below them the learning rate where it changes.

    Where the training loss ``is_smoothed``, the legend says so: the test loss, of plain targets, is another quantity.
    An epoch is a mapping of ``epoch``, ``loss``, ``test_loss``, ``test_accuracy`` (a share) and ``lr``, perhaps of
    ``training_accuracy`` and ``validation_accuracy`` too; the title names the best epoch by the latter, if it can.
    """
    if not history:
        raise ValueError("plot_curves expects at least one epoch, got none")
    names = "epoch", "loss", "test_loss", "test_accuracy", "lr"
    curves = {name: [epoch[name] for epoch in history] for name in names}
    lr_changes = len(set(curves["lr"])) > 1
    figure = Figure(figsize=(8, 5.2 if lr_changes else 3.6), layout="constrained")
    rows, heights = ("LA;RR", [5, 2]) if lr_changes else ("LA", [1])
    axes = figure.subplot_mosaic(rows, height_ratios=heights)
    _plot_losses(axes["L"], curves, is_smoothed=is_smoothed)
    _plot_accuracy(axes["A"], curves, history)
    if lr_changes:
        axes["R"].plot(curves["epoch"], curves["lr"], color="C4", **_line(curves))
        axes["R"].set(title="Learning rate", ylabel="η")
        axes["R"].set_ylim(0, 1.1 * max(curves["lr"]))  # matplotlib's margin, 5 % of the range, cuts a flat curve
    for part in axes.values():
        part.set_xlabel("epoch")
        part.grid(alpha=0.3)
        part.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _save(figure, path)


def _plot_losses(axes: Axes, curves: Mapping[str, Sequence[float]], *, is_smoothed: bool) -> None:
    labels = ("training, smoothed targets", "test, plain targets") if is_smoothed else ("training", "test")
    for name, colour, label in zip(("loss", "test_loss"), ("C0", "C3"), labels, strict=True):
        axes.plot(curves["epoch"], curves[name], color=colour, label=label, **_line(curves))
    axes.set(title="Loss", ylabel="mean over the images")
    axes.legend()
    _scale_by_decades(axes, [*curves["loss"], *curves["test_loss"]])


def _plot_accuracy(axes: Axes, curves: Mapping[str, Sequence[float]], history: Sequence[Mapping[str, float]]) -> None:
    shares, is_held_out = curves["test_accuracy"], all("validation_accuracy" in epoch for epoch in history)
    for label, colour in (("training", "C0"), ("validation", "C1"), ("test", "C2")):
        if all(f"{label}_accuracy" in epoch for epoch in history):
            percent = [100 * epoch[f"{label}_accuracy"] for epoch in history]
            axes.plot(curves["epoch"], percent, color=colour, label=label, **_line(curves))
    axes.legend(loc="lower right")
    title = f"Test accuracy: {shares[-1]:.2%} at the end"
    judges = [epoch["validation_accuracy"] for epoch in history] if is_held_out else shares
    best = judges.index(max(judges))
    if judges[best] > judges[-1]:
        by = ", best held out" if is_held_out else ""
        before = "" if is_held_out else "best: "
        title += f"\n({before}{shares[best]:.2%} after epoch {curves['epoch'][best]}{by})"
    axes.set_title(title, fontsize="medium" if is_held_out else None)  # a longer one
    axes.set_ylabel("images answered right (%)")


def _line(curves: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Return how a curve is drawn: a dot an epoch, one epoch alone included, unless they would run together."""
    return {"marker": "o", "markersize": 3} if len(curves["epoch"]) <= 60 else {"linewidth": 1}


def _scale_by_decades(axes: Axes, values: Sequence[float]) -> None:
    """Scale y logarithmically, marked in plain numbers, where all values are above 0."""
    if min(values) <= 0:
        return
    axes.set_yscale("log")
    several = max(values) > 100 * min(values)
    axes.yaxis.set_major_locator(LogLocator(subs=(1,) if several else (1, 1.5, 2, 3, 5, 7)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def _literal(names: Sequence[str]) -> list[str]:
    """Return names as matplotlib draws them letter by letter: between two dollars it would read a formula."""
    return [name.replace("$", r"\$") for name in names]


def plot_confusion(path: Path, counts: Tensor, names: Sequence[str]) -> None:
    """Draw counts (classes, classes) int64, a row for each label, a column for each answer.

    Colours show mistakes only, each as a share of its row: right answers, which would outshine them, stay grey.
    """
    classes, names = len(names), _literal(names)
    if counts.shape != (classes, classes):
        got = tuple(counts.shape)
        raise ValueError(f"plot_confusion expects counts ({classes}, {classes}) for {classes} names, got {got}")
    shares = 100 * counts.cpu().double() / counts.cpu().sum(1, keepdim=True).clamp(min=1)
    shares.fill_diagonal_(math.nan)
    size = 6.4 if classes <= WITH_COUNTS else 9.6
    figure = Figure(figsize=(1.15 * size, size), layout="constrained")
    axes = figure.subplots()
    colours = colormaps["Reds"].with_extremes(bad="0.85")
    most = max(1.0, shares.nan_to_num().max().item())
    norm = PowerNorm(0.5, vmin=0, vmax=most)  # a mistake a fiftieth as frequent as the worst is still to be seen
    image = axes.imshow(shares.numpy(), cmap=colours, norm=norm)
    figure.colorbar(image, label="share of the label's images (%)", shrink=0.8)
    if classes <= WITH_COUNTS:
        _write_counts(axes, counts, shares > 0.4 * most)
    right, total = int(counts.trace()), int(counts.sum())
    axes.set(title=f"Mistakes in red: {total - right:,} of {total:,} images", xlabel="answer", ylabel="label")
    axes.set_xticks(range(classes), names)
    if max(map(len, names)) > 3:
        for text in axes.get_xticklabels():
            text.set(rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(classes), names)
    axes.tick_params(length=0, labelsize=10 if classes <= WITH_COUNTS else 7)
    _save(figure, path)


def _write_counts(axes: Axes, counts: Tensor, on_dark: Tensor) -> None:
    """Write every count but 0 into its cell, white where the cell is dark."""
    for row, column in counts.nonzero().tolist():
        colour = "white" if on_dark[row, column] else "black"
        axes.text(column, row, f"{int(counts[row, column])}", ha="center", va="center", color=colour, fontsize=9)


def plot_mistakes(
    path: Path,
    pixels: Tensor,
    labels: Tensor,
    answers: Tensor,
    confidences: Tensor,
    names: Sequence[str],
    *,
    shades: str = INK,
) -> None:
    """Draw wrong answers, the first ``GRID`` of those given: pixels (n, h, w) uint8; the rest (n,), confidences 0 to 1.

    Give them as ``mistakes`` sorts them, the most confident first.
    """
    shown, total, names = min(len(pixels), GRID), len(pixels), _literal(names)
    if shown == 0:
        figure = Figure(figsize=(5, 1.5))
        figure.text(0.5, 0.5, "No mistakes: every image is answered right", ha="center", va="center")
        _save(figure, path)
        return
    columns = min(COLUMNS, max(shown, 4))
    rows = math.ceil(shown / columns)
    figure = Figure(figsize=(1.3 * columns, 1.6 * rows + 0.4))
    axes = figure.add_axes((0, 0, 1, 1 - 0.4 / (1.6 * rows + 0.4)))  # all images on one sheet: 40 axes take a second
    axes.set_axis_off()
    which = f"The {shown} most confident of {total:,} mistakes" if shown < total else "All mistakes"
    figure.suptitle(f"{which}, the most confident first", y=0.99, va="top")
    for i in range(shown):
        row, column = divmod(i, columns)
        box = column + 0.04, column + 0.96, row + 0.99, row + 0.25
        axes.imshow(pixels[i].numpy(force=True), cmap=shades, vmin=0, vmax=255, extent=box, aspect="auto")
        label, answer = names[int(labels[i])], names[int(answers[i])]
        text = f"is {label}\nsays {answer}, {confidences[i]:.0%}"
        axes.text(column + 0.5, row + 0.23, text, ha="center", va="bottom", fontsize=8)
    axes.set(xlim=(0, columns), ylim=(rows, 0))
    _save(figure, path)


def plot_distorted(path: Path, pixels: Tensor, *, shades: str = INK) -> None:
    """Draw distorted training images, the first ``EXAMPLES`` of those given: pixels (n, h, w) from 0 to 255."""
    shown = pixels[:EXAMPLES].numpy(force=True)
    if len(shown) == 0:
        raise ValueError("plot_distorted expects at least one image, got none")
    columns = min(COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(max(columns, 4), rows + 0.4))
    axes = figure.add_axes((0, 0, 1, rows / (rows + 0.4)))
    axes.set_axis_off()
    figure.suptitle(f"{len(shown)} training images as epoch 1 changes them", y=0.99, va="top")
    for i, image in enumerate(shown):
        row, column = divmod(i, columns)
        box = column + 0.04, column + 0.96, row + 0.96, row + 0.04
        axes.imshow(image, cmap=shades, vmin=0, vmax=255, extent=box, aspect="auto")
    axes.set(xlim=(0, columns), ylim=(rows, 0))
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    """Write a PNG file, whole or not at all."""
    FigureCanvasAgg(figure)
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)  # a class may have any letters
        figure.savefig(content, format="png", dpi=120)
    write_whole(path, content.getvalue())
