"""The pictures of a run: whole or absent, for one epoch and for 500, and the numbers that they are drawn from."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import assert_identical
from matplotlib.figure import Figure
from PIL import Image

from manual_bp.training.run import plots
from manual_bp.training.run.evaluation import confusion, mistakes

NAMES = [str(digit) for digit in range(10)]
CLOTHES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Collect the figures that are saved, to look into them."""
    figures: list[Figure] = []
    save = plots._save
    monkeypatch.setattr(plots, "_save", lambda figure, path: (figures.append(figure), save(figure, path))[1])
    return figures


def history(n: int, lr: float = 0.05, decay: float = 1) -> list[dict[str, float]]:
    return [
        {"epoch": i, "loss": 2 / i, "test_loss": 2.5 / i, "test_accuracy": 1 - 0.5 / i, "lr": lr * decay**i}
        for i in range(1, n + 1)
    ]


def assert_png(path: Path) -> None:
    """Alone in its folder, and not one colour."""
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert np.ptp(np.asarray(picture.convert("L"))) > 200


@pytest.mark.long(but=("1-1", "0.99-2"))
@pytest.mark.parametrize("n", [1, 2, 500])
@pytest.mark.parametrize("decay", [1, 0.99])
def test_curves_show_every_epoch(tmp_path: Path, drawn: list[Figure], n: int, decay: float) -> None:
    plots.plot_curves(tmp_path / "curves.png", history(n, decay=decay))
    assert_png(tmp_path / "curves.png")
    loss, accuracy, *lr = drawn[0].axes
    assert [list(line.get_ydata()) for line in loss.lines] == [
        [2 / i for i in range(1, n + 1)],
        [2.5 / i for i in range(1, n + 1)],
    ]
    assert accuracy.lines[0].get_ydata()[-1] == 100 * (1 - 0.5 / n)
    assert len(lr) == (decay < 1 and n > 1)  # a rate that stays needs no curve
    if n == 1:
        assert all(line.get_marker() == "o" for axes in drawn[0].axes for line in axes.lines)


@pytest.mark.long
def test_curves_name_the_best_epoch_where_it_is_not_the_last(tmp_path: Path, drawn: list[Figure]) -> None:
    epochs = history(3)
    plots.plot_curves(tmp_path / "rising.png", epochs)
    epochs[1]["test_accuracy"] = 0.99
    plots.plot_curves(tmp_path / "falling.png", epochs)
    titles = [figure.axes[1].get_title() for figure in drawn]
    assert titles == [
        "Test accuracy: 83.33% at the end",
        "Test accuracy: 83.33% at the end\n(best: 99.00% after epoch 2)",
    ]


@pytest.mark.long
def test_a_title_of_two_lines_and_a_flat_learning_rate_are_not_cut(tmp_path: Path, drawn: list[Figure]) -> None:
    epochs = [{**epoch, "epoch": 997 + i, "validation_accuracy": 1 - i / 9} for i, epoch in enumerate(history(3))]
    epochs[0]["test_accuracy"] = 1.0
    for epoch in epochs:
        epoch["lr"] = 0.2 - epoch["epoch"] / 1e5
    plots.plot_curves(tmp_path / "curves.png", epochs)
    figure = drawn[0]
    figure.canvas.draw()  # at its own resolution, not that of the file
    _, accuracy, rate = figure.axes
    assert accuracy.title.get_window_extent().x1 <= figure.bbox.x1
    assert rate.get_ylim()[1] > 1.05 * epochs[0]["lr"]


def test_curves_show_the_images_held_out_and_the_epoch_that_they_chose(tmp_path: Path, drawn: list[Figure]) -> None:
    held = [0.9, 0.8, 0.7]
    epochs = [{**epoch, "validation_accuracy": share} for epoch, share in zip(history(3), held, strict=True)]
    plots.plot_curves(tmp_path / "curves.png", epochs)
    axes = drawn[0].axes[1]
    curves = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert curves["validation"] == [100 * share for share in held]
    assert axes.get_title() == "Test accuracy: 83.33% at the end\n(50.00% after epoch 1, best held out)"


@pytest.mark.long
def test_the_legend_says_where_the_two_losses_are_not_the_same_quantity(tmp_path: Path, drawn: list[Figure]) -> None:
    plots.plot_curves(tmp_path / "plain.png", history(3))
    plots.plot_curves(tmp_path / "smoothed.png", history(3), is_smoothed=True)
    legends = [[text.get_text() for text in figure.axes[0].get_legend().get_texts()] for figure in drawn]
    assert legends == [["training", "test"], ["training, smoothed targets", "test, plain targets"]]


