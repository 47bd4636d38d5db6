"""``--average``: what is tested, saved and answered by is the average; what is trained is what it would be without."""

import json
import re
from pathlib import Path

import pytest
import torch
from cases import assert_identical
from conftest import Inside, log_of, undrawn
from kills import assert_same_end
from PIL import Image
from torch import nn

import train
from manual_bp.training.command.session import Session
from manual_bp.training.images.data import mnist5k
from manual_bp.training.run import checkpoint

SHORT = "--hidden", 8, "--batch-size", 500, "--lr-schedule", "constant"


def accuracy(parameters: dict[str, torch.Tensor], data: dict[str, float]) -> float:
    """Return the accuracy on the test images of PyTorch's own layers."""
    model = nn.Sequential(nn.Linear(784, 8), nn.ReLU(), nn.Linear(8, 10))
    model.load_state_dict(parameters)
    _, test = mnist5k()
    x = (test.pixels.flatten(1) - data["mean"]) / data["deviation"]
    return (model(x.float()).argmax(1) == test.labels).float().mean().item()


class Killed(BaseException):
    """The end of a process that does nothing any more."""


SAVE = Session.save


def saved_and_killed(session: Session, *, best: bool = False) -> None:
    """Save as a session does, and end the process after step 12, in the second epoch."""
    SAVE(session, best=best)
    if session.run.step == 12:
        raise Killed


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs of eight steps, every step saved and kept, and a test of its last network."""
    folder = tmp_path_factory.mktemp("runs") / "averaged"
    words = *SHORT, "--epochs", 2, "--average", 0.9, "--out-dir", folder, "--quiet"
    with undrawn():
        assert train.main(list(map(str, words))) == 0
    return folder


def test_the_average_is_that_of_the_weights_after_each_step(
    inside: Inside, monkeypatch: pytest.MonkeyPatch, run: Path
) -> None:
    """By plain arithmetic, from the weights of a run without an average: those are trained as if there were none."""
    weights, count = [], Session.count

    def noted(session: Session, loss: float) -> None:
        weights.append(session.trained().state_dict())
        count(session, loss)

    monkeypatch.setattr(Session, "count", noted)
    assert inside(*SHORT, "--epochs", 2)[0] == 0
    state = checkpoint.load(run / "last.pt")
    assert len(weights) == 16
    for name, last in weights[-1].items():
        expected = torch.zeros_like(last, dtype=torch.float64)
        for step, each in enumerate(weights, start=1):
            share = max(1 - 0.9, 10 / (9 + step))
            expected = (1 - share) * expected + share * each[name].double()
        assert_identical(state.parameters[name], last, name)
        assert torch.allclose(state.average[name].double(), expected, rtol=1e-5, atol=1e-6)


def test_tests_and_answers_are_those_of_the_average(inside: Inside, run: Path, tmp_path: Path) -> None:
    state = checkpoint.load(run / "last.pt")
    expected = accuracy(state.average, state.data)
    assert expected != accuracy(state.parameters, state.data), "choose other settings"
    assert log_of(run)[-1]["test_accuracy"] == pytest.approx(expected, abs=1e-6)
    assert inside("--resume", run, "--eval-only")[1].startswith(f"test accuracy {expected:.4f} ")
    Image.fromarray(mnist5k()[1].pixels[3].numpy()).save(tmp_path / "x.png")
    said = json.loads(inside("predict", tmp_path / "x.png", "--json", "--checkpoint", run / "last.pt")[1])
    model = nn.Sequential(nn.Linear(784, 8), nn.ReLU(), nn.Linear(8, 10), nn.Softmax(1))
    model.load_state_dict(state.average)
    x = (mnist5k()[1].pixels[3].flatten()[None] - state.data["mean"]) / state.data["deviation"]
    assert list(said["shares"].values()) == pytest.approx(model(x.float())[0].tolist(), abs=1e-5)


def test_pictures_are_of_the_average(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from manual_bp.training.run import plots

    drawn = []
    monkeypatch.setattr(plots, "draw_run", lambda folder, history, y, test, *rest, **more: drawn.append((y, test)))
    words = "--resume", run / "last.pt", "--epochs", 3, "--out-dir", tmp_path / "more", "--quiet"
    assert train.main(list(map(str, words))) == 0
    (y, test), state = drawn[0], checkpoint.load(tmp_path / "more" / "last.pt")
    right = (y.argmax(1) == test.labels).float().mean().item()
    assert right == pytest.approx(accuracy(state.average, state.data), abs=1e-6)
    assert right != accuracy(state.parameters, state.data), "choose other settings"


@pytest.mark.parametrize("dropped", ["average", "a name of it"])
def test_a_checkpoint_without_its_average_is_refused(inside: Inside, run: Path, tmp_path: Path, dropped: str) -> None:
    state = torch.load(run / "last.pt", weights_only=True)
    if dropped == "average":
        state["average"] = {}
    else:
        del state["average"]["0.bias"]
    torch.save(state, tmp_path / "other.pt")
    code, _, errors = inside("--resume", tmp_path / "other.pt", "--epochs", 3)
    assert code == 1
    assert "expected a checkpoint of this very run: Network expects the parameters" in errors


def test_a_run_keeps_its_average_or_none(inside: Inside, run: Path, tmp_path: Path) -> None:
    code, _, errors = inside("--resume", run, "--average", 0.5)
    assert (code, "argument --average: the checkpoint's run has 0.9, got 0.5; " in errors) == (2, True)
    state = torch.load(run / "last.pt", weights_only=True)
    state["config"]["average"] = 0.0
    torch.save(state, tmp_path / "other.pt")
    code, _, errors = inside("--resume", tmp_path / "other.pt", "--epochs", 3)
    assert (code, "it has an average of the parameters, and settings without one" in errors) == (1, True)


@pytest.mark.long(but=1)
@pytest.mark.parametrize("engines", ["manual autograd", "autograd manual", "both both"])
def test_a_run_that_goes_on_has_the_average_of_one_left_alone(inside: Inside, tmp_path: Path, engines: str) -> None:
    """Between two epochs, and within one: the second part begins from a save in the middle of an epoch."""
    first, second = engines.split()
    words = *SHORT, "--average", 0.9, "--save-interval", 3
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert inside(*words, "--epochs", 3, "--out-dir", whole)[0] == 0
    assert inside(*words, "--epochs", 1, "--out-dir", parts, "--engine", first)[0] == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.Session, "save", saved_and_killed)
        with pytest.raises(Killed):
            inside("--resume", parts, "--epochs", 3, "--engine", first)
    assert checkpoint.load(parts / "last.pt").step == 12
    assert inside("--resume", parts, "--engine", second)[0] == 0
    assert_same_end(whole, parts)


def test_both_engines_have_the_same_average(inside: Inside, tmp_path: Path) -> None:
    for engine in ("manual", "autograd", "both"):
        words = *SHORT, "--epochs", 1, "--average", 0.9, "--engine", engine, "--out-dir", tmp_path / engine
        code, out, _ = inside(*words)
        assert code == 0
        assert bool(re.search("at most 0 ulp apart", out)) == (engine == "both")
    first, *others = (
        checkpoint.load(tmp_path / engine / "last.pt").average for engine in ("manual", "autograd", "both")
    )
    for other in others:
        for name, value in first.items():
            assert_identical(other[name], value, name)
