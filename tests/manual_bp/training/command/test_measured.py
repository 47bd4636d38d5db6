"""What is measured after every epoch, by what the best one is chosen, and what is said of it at the end."""

import json
from pathlib import Path

import pytest
import torch
from conftest import Inside, log_of
from torch import nn

from manual_bp.training.command.telling import is_chance
from manual_bp.training.images.data import mnist5k
from manual_bp.training.images.held_out import held_out
from manual_bp.training.run import checkpoint

SHORT = "--hidden", 8, "--lr-schedule", "constant"


def accuracy(path: Path, images) -> float:
    """Return the accuracy of a checkpoint's network on images, by PyTorch's own layers."""
    state = torch.load(path, weights_only=True)
    model = nn.Sequential(nn.Linear(784, 8), nn.ReLU(), nn.Linear(8, 10))
    model.load_state_dict(state["parameters"])
    x = (images.pixels.flatten(1) - state["data"]["mean"]) / state["data"]["deviation"]
    return (model(x.float()).argmax(1) == images.labels).float().mean().item()


def test_the_training_accuracy_is_that_of_training_images(inside: Inside, tmp_path: Path) -> None:
    """As many as there are test images, in line, log and checkpoint; masks are off."""
    _, out, _ = inside(*SHORT, "--epochs", 1, "--out-dir", tmp_path / "run")
    expected = accuracy(tmp_path / "run" / "last.pt", held_out(mnist5k()[0], 1000)[1])
    (entry,) = log_of(tmp_path / "run")
    assert entry["training_accuracy"] == pytest.approx(expected, abs=1e-6)
    assert f"  training {expected:.2%}  test {entry['test_accuracy']:.2%}\n" in out
    assert checkpoint.load(tmp_path / "run" / "last.pt").history[0]["training_accuracy"] == entry["training_accuracy"]


def test_few_training_images_are_all_answered(inside: Inside, tmp_path: Path) -> None:
    words = *SHORT, "--epochs", 1, "--validation", 3900, "--batch-size", 10
    assert inside(*words, "--out-dir", tmp_path / "run")[0] == 0
    rest, _ = held_out(mnist5k()[0], 3900)
    (entry,) = log_of(tmp_path / "run")
    assert entry["training_accuracy"] == pytest.approx(accuracy(tmp_path / "run" / "last.pt", rest), abs=1e-6)


def test_the_best_epoch_is_chosen_by_images_that_are_not_trained_with(inside: Inside, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = *SHORT, "--epochs", 8, "--validation", 1500, "--weight-decay", 4e-3
    code, out, _ = inside(*words, "--out-dir", folder)
    rest, held = held_out(mnist5k()[0], 1500)
    history = log_of(folder)
    values = [entry["validation_accuracy"] for entry in history]
    assert code == 0
    assert "2,500 training images, 1,500 held out, 1,000 test images" in out
    assert checkpoint.load(folder / "best.pt").epoch == 1 + values.index(max(values))
    assert values.index(max(values)) != max(range(8), key=lambda i: history[i]["test_accuracy"]), (
        "choose other settings"
    )
    assert accuracy(folder / "last.pt", held) == pytest.approx(values[-1], abs=1e-6)
    assert checkpoint.load(folder / "last.pt").data["mean"] == rest.mean_and_deviation[0]
    assert history[0]["step"] == 50


def test_a_run_with_images_held_out_goes_on_with_the_same(inside: Inside, tmp_path: Path) -> None:
    settings = *SHORT, "--validation", 3000
    assert inside(*settings, "--epochs", 2, "--out-dir", tmp_path / "whole")[0] == 0
    assert inside(*settings, "--epochs", 1, "--out-dir", tmp_path / "parts")[0] == 0
    assert inside("--resume", tmp_path / "parts", "--epochs", 2)[0] == 0
    logs = [log_of(tmp_path / name) for name in ("whole", "parts")]
    assert [{**entry, "seconds": 0} for entry in logs[0]] == [{**entry, "seconds": 0} for entry in logs[1]]
    code, _, errors = inside("--resume", tmp_path / "parts", "--validation", 2000)
    assert code == 2
    assert "argument --validation: the checkpoint's run has 3000, got 2000" in errors


def test_images_to_train_with_must_be_left(inside: Inside) -> None:
    code, out, errors = inside(*SHORT, "--validation", 3999)
    message = "argument --validation: expected at most 3,998 of the 4,000 training images, got 3,999"
    assert (code, out, errors) == (2, "", f"train.py: error: {message}\n")
    assert inside(*SHORT, "--validation", 3998, "--epochs", 1)[0] == 0


def test_a_run_of_before_goes_on_without_what_it_did_not_measure(inside: Inside, tmp_path: Path) -> None:
    assert inside(*SHORT, "--epochs", 1, "--out-dir", tmp_path / "run")[0] == 0
    state = torch.load(tmp_path / "run" / "last.pt", weights_only=True)
    del state["history"][0]["training_accuracy"], state["config"]["validation"]
    torch.save(state, tmp_path / "run" / "last.pt")
    assert inside("--resume", tmp_path / "run", "--epochs", 2)[0] == 0
    assert "validation" in json.loads((tmp_path / "run" / "config.json").read_text())


@pytest.mark.parametrize(("lr", "is_chance"), [(0, True), (0.05, False)])
def test_the_level_of_chance_is_remarked_on(inside: Inside, lr: float, is_chance: bool) -> None:
    code, out, errors = inside("--hidden", 8, "--epochs", 1, "--lr", lr)
    assert code == 0
    assert (
        "the test accuracy is at the level of chance, 10.0%: the network has learnt nothing; " in errors
    ) == is_chance
    assert out.splitlines()[-1].startswith("test accuracy 0.")


@pytest.mark.parametrize(
    ("right", "count", "share", "expected"),
    [
        (8, 8, 0.5, False),
        (5, 8, 0.5, True),
        (7, 12, 1 / 3, False),
        (2, 2, 0.5, False),
        (128, 1000, 0.1, True),
        (129, 1000, 0.1, False),
    ],
)
def test_of_a_few_images_all_right_is_no_chance(right: int, count: int, share: float, expected: bool) -> None:
    assert is_chance(right / count, share, count) == expected