@pytest.mark.parametrize("smoothing", [0, 0.1])
def test_the_curves_of_a_run_are_told_whether_its_targets_are_smoothed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, smoothing: float
) -> None:
    import train

    told = []
    monkeypatch.setattr(plots, "draw_run", lambda *given, is_smoothed, **more: told.append(is_smoothed))

    words = (
        "--hidden",
        4,
        "--epochs",
        1,
        "--quiet",
        "--validation",
        3800,
        "--label-smoothing",
        smoothing,
        "--out-dir",
        tmp_path / "run",
    )
    assert train.main(list(map(str, words))) == 0
    assert told == [smoothing > 0]


@pytest.mark.long(but=1)
@pytest.mark.parametrize("name", ["$a$", "$\\frac$ $", "日本"])
def test_classes_of_any_letters_can_be_drawn(tmp_path: Path, drawn: list[Figure], name: str) -> None:
    """Letter by letter: no formula between dollars, and no warning of a letter that the font lacks."""
    pixels, labels = torch.zeros(1, 4, 4, dtype=torch.uint8), torch.zeros(1).long()
    plots.plot_confusion(tmp_path / "confusion.png", torch.eye(2).long(), [name, "b"])
    plots.plot_mistakes(tmp_path / "mistakes.png", pixels, labels, labels, torch.ones(1), [name, "b"])
    shown = [drawn[0].axes[0].get_xticklabels()[0].get_text(), drawn[1].axes[0].texts[0].get_text()]
    assert all(name.replace("$", r"\$") in text for text in shown)


def test_a_loss_of_0_can_be_drawn(tmp_path: Path, drawn: list[Figure]) -> None:
    epochs = history(3)
    epochs[2]["loss"] = 0.0
    plots.plot_curves(tmp_path / "curves.png", epochs)
    assert drawn[0].axes[0].get_yscale() == "linear"


