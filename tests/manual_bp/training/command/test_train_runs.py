"""Runs that are kept: what their folder holds, what stops them, and what else train.py does with a network."""

import json
import re
import resource
import shutil
import signal
from pathlib import Path

import pytest
import torch
from cases import assert_identical
from conftest import Inside, log_of
from torch import nn

from manual_bp import Linear
from manual_bp.training.command.session import Session
from manual_bp.training.command.start import AUGMENT
from manual_bp.training.images.batches import Batches
from manual_bp.training.images.data import mnist5k
from manual_bp.training.run import checkpoint, plots

SHORT = "--hidden", 8, "--lr-schedule", "constant"
draw = Session.draw


def test_the_folder_holds_all_of_a_run(kept_run: Path) -> None:
    names = {path.name for path in kept_run.iterdir()}
    pictures = {"curves.png", "confusion.png", "mistakes.png"}
    assert names == {"config.json", "metrics.jsonl", "last.pt", "best.pt", ".lock"} | pictures
    assert all((kept_run / picture).read_bytes().startswith(b"\x89PNG") for picture in pictures)
    records = log_of(kept_run)
    assert [(record["event"], record["step"]) for record in records] == [
        ("step", 50), ("epoch", 80), ("step", 100), ("step", 150), ("epoch", 160), ("step", 200), ("epoch", 240)
    ]  # fmt: skip
    epochs = [record for record in records if record["event"] == "epoch"]
    state = checkpoint.load(kept_run / "last.pt")
    assert [{**entry, "event": "epoch"} for entry in state.history] == epochs
    assert (state.epoch, state.step, state.loss_sum, state.seed) == (3, 240, 0.0, 0)
    assert state.data["name"] == "mnist5k"
    assert state.config == json.loads((kept_run / "config.json").read_text())
    best = checkpoint.load(kept_run / "best.pt")
    accuracies = [epoch["test_accuracy"] for epoch in epochs]
    assert best.epoch == 1 + accuracies.index(max(accuracies))


@pytest.mark.long(but=1)
@pytest.mark.parametrize(("augment", "dtype"), [("shift", "float64"), ("affine", "float32"), ("elastic", "float64")])
def test_changed_images_are_drawn(
    inside: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, augment: str, dtype: str
) -> None:
    """The first 64 of epoch 1, more than a batch."""
    drawn: dict[str, torch.Tensor] = {}
    for name in ("plot_curves", "plot_confusion", "plot_mistakes"):
        monkeypatch.setattr(plots, name, lambda path, *what, **how: None)
    monkeypatch.setattr(plots, "plot_distorted", lambda path, pixels, **how: drawn.update({path.name: pixels}))
    monkeypatch.setattr(Session, "draw", draw)
    settings = *SHORT, "--epochs", 1, "--augment", augment, "--dtype", dtype, "--seed", 4
    assert inside(*settings, "--out-dir", tmp_path / "run")[0] == 0
    training, _ = mnist5k()
    kind = {"standard": training, "dtype": getattr(torch, dtype), "device": "cpu", **AUGMENT[augment]}
    x, _ = next(Batches(training, 64, **kind).shuffled(4, 1))
    (pixels,) = drawn.values()
    assert list(drawn) == ["distorted.png"]
    mean, deviation = training.mean_and_deviation
    assert (pixels - (x * deviation + mean).view(64, 28, 28)).abs().max() < 1e-3
    assert pixels.max() > 250


def test_the_parameters_load_into_a_plain_sequential(kept_run: Path) -> None:
    state = torch.load(kept_run / "last.pt", weights_only=True)
    model = nn.Sequential(nn.Linear(784, 8), nn.ReLU(), nn.Linear(8, 10))
    model.load_state_dict(state["parameters"])
    _, test = mnist5k()
    x = (test.pixels.flatten(1) - state["data"]["mean"]) / state["data"]["deviation"]
    accuracy = (model(x.float()).argmax(1) == test.labels).float().mean().item()
    assert accuracy == pytest.approx(state["history"][-1]["test_accuracy"], abs=1e-6)


