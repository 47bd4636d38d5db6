"""``--dataset folder``: a run on pictures of one's own, from the first epoch to ``predict``."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Inside
from PIL import Image

from manual_bp.training.run import checkpoint, plots

NAMES = ["$a$ b$", "ä", "日"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dark on light: a bar at the left, in the middle or at the right, 10 pictures of each; sides of 8 or 10 pixels."""
    root, generator = tmp_path_factory.mktemp("own") / "pictures", np.random.default_rng(0)
    for c, name in enumerate(NAMES):
        (root / name).mkdir(parents=True)
        for i in range(10):
            side = 8 + 2 * (i % 2)
            tones = generator.integers(200, 256, (side, side), dtype=np.uint8)
            tones[:, c * side // 3 : c * side // 3 + 2] = 20
            Image.fromarray(tones).save(root / name / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on them, with the plots of classes that have any letters."""
    import train

    folder = tmp_path_factory.mktemp("runs") / "own"
    words = "--dataset", "folder", "--data-root", pictures, "--image-size", 8, "--hidden", 8, "--batch-size", 8
    assert train.main(list(map(str, [*words, "--epochs", 20, "--quiet", "--out-dir", folder]))) == 0
    return folder


@pytest.mark.long
def test_the_names_of_the_classes_are_kept_and_said(inside: Inside, run: Path, pictures: Path) -> None:
    state = checkpoint.load(run / "best.pt")
    assert (state.data["names"], state.data["side"], state.data["name"]) == (NAMES, 8, "folder")
    assert (run / "confusion.png").exists()
    for name in NAMES:
        code, out, errors = inside("predict", pictures / name / "3.png", "--json", "--checkpoint", run)
        assert (code, errors) == (0, "")
        said = json.loads(out)
        assert (said["answer"], list(said["shares"])) == (name, NAMES)


def test_predict_sees_what_was_trained_on(inside: Inside, run: Path, pictures: Path) -> None:
    """The very pixels: dark stays dark, and nothing is cut out or centred."""
    said = json.loads(inside("predict", pictures / NAMES[0] / "2.png", "--json", "--seen", "--checkpoint", run)[1])
    assert said["seen"] == np.asarray(Image.open(pictures / NAMES[0] / "2.png")).tolist()


def test_the_title_says_where_the_pictures_are_from(inside: Inside, pictures: Path) -> None:
    words = "--dataset", "folder", "--data-root", pictures, "--image-size", 8, "--dry-run", "--hidden", 4
    out = inside(*words)[1]
    assert "24 training images, 6 test images of folder\n" in out
    assert f"pictures in {pictures}: one fifth of each class is for testing\n" in out


def test_other_pictures_or_names_are_no_data_of_the_run(
    inside: Inside, run: Path, pictures: Path, tmp_path: Path
) -> None:
    words = "--resume", run / "last.pt", "--epochs", 21, "--out-dir", tmp_path / "more", "--data-root"
    renamed = shutil.copytree(pictures, tmp_path / "renamed")
    (renamed / "日").rename(renamed / "月")
    code, _, errors = inside(*words, renamed)
    assert (code, "expected the classes of the checkpoint's run, ['$a$ b$', 'ä', '日'], got [" in errors) == (1, True)
    fewer = shutil.copytree(pictures, tmp_path / "fewer")
    (fewer / "ä" / "4.png").unlink()
    code, _, errors = inside(*words, fewer)
    assert (code, "expected the images that the checkpoint's network was trained on, folder with" in errors) == (
        1,
        True,
    )
    assert inside(*words, shutil.copytree(pictures, tmp_path / "moved"))[0] == 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--download",), 2, "argument --download: the pictures of a folder are your own"),
        ((), 1, "load expects pictures of one size, got "),
        (("--image-size", 8, "--validation", 23), 2, "argument --validation: expected at most 22 of the 24 training"),
    ],
    ids=str,
)
def test_what_cannot_be_is_one_line(
    inside: Inside, pictures: Path, words: tuple[object, ...], code: int, message: str
) -> None:
    found, out, errors = inside("--dataset", "folder", "--data-root", pictures, *words)
    assert (found, out) == (code, "")
    assert message in errors
    assert errors.count("\n") == 1


def test_torchvision_is_not_needed(inside: Inside, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manual_bp.training.command.start.missing", lambda extra: f"{extra} is not there")
    words = "--data-root", pictures, "--image-size", 8, "--dry-run", "--hidden", 4
    assert inside("--dataset", "folder", *words)[0] == 0
    assert inside("--dataset", "mnist", *words)[0] == 2


def test_the_run_s_pictures_show_them_as_they_are(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Light is light, where digits are ink: no negatives."""
    import train

    drawn: list[str] = []
    for name in ("plot_mistakes", "plot_distorted"):
        monkeypatch.setattr(plots, name, lambda *_, shades: drawn.append(shades))
    monkeypatch.setattr(plots, "plot_curves", lambda *_, **__: None)
    monkeypatch.setattr(plots, "plot_confusion", lambda *_: None)
    words = "--hidden", 2, "--epochs", 1, "--augment", "affine"
    own = "--dataset", "folder", "--data-root", pictures, "--image-size", 8
    for name, data in (("own", own), ("digits", ("--validation", 3900))):
        assert train.main([*map(str, [*words, *data, "--quiet", "--out-dir", tmp_path / name])]) == 0
    assert drawn == [plots.LIGHT, plots.LIGHT, plots.INK, plots.INK]