def test_confusion_counts_pairs_of_label_and_answer() -> None:
    answers, labels = torch.tensor([0, 2, 2, 1, 2]), torch.tensor([0, 1, 1, 1, 2])
    assert confusion(answers, labels, 4).tolist() == [[1, 0, 0, 0], [0, 1, 2, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert confusion(answers[:0], labels[:0], 2).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("answers", "labels", "message"),
    [
        ([0, 3], [0, 1], "answers from 0 to 2, got 0 to 3"),
        ([0, 1], [-1, 1], "labels from 0 to 2, got -1 to 1"),
        ([0, 1], [1], "as many answers as labels, got 2 and 1"),
    ],
)
def test_wrong_counts_are_named(answers: list[int], labels: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        confusion(torch.tensor(answers), torch.tensor(labels), 3)


def test_mistakes_come_by_confidence_then_in_order() -> None:
    """Confidence is y itself, whatever the row sums to: sample 3 is surer than 1, its row sums to 0.6."""
    y = torch.tensor([[0.9, 0.8], [0.4, 0.3], [0.9, 0.95], [0.55, 0.05], [0.4, 0.2], [0.1, 0.7]])
    assert mistakes(y, torch.tensor([0, 1, 0, 1, 1, 1])).tolist() == [2, 3, 1, 4]
    equal = torch.full((1000, 2), 0.5)
    assert_identical(mistakes(equal, torch.ones(1000).long()), torch.arange(1000))
    with pytest.raises(ValueError, match=r"a label for each row of y, got \(3,\), \(6, 2\)"):
        mistakes(y, torch.zeros(3).long())


@pytest.mark.long(but=("10_0",))
@pytest.mark.parametrize("names", [NAMES, CLOTHES, [chr(65 + i) for i in range(47)]], ids=len)
def test_confusion_colours_the_mistakes_by_their_share_of_the_row(
    tmp_path: Path, drawn: list[Figure], names: list[str]
) -> None:
    counts = 90 * torch.eye(len(names)).long()
    counts[3, 1], counts[4, 4] = 10, 0  # a tenth of its row; a label that never comes
    plots.plot_confusion(tmp_path / "confusion.png", counts, names)
    assert_png(tmp_path / "confusion.png")
    axes = drawn[0].axes[0]
    colours = axes.images[0].get_array()
    assert colours[3, 1] == colours.max() == 10
    assert colours.mask.nonzero()[0].tolist() == list(range(len(names)))  # the diagonal has no colour
    assert (colours.filled(0) > 0).sum() == 1
    assert axes.get_title() == f"Mistakes in red: 10 of {90 * len(names) - 80:,} images"
    assert [text.get_text() for text in axes.get_yticklabels()] == names
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("answer", "label")
    written = {(text.get_position(), text.get_text()) for text in axes.texts}
    assert ((1, 3), "10") in written or len(names) > plots.WITH_COUNTS
    assert len(written) == (10 if len(names) <= plots.WITH_COUNTS else 0)


def test_a_confusion_that_does_not_fit_its_names_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"counts \(10, 10\) for 10 names, got \(3, 3\)"):
        plots.plot_confusion(tmp_path / "x.png", torch.eye(3).long(), NAMES)


@pytest.mark.long(but=1)
@pytest.mark.parametrize(
    ("n", "title"), [(1, "All mistakes"), (40, "All mistakes"), (45, "The 40 most confident of 45")]
)
def test_mistakes_are_shown_with_label_answer_and_confidence(
    tmp_path: Path, drawn: list[Figure], n: int, title: str
) -> None:
    pixels = torch.arange(n).reshape(n, 1, 1).expand(n, 28, 28).byte()
    labels, confidences = torch.arange(n) % 10, torch.linspace(0.98, 0.3, n)
    plots.plot_mistakes(tmp_path / "mistakes.png", pixels, labels, (labels + 1) % 10, confidences, CLOTHES)
    assert_png(tmp_path / "mistakes.png")
    assert drawn[0].get_suptitle().startswith(title)
    images, texts = drawn[0].axes[0].images, drawn[0].axes[0].texts
    assert texts[0].get_text() == "is T-shirt/top\nsays Trouser, 98%"
    assert [image.get_array()[0, 0] for image in images] == list(range(min(n, 40)))
    for image, text in zip(images, texts, strict=True):  # each below its own text, on the sheet, none on another
        left, right, bottom, top = image.get_extent()
        x, y = text.get_position()
        assert left < x < right
        assert top - 0.05 < y < top < bottom < y + 1
    assert len({tuple(image.get_extent()) for image in images}) == len(images)
    columns, rows = drawn[0].axes[0].get_xlim()[1], drawn[0].axes[0].get_ylim()[0]
    assert all(image.get_extent()[1] < columns and image.get_extent()[2] < rows for image in images)


def test_no_mistakes_is_a_picture_that_says_so(tmp_path: Path, drawn: list[Figure]) -> None:
    none = torch.zeros(0).long()
    plots.plot_mistakes(tmp_path / "mistakes.png", torch.zeros(0, 28, 28).byte(), none, none, none.float(), NAMES)
    assert_png(tmp_path / "mistakes.png")
    assert drawn[0].texts[0].get_text() == "No mistakes: every image is answered right"


@pytest.mark.long(but=1)
@pytest.mark.parametrize("n", [1, 5, 64, 70])
def test_distorted_images_stand_side_by_side(tmp_path: Path, drawn: list[Figure], n: int) -> None:
    pixels = torch.arange(n).reshape(n, 1, 1).expand(n, 16, 16).float().contiguous()
    pixels[:, 8, 8] = 255
    plots.plot_distorted(tmp_path / "distorted.png", pixels)
    assert_png(tmp_path / "distorted.png")
    assert drawn[0].get_suptitle() == f"{min(n, 64)} training images as epoch 1 changes them"
    images = drawn[0].axes[0].images
    assert [image.get_array()[0, 0] for image in images] == list(range(min(n, 64)))
    assert {image.get_clim() for image in images} == {(0, 255)}
    corners = [tuple(math.floor(place) for place in image.get_extent()[::2]) for image in images]
    assert corners == [(i % 8, i // 8) for i in range(len(images))]


def test_a_picture_of_no_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one image, got none"):
        plots.plot_distorted(tmp_path / "distorted.png", torch.zeros(0, 28, 28))


@pytest.mark.long
def test_a_picture_that_cannot_be_written_leaves_the_old_one_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "curves.png"
    plots.plot_curves(path, history(2))
    before = path.read_bytes()

    def full_disk(path: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OSError, match=r"cannot write .*curves\.png: No space left on device; what was there before"):
        plots.plot_curves(path, history(2))
    assert path.read_bytes() == before
    assert_png(path)


def test_curves_of_no_epoch_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one epoch, got none"):
        plots.plot_curves(tmp_path / "curves.png", [])


def test_light_is_drawn_light_and_ink_dark(tmp_path: Path, drawn: list[Figure]) -> None:
    pixels = torch.tensor([[[0, 255]]], dtype=torch.uint8)
    none = torch.zeros(1, dtype=torch.int64)
    for shades in (plots.INK, plots.LIGHT):
        plots.plot_distorted(tmp_path / f"d-{shades}.png", pixels, shades=shades)
        plots.plot_mistakes(tmp_path / f"m-{shades}.png", pixels, none, none + 1, none + 0.5, NAMES, shades=shades)
    for figure, is_light in zip(drawn, (False, False, True, True), strict=True):
        (image,) = figure.axes[0].images
        left, right = image.cmap(image.norm(image.get_array()))[0, :, 0]
        assert (left < right) == is_light