def test_masks_are_off_where_a_network_is_tested(inside: Inside, tmp_path: Path) -> None:
    """The accuracy of every epoch and of --eval-only is that of PyTorch's own layers after eval()."""
    kept = tmp_path / "run"
    inside("--hidden", 30, "--dropout", 0.5, "--epochs", 2, "--out-dir", kept)
    state = torch.load(kept / "last.pt", weights_only=True)
    model = nn.Sequential(nn.Linear(784, 30), nn.ReLU(), nn.Dropout(0.5), nn.Linear(30, 10)).eval()
    model.load_state_dict(state["parameters"])
    _, test = mnist5k()
    x = (test.pixels.flatten(1) - state["data"]["mean"]) / state["data"]["deviation"]
    accuracy = (model(x.float()).argmax(1) == test.labels).float().mean().item()
    assert state["history"][-1]["test_accuracy"] == pytest.approx(accuracy, abs=1e-6)
    _, out, _ = inside("--resume", kept, "--eval-only")
    assert out.startswith(f"test accuracy {accuracy:.4f}")


@pytest.mark.long
def test_the_parameters_of_lenet_load_into_plain_pytorch(inside: Inside, tmp_path: Path) -> None:
    """Its layers as everybody writes them, with PyTorch's own convolution."""
    kept = tmp_path / "lenet"
    inside("--network", "lenet", "--epochs", 1, "--batch-size", 400, "--threads", 1, "--out-dir", kept)
    state = torch.load(kept / "last.pt", weights_only=True)
    features = (
        nn.Conv2d(1, 6, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )
    rest = nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)
    model = nn.Sequential(nn.Unflatten(1, (1, 28, 28)), *features, nn.Flatten(), *rest)
    model.load_state_dict(state["parameters"])
    _, test = mnist5k()
    x = (test.pixels.flatten(1) - state["data"]["mean"]) / state["data"]["deviation"]
    accuracy = (model(x.float()).argmax(1) == test.labels).float().mean().item()
    assert accuracy == pytest.approx(state["history"][-1]["test_accuracy"], abs=2e-3)


