"""``train.py predict``: what a picture shows, by the network of a checkpoint."""

import json
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


def test_json_says_the_same_for_a_program(inside: Inside, run: Path, tmp_path: Path) -> None:
    pixels = mnist5k()[1].pixels[3]
    picture = saved(tmp_path / "x.png", pixels.numpy())
    shown = inside("predict", picture, "--checkpoint", run)[1]
    code, out, errors = inside("predict", picture, picture, "--json", "--seen", "--checkpoint", run)
    first, second = map(json.loads, out.splitlines())
    assert (code, errors) == (0, "")
    assert first == second
    assert shown.startswith(f"{first['picture']}: {first['answer']}\n")
    assert max(first["shares"], key=first["shares"].get) == first["answer"]
    assert sum(first["shares"].values()) == pytest.approx(1, abs=1e-5)
    assert first["seen"] == pixels.tolist()
    assert "seen" not in json.loads(inside("predict", picture, "--json", "--checkpoint", run)[1])


def test_shows_the_picture_that_the_network_saw(inside: Inside, run: Path, tmp_path: Path) -> None:
    pixels = mnist5k()[1].pixels[3]
    _, out, _ = inside("predict", saved(tmp_path / "x.png", pixels.numpy()), "--seen", "--checkpoint", run)
    rows = [line.ljust(58) for line in out.splitlines()[-28:]]
    inked = [[row[2 + 2 * column] != " " for column in range(28)] for row in rows]
    assert inked == (pixels > 25).tolist()


def test_says_where_it_is_not_sure(inside: Inside, run: Path, tmp_path: Path) -> None:
    """Forty pictures, every other one half of a digit and half of another."""
    pixels = mnist5k()[1].pixels
    mixed = [pixels[i] if i % 50 else pixels[i] // 2 + pixels[999 - i] // 2 for i in range(0, 1000, 25)]
    pictures = [saved(tmp_path / f"{i}.png", each.numpy()) for i, each in enumerate(mixed)]
    _, out, _ = inside("predict", *pictures, "--json", "--checkpoint", run)
    sure = unsure = 0
    for said in map(json.loads, out.splitlines()):
        (first, best), (second, next_best) = sorted(said["shares"].items(), key=lambda item: -item[1])[:2]
        assert said["answer"] == first
        note = f"not sure: {second} comes next, with {next_best:.1%}"
        assert (note in said["notes"]) == (best < 0.6)
        sure, unsure = sure + (best >= 0.6), unsure + (best < 0.6)
    assert min(sure, unsure) > 0


def test_says_where_a_picture_shows_several_things(inside: Inside, run: Path, tmp_path: Path) -> None:
    _, test = mnist5k()
    beside = np.hstack([test.pixels[3].numpy(), test.pixels[505].numpy()]).repeat(5, 0).repeat(5, 1)
    below = np.vstack([test.pixels[3].numpy(), test.pixels[505].numpy()]).repeat(5, 0).repeat(5, 1)
    alone = test.pixels[3].numpy().repeat(5, 0).repeat(5, 1)
    pictures = [saved(tmp_path / f"{i}.png", pixels) for i, pixels in enumerate((beside, below, alone))]
    _, out, _ = inside("predict", *pictures, "--json", "--checkpoint", run)
    several = [any("several things" in note for note in json.loads(line)["notes"]) for line in out.splitlines()]
    assert several == [True, True, False]


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
