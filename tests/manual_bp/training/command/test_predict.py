"""``train.py predict``: what a picture shows, by the network of a checkpoint."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Inside
from PIL import Image

from manual_bp.training.images.data import mnist5k
from manual_bp.training.run import checkpoint
from manual_bp.training.run.evaluation import answers


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import train

    folder = tmp_path_factory.mktemp("runs") / "digits"
    assert train.main(["--hidden", "32", "--dropout", "0.2", "--epochs", "3", "--quiet", "--out-dir", str(folder)]) == 0
    return folder


def saved(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def test_says_what_the_network_says_of_the_same_pixels(inside: Inside, run: Path, tmp_path: Path) -> None:
    """A test image as it is, and dark on light: the digit and every confidence of the network on that very image."""
    _, test = mnist5k()
    light = saved(tmp_path / "light.png", test.pixels[3].numpy())
    dark = saved(tmp_path / "dark.png", 255 - test.pixels[3].numpy())
    code, out, errors = inside("predict", light, dark, "--checkpoint", run / "last.pt")
    assert (code, errors) == (0, "")
    state = checkpoint.load(run / "last.pt")
    layers = torch.nn.Linear(784, 32), torch.nn.ReLU(), torch.nn.Dropout(0.2), torch.nn.Linear(32, 10)
    model = torch.nn.Sequential(*layers, torch.nn.Softmax(1)).eval()
    model.load_state_dict(state.parameters)
    y = model((test.pixels[3].flatten()[None] - state.data["mean"]) / state.data["deviation"])[0]
    first, second = re.findall(r"(\S+): (\d)\n((?:  .*\n){10})", out)
    for name, digit, lines in (first, second):
        assert Path(name) in (light, dark)
        assert int(digit) == int(y.argmax()) == int(test.labels[3])
        shown = [re.match(r"  (\d) +([\d.]+)% *(#*)$", line).groups() for line in lines.splitlines()]
        assert [int(name) for name, _, _ in shown] == list(range(10))
        for (_, share, bar), expected in zip(shown, y.tolist(), strict=True):
            assert float(share) == pytest.approx(100 * expected, abs=0.051)
            assert len(bar) == round(40 * expected)


def test_takes_the_best_network_of_the_newest_run(
    inside: Inside, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    picture = saved(tmp_path / "x.png", mnist5k()[1].pixels[0].numpy())
    code, _, errors = inside("predict", picture)
    assert code == 1
    assert "expected a run in runs: train one by --out-dir runs/NAME, or name a --checkpoint" in errors
    for age, name in enumerate(("new", "old")):
        (tmp_path / "runs" / name).mkdir(parents=True)
        best = tmp_path / "runs" / name / "best.pt"
        best.write_bytes((run / "best.pt").read_bytes() if name == "new" else b"damaged")
        os.utime(best, (1e9 - age, 1e9 - age))
    assert inside("predict", picture)[0] == 0


def test_a_picture_that_cannot_be_read_does_not_stop_the_others(inside: Inside, run: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    good = saved(tmp_path / "good.png", mnist5k()[1].pixels[0].numpy())
    code, out, errors = inside("predict", tmp_path / "bad.png", good, tmp_path / "gone.png", "--checkpoint", run)
    assert code == 1
    assert out.startswith(f"{good}: ")
    assert [line.startswith("train.py predict: error: ") for line in errors.splitlines()] == [True, True]
    assert "bad.png" in errors
    assert "gone.png" in errors


def test_a_checkpoint_whose_parameters_are_anothers_is_named(inside: Inside, run: Path, tmp_path: Path) -> None:
    state = torch.load(run / "last.pt", weights_only=True)
    state["config"]["hidden"] = [31]
    torch.save(state, tmp_path / "other.pt")
    picture = saved(tmp_path / "x.png", mnist5k()[1].pixels[0].numpy())
    code, _, errors = inside("predict", picture, "--checkpoint", tmp_path / "other.pt")
    assert code == 1
    assert "expected the parameters of its own network in" in errors


def test_without_a_picture_it_says_what_it_expects(inside: Inside) -> None:
    code, _, errors = inside("predict")
    assert code == 2
    assert "the following arguments are required: IMAGE" in errors


def test_real_test_images_are_answered_as_in_training(inside: Inside, run: Path, tmp_path: Path) -> None:
    """Forty images in their own files: as many right as the network itself has."""
    _, test = mnist5k()
    state = checkpoint.load(run / "best.pt")
    pictures = [saved(tmp_path / f"{i:02}.png", test.pixels[25 * i].numpy()) for i in range(40)]
    _, out, _ = inside("predict", *pictures, "--checkpoint", run)
    said = [int(digit) for digit in re.findall(r"\.png: (\d)\n", out)]
    from manual_bp import Linear, Network, ReLU, SoftmaxCrossEntropy

    weights = state.parameters
    layers = Linear(weights["0.weight"], weights["0.bias"]), ReLU(), Linear(weights["3.weight"], weights["3.bias"])
    x = (test.pixels[::25].flatten(1).float() - state.data["mean"]) / state.data["deviation"]
    y = answers(Network(layers, SoftmaxCrossEntropy()), [(x, x)])
    assert said == y.argmax(1).tolist()