def test_a_full_disk_leaves_the_checkpoint_before(inside: Inside, tmp_path: Path) -> None:
    """A limit to the size of files in the place of a small disk: the 784-8-10 network needs 60 kB twice."""
    assert inside(*SHORT, "--epochs", 1, "--out-dir", tmp_path / "run")[0] == 0
    last = tmp_path / "run" / "last.pt"
    before = last.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        code, _, errors = inside("--resume", tmp_path / "run", "--epochs", 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code == 1
    assert re.search(r"train.py: error: cannot write .*\.pt: File too large; what was there before is unharmed", errors)
    assert last.read_bytes() == before
    assert not list((tmp_path / "run").glob(".*unfinished"))
    assert inside("--resume", tmp_path / "run", "--epochs", 2)[0] == 0


def test_a_number_that_is_not_finite_stops_the_run(inside: Inside, tmp_path: Path) -> None:
    assert inside(*SHORT, "--epochs", 1, "--out-dir", tmp_path / "run")[0] == 0
    before = (tmp_path / "run" / "last.pt").read_bytes()
    state = torch.load(tmp_path / "run" / "last.pt", weights_only=True)
    state["parameters"]["2.weight"].fill_(1e38)
    torch.save(state, tmp_path / "run" / "last.pt")
    spoiled = (tmp_path / "run" / "last.pt").read_bytes()
    code, _, errors = inside("--resume", tmp_path / "run", "--epochs", 2)
    assert code == 1
    assert re.search(r"stopped in epoch 2 after step 81: net\^2 is (infinite|NaN); try a smaller --lr", errors)
    assert f"{tmp_path / 'run' / 'last.pt'} is saved: --resume goes on from it" in errors
    assert (tmp_path / "run" / "last.pt").read_bytes() == spoiled != before


@pytest.mark.long(but=1)
@pytest.mark.parametrize("engine", ["manual", "autograd"])
def test_gradients_are_checked_while_it_trains(
    inside: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    settings = *SHORT, "--epochs", 1, "--engine", engine, "--check-gradients", 30
    assert inside(*settings)[0] == 0
    real = Linear.gradients

    def spoiled(self, error, saved, out=None):
        gradients = real(self, error, saved, out)
        gradients["weight"].mul_(1.001)
        return gradients

    monkeypatch.setattr(Linear, "gradients", spoiled)
    code, _, errors = inside(*settings)
    assert code == 1
    assert errors.startswith("stopped before step 1: the gradients are wrong\nWrong: ∂L/∂W^2")
    assert "(E12), layer 2" in errors
    assert "Likely cause: a constant factor of 1.001" in errors


@pytest.mark.parametrize("engine", ["manual", "autograd", "both"])
def test_eval_only_tests_the_network_of_a_checkpoint(inside: Inside, kept_run: Path, engine: str) -> None:
    before = {path.name: path.read_bytes() for path in kept_run.iterdir()}
    last = checkpoint.load(kept_run / "last.pt").history[-1]
    code, out, _ = inside("--resume", kept_run, "--eval-only", "--engine", engine)
    assert (code, out) == (
        0, f"test accuracy {last['test_accuracy']:.4f}  test loss {last['test_loss']:.4f}\n"
    )  # fmt: skip
    assert {path.name: path.read_bytes() for path in kept_run.iterdir()} == before


def test_eval_only_expects_a_run(inside: Inside, tmp_path: Path) -> None:
    code, out, errors = inside("--eval-only", "--resume", "auto", "--out-dir", tmp_path / "run")
    assert (code, out) == (2, "")
    assert "argument --eval-only: there is no run yet to test" in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("engine", ["manual", "autograd"])
def test_the_trained_network_is_drawn(
    inside: Inside, kept_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    folder, drawn = shutil.copytree(kept_run, tmp_path / "run"), []
    import train

    monkeypatch.setattr(train.Session, "draw", lambda session: drawn.append(session.trained().state_dict()))
    assert train.main(["--resume", str(folder), "--engine", engine]) == 0
    for name, parameter in checkpoint.load(folder / "last.pt").parameters.items():
        assert_identical(drawn[0][name], parameter, name)


def test_the_network_that_is_cross_checked_is_the_one_that_trains(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch_ref

    real, seen = torch_ref.crosscheck, []

    def noted(network, x, t, **options):
        seen.append(network.state_dict())
        return real(network, x, t, **options)

    monkeypatch.setattr(torch_ref, "crosscheck", noted)
    assert inside(*SHORT, "--epochs", 1, "--engine", "autograd", "--check-gradients", 40)[0] == 0
    assert len(seen) == 2
    assert all(not torch.equal(seen[0][name], seen[1][name]) for name in seen[0])


def test_a_test_loss_that_is_not_finite_stops_the_run(inside: Inside, tmp_path: Path) -> None:
    """All 4,000 images in one step of an absurd size: the next loss would be the first to tell."""
    wild = "--batch-size", 4000, "--lr", "1e20", "--momentum", 0, "--weight-decay", 0, "--lr-schedule", "constant"
    code, _, errors = inside("--hidden", 16, *wild, "--epochs", 1, "--out-dir", tmp_path / "run")
    assert code == 1
    assert re.search("stopped after epoch 1: the test loss is (nan|inf); try a smaller --lr", errors)
    assert "nothing is saved" in errors
    assert log_of(tmp_path / "run") == []
    assert not (tmp_path / "run" / "last.pt").exists()


def test_ctrl_c_between_seeds_ends_them_all(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    real, tests = Session.measured, []

    def interrupted(session):
        if not tests:
            signal.raise_signal(signal.SIGINT)
        tests.append(1)
        return real(session)

    monkeypatch.setattr(Session, "measured", interrupted)
    code, out, _ = inside(*SHORT, "--epochs", 1, "--seeds", 3, "--quiet")
    assert code == 130
    assert len(tests) == 1
    assert "seeds" not in out


def test_of_several_processes_none_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    import train
    from manual_bp.training.engine.processes import Processes

    asked = []
    monkeypatch.setattr(
        train.datasets, "load", lambda name, root, download, side: (asked.append(download), mnist5k())[1]
    )
    settings = train.Settings(download=True)
    train.load_images(settings, Processes())
    train.load_images(settings, Processes(0, 2))
    assert asked == [True, False]


@pytest.mark.parametrize("more", [(), ("--seeds", 3), ("--engine", "both")])
def test_a_dry_run_writes_nothing(inside: Inside, tmp_path: Path, more: tuple[object, ...]) -> None:
    code, out, _ = inside(*SHORT, "--dry-run", "--out-dir", tmp_path / "run", *more)
    assert code == 0
    assert re.search(r"dry run: 2,400 steps in 30 epochs, 6,370 parameters, first loss \d\.\d{4}; nothing was", out)
    assert list(tmp_path.iterdir()) == []


def test_quiet_prints_the_result_only(inside: Inside) -> None:
    code, out, errors = inside(*SHORT, "--epochs", 1, "--quiet")
    assert (code, errors) == (0, "")
    assert re.fullmatch(r"test accuracy 0\.\d{4}  training [\d.]+ s, [\d.e-]+ s an epoch, in all [\d.]+ s\n", out)


def test_seeds_are_runs_of_their_own(inside: Inside, tmp_path: Path) -> None:
    code, out, _ = inside(*SHORT, "--epochs", 1, "--quiet", "--seed", 3, "--seeds", 3, "--out-dir", tmp_path)
    lines = out.splitlines()
    accuracies = [float(line.split()[2]) for line in lines[:3]]
    assert code == 0
    assert len(set(accuracies)) > 1
    summary = f"{sum(accuracies) / 3:.2%} ± {torch.tensor(accuracies).double().std().item():.2%}"
    assert lines[3] == f"test accuracy {summary} (mean ± sd) of 3 seeds"
    for seed, accuracy in zip((3, 4, 5), accuracies, strict=True):
        state = checkpoint.load(tmp_path / f"seed-{seed}" / "last.pt")
        assert (state.seed, state.config["seed"]) == (seed, seed)
        assert state.history[-1]["test_accuracy"] == pytest.approx(accuracy, abs=5e-5)
    again = inside(
        *SHORT, "--epochs", 1, "--quiet", "--seed", 3, "--seeds", 3, "--out-dir", tmp_path, "--resume", "auto"
    )
    assert again[1].splitlines()[3] == lines[3]


def test_tensorboard_sees_the_log(inside: Inside, tmp_path: Path) -> None:
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="the extra 'tensorboard' is not installed"
    )
    folder = tmp_path / "run"
    assert inside(*SHORT, "--epochs", 2, "--log-interval", 50, "--tensorboard", "--out-dir", folder)[0] == 0
    assert inside("--resume", folder, "--epochs", 3, "--tensorboard")[0] == 0
    events = accumulator.EventAccumulator(str(folder / "tensorboard")).Reload()
    for event in ("epoch", "step"):
        records = [record for record in log_of(folder) if record["event"] == event]
        for name in ("loss", "lr"):
            shown = [(scalar.step, scalar.value) for scalar in events.Scalars(f"{event}/{name}")]
            assert [step for step, _ in shown] == [record["step"] for record in records]
            assert [value for _, value in shown] == pytest.approx([record[name] for record in records], rel=1e-6)
