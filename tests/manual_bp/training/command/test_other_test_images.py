"""``--test-dataset``: a run that is tested on the images of another data set, from its first line to ``predict``."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Inside, log_of
from PIL import Image
from torch import nn

from manual_bp.training.images.data import mnist5k
from manual_bp.training.run import checkpoint

SHORT = "--hidden", 8, "--batch-size", 500, "--quiet"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits of the test half, upside down, in folders with their names: 60 that no run trains with."""
    root, (_, test) = tmp_path_factory.mktemp("own") / "pictures", mnist5k()
    for i in range(60):
        path = root / str(test.labels[i].item()) / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(test.pixels[i].numpy()[::-1]).save(path)
    return root


@pytest.fixture(scope="module")
def run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on the digits that come along, tested on the pictures."""
    import train

    folder = tmp_path_factory.mktemp("runs") / "others"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.Session, "draw", lambda _: None)
        words = *SHORT, "--epochs", 2, "--test-dataset", "folder", "--test-root", pictures, "--out-dir", folder
        assert train.main(list(map(str, words))) == 0
    return folder


def accuracy_on(state: checkpoint.Checkpoint, pictures: Path) -> float:
    """Return the accuracy of a checkpoint's network on the pictures, by PyTorch's own layers."""
    model = nn.Sequential(nn.Linear(784, 8), nn.ReLU(), nn.Linear(8, 10))
    model.load_state_dict(state.parameters)
    paths = sorted(pictures.glob("*/*.png"))
    x = torch.stack([torch.from_numpy(np.asarray(Image.open(path)).copy()).flatten() for path in paths])
    labels = torch.tensor([int(path.parent.name) for path in paths])
    y = model((x.float() - state.data["mean"]) / state.data["deviation"])
    return (y.argmax(1) == labels).double().mean().item()


def test_all_5000_are_trained_with_and_the_pictures_test(run: Path, pictures: Path) -> None:
    state = checkpoint.load(run / "last.pt")
    pixels = torch.cat([half.pixels for half in mnist5k()]).double()
    assert state.step == 2 * 5000 // 500
    assert state.data["mean"] == pytest.approx(pixels.mean().item())
    assert state.data["deviation"] == pytest.approx(pixels.std().item())
    assert log_of(run)[-1]["test_accuracy"] == pytest.approx(accuracy_on(state, pictures))
    kept = json.loads((run / "config.json").read_text())
    assert (kept["dataset"], kept["test_dataset"], kept["test_root"]) == ("mnist5k", "folder", str(pictures))


def test_the_title_names_both(inside: Inside, pictures: Path) -> None:
    words = "--test-dataset", "folder", "--test-root", pictures, "--hidden", 4, "--dry-run"
    out = inside(*words)[1]
    assert "5,000 training images of mnist5k, 60 test images of folder\n" in out
    assert f"\npictures in {pictures}\n" in out
    assert "4,990 training images of mnist5k, 10 held out, 60 test images" in inside(*words, "--validation", 10)[1]
    alone = "--test-dataset", "folder", "--data-root", pictures, "--hidden", 4, "--dry-run"
    assert inside(*alone)[1] == out, "without --test-root it is in --data-root"


def test_it_goes_on_with_the_same_test_images(inside: Inside, run: Path, pictures: Path, tmp_path: Path) -> None:
    folder, moved = shutil.copytree(run, tmp_path / "run"), shutil.copytree(pictures, tmp_path / "moved")
    assert inside("--quiet", "--resume", folder, "--epochs", 3, "--test-root", moved)[0] == 0
    state = checkpoint.load(folder / "last.pt")
    assert (state.epoch, state.config["test_root"]) == (3, str(moved))
    code, out, _ = inside("--resume", folder, "--eval-only")
    assert (code, out.split()[:3]) == (0, ["test", "accuracy", f"{accuracy_on(state, moved):.4f}"])
    next(moved.glob("*/*.png")).unlink()
    code, _, errors = inside("--resume", folder, "--eval-only")
    assert (code, "expected the images that the checkpoint's network was trained on" in errors) == (1, True)


def test_a_run_keeps_the_data_set_that_tests_it(inside: Inside, run: Path) -> None:
    for words in ((), ("--eval-only",)):
        code, _, errors = inside("--resume", run, "--epochs", 9, "--test-dataset", "own", *words)
        assert code == 2
        assert "argument --test-dataset: the checkpoint's run has folder, got own; leave it out" in errors


def test_predict_reads_by_its_network(inside: Inside, run: Path, pictures: Path) -> None:
    """As a network of the digits that come along reads: the data set that tested it does not matter."""
    code, out, errors = inside("predict", next(pictures.glob("*/*.png")), "--checkpoint", run)
    assert (code, errors) == (0, "")
    assert re.search(r"\.png: \d\n", out)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--test-root", "x"), 2, "argument --test-root: expected --test-dataset too, the data set that is there"),
        (("--test-dataset", "mnist5k"), 1, "expected test images that are not trained with, got 1,000 of 1,000 that"),
        (("--test-dataset", "folder", "--image-size", 0), 2, "argument --image-size: expected a whole number"),
        (("--test-dataset", "folder", "--test-root", "{}", "--download"), 2, "argument --download: the pictures of a"),
        (("--test-dataset", "folder", "--test-root", "{}/9"), 1, "load expects folders of classes in"),
        (("--test-dataset", "mnist", "--test-root", "{}"), 1, "downloads them"),
    ],
    ids=lambda part: " ".join(map(str, part)) if isinstance(part, tuple) else "",
)
def test_what_cannot_be_is_one_line(
    inside: Inside, pictures: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    found, out, errors = inside(*(str(word).format(pictures) for word in words))
    assert (found, out) == (code, "")
    assert message in errors
    assert "Traceback" not in errors


def test_torchvision_is_asked_for_by_the_option_that_needs_it(
    inside: Inside, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manual_bp.training.command.start.missing", lambda extra: f"{extra} is not there")
    assert inside("--test-dataset", "usps")[2] == "train.py: error: argument --test-dataset: datasets is not there\n"
    assert inside("--dataset", "usps")[2] == "train.py: error: argument --dataset: datasets is not there\n"
    assert inside("--test-dataset", "folder", "--test-root", pictures, "--dry-run", "--hidden", 4)[0] == 0
