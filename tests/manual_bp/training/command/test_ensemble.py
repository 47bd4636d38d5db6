"""``--ensemble``: the networks of several seeds answer together, and ``predict`` asks them all."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from conftest import Inside, undrawn
from PIL import Image
from torch import Tensor, nn

from manual_bp.training.command.ending import Answers
from manual_bp.training.command.seeds import accuracy_of_mean
from manual_bp.training.images.data import mnist5k
from manual_bp.training.run import checkpoint

SHORT = "--hidden", 8, "--batch-size", 500, "--epochs", 3, "--quiet"


def answers(path: Path, rows: slice = slice(None)) -> Tensor:
    """Return the class probabilities of a checkpoint's network, by PyTorch's own layers."""
    state = checkpoint.load(path)
    model = nn.Sequential(nn.Linear(784, 8), nn.ReLU(), nn.Linear(8, 10), nn.Softmax(1))
    model.load_state_dict(state.tested)
    x = (mnist5k()[1].pixels[rows].flatten(1) - state.data["mean"]) / state.data["deviation"]
    return model(x.float()).detach()


def accuracy(y: Tensor) -> float:
    return (y.argmax(1) == mnist5k()[1].labels).double().mean().item()


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of three runs, whose best networks are not their last ones throughout."""
    import train

    folder = tmp_path_factory.mktemp("runs") / "three"
    words = *SHORT[:-3], "--epochs", 8, "--quiet", "--lr", 0.3, "--validation", 1000, "--patience", 8, "--seeds", 3
    with undrawn():
        assert train.main([*map(str, words), "--out-dir", str(folder)]) == 0
    return folder


@pytest.mark.long(but=("0.9",))
@pytest.mark.parametrize("more", [(), ("--average", 0.9)], ids=str)
def test_the_mean_of_the_answers_is_tested(inside: Inside, tmp_path: Path, more: tuple[object, ...]) -> None:
    words = *SHORT, *more, "--seeds", 3, "--out-dir", tmp_path / "runs"
    code, out, _ = inside(*words, "--ensemble")
    each = [answers(tmp_path / "runs" / f"seed-{seed}" / "last.pt") for seed in range(3)]
    expected = accuracy(torch.stack(each).mean(0))
    assert code == 0
    assert out.splitlines()[-1] == f"test accuracy {expected:.2%} of the mean of their answers"
    assert expected not in map(accuracy, each), "choose other settings"
    assert out.splitlines()[-2].endswith("(mean ± sd) of 3 seeds")
    again = *words, "--resume", "auto"
    assert inside(*again, "--ensemble")[1].splitlines()[-1] == out.splitlines()[-1]
    assert inside(*again, "--ensemble", "--eval-only")[1].splitlines()[-1] == out.splitlines()[-1]
    assert "of their answers" not in inside(*again)[1]


@pytest.mark.long
def test_of_a_run_with_patience_the_best_networks_answer(inside: Inside, seeds: Path, tmp_path: Path) -> None:
    """They are read from best.pt where they were trained by an earlier start."""
    folder = shutil.copytree(seeds, tmp_path / "runs")
    best, last = ([folder / f"seed-{seed}" / name for seed in range(3)] for name in ("best.pt", "last.pt"))
    assert [checkpoint.load(path).epoch for path in best] != [checkpoint.load(path).epoch for path in last]
    expected, others = (accuracy(torch.stack([answers(path) for path in paths]).mean(0)) for paths in (best, last))
    assert expected != others, "choose other settings"
    _, out, _ = inside("--quiet", "--seeds", 3, "--ensemble", "--resume", "auto", "--out-dir", folder)
    assert out.splitlines()[-1] == f"test accuracy {expected:.2%} of the mean of their answers"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "expected --seeds N too, N networks to ask"),
        (("--seeds", 1), "expected --seeds N too, N networks to ask"),
        (("--seeds", 2, "--dry-run"), "--dry-run trains no networks"),
    ],
    ids=str,
)
def test_an_ensemble_is_of_several_networks(inside: Inside, words: tuple[object, ...], message: str) -> None:
    assert inside("--ensemble", *words) == (2, "", f"train.py: error: argument --ensemble: {message}\n")


def test_all_have_to_answer_the_same_images() -> None:
    y, labels = torch.tensor([[0.6, 0.4], [0.4, 0.6]]), torch.tensor([0, 0])
    assert accuracy_of_mean([Answers(y, labels), Answers(y.flip(1) * 3, labels)]) == 0.5
    for other in (Answers(y, torch.tensor([0, 1])), Answers(torch.ones(2, 3), labels)):
        with pytest.raises(ValueError, match="expected runs with the same test images"):
            accuracy_of_mean([Answers(y, labels), other])


@pytest.mark.long
def test_predict_asks_all_networks_of_the_run(
    inside: Inside, seeds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(mnist5k()[1].pixels[7].numpy()).save(tmp_path / "x.png")
    y = torch.stack([answers(seeds / f"seed-{seed}" / "best.pt", slice(7, 8))[0] for seed in range(3)])
    said = json.loads(inside("predict", tmp_path / "x.png", "--json", "--checkpoint", seeds)[1])
    assert list(said["shares"].values()) == pytest.approx(y.mean(0).tolist(), abs=1e-6)
    alone = json.loads(inside("predict", tmp_path / "x.png", "--json", "--checkpoint", seeds / "seed-1")[1])
    assert list(alone["shares"].values()) == pytest.approx(y[1].tolist(), abs=1e-6)
    assert (said["networks"], alone["networks"]) == (3, 1)
    for folder, who in ((seeds, "  (the mean of 3 networks)"), (seeds / "seed-1", "")):
        first, *_ = inside("predict", tmp_path / "x.png", "--checkpoint", folder)[1].splitlines()
        assert re.fullmatch(rf"{tmp_path}/x\.png: [0-9]{re.escape(who)}", first)
    shutil.copytree(seeds, tmp_path / "runs" / "new")
    monkeypatch.chdir(tmp_path)
    assert json.loads(inside("predict", "x.png", "--json")[1])["shares"] == said["shares"]


def test_predict_refuses_networks_of_other_images(inside: Inside, seeds: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(seeds, tmp_path / "runs")
    state = torch.load(folder / "seed-2" / "best.pt", weights_only=True)
    state["data"]["mean"] += 1
    torch.save(state, folder / "seed-2" / "best.pt")
    code, _, errors = inside("predict", "x.png", "--checkpoint", folder)
    assert code == 1
    assert re.search(r"networks of the same training images, got others in \S+seed-0/best\.pt and \S+seed-2/", errors)


def test_to_go_on_with_several_seeds_one_is_named(inside: Inside, seeds: Path) -> None:
    for words in ((), ("--eval-only",)):
        code, out, errors = inside("--resume", seeds, *words)
        assert (code, out) == (2, "")
        assert f"argument --resume: {seeds} holds several seeds: name one, {seeds / 'seed-0'}; --seeds N " in errors
