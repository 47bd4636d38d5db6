"""``--patience``: when a run stops, which network it reports, and what it says when it is resumed."""

import re
import shutil
from pathlib import Path

import pytest
from conftest import Inside, log_of, undrawn
from kills import assert_same_end

from manual_bp.training.command.session import Session
from manual_bp.training.run import checkpoint
from manual_bp.training.run.evaluation import evaluate
from manual_bp.training.run.run_folder import best_of

SETTINGS = "--hidden", 8, "--batch-size", 500, "--validation", 2000, "--epochs", 40, "--lr", 0.3
STOPPED = r"stopped after epoch (\d+) of 40: none of the last 3 was better than epoch (\d+) on the held-out images, "


@pytest.fixture(scope="module")
def stopped_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that stopped after three epochs without a better one: not to be written to."""
    import train

    folder = tmp_path_factory.mktemp("runs") / "stopped"
    with undrawn():
        assert train.main([*map(str, SETTINGS), "--patience", "3", "--out-dir", str(folder), "--quiet"]) == 0
    return folder


def best_epoch(history: list[dict[str, float]]) -> int:
    values = [entry["validation_accuracy"] for entry in history]
    return 1 + values.index(max(values))


def test_stops_after_as_many_epochs_without_a_better_one(stopped_run: Path) -> None:
    history = log_of(stopped_run)
    best = best_epoch(history)
    assert len(history) == best + 3 < 40
    for done in range(1, len(history)):
        assert done - best_epoch(history[:done]) < 3
    assert checkpoint.load(stopped_run / "best.pt").epoch == best


def test_says_which_epoch_was_best_and_reports_its_test_accuracy(inside: Inside, stopped_run: Path) -> None:
    """Without a folder; the learning rate falls as it does without --patience."""
    code, out, _ = inside(*SETTINGS, "--patience", 3)
    history = log_of(stopped_run)
    best = best_epoch(history)
    *epochs, stopped, last = out.splitlines()
    accuracy = history[best - 1]["test_accuracy"]
    assert code == 0
    assert re.match(STOPPED, stopped).groups() == (str(len(history)), str(best))
    assert stopped.endswith(f" {history[best - 1]['validation_accuracy']:.2%}")
    assert last.startswith(f"test accuracy {accuracy:.4f} of epoch {best}, the best on the held-out images  training ")
    assert accuracy != history[-1]["test_accuracy"], "choose other settings"
    lines = inside(*SETTINGS)[1].splitlines()
    assert lines[: len(epochs)] == epochs
    assert len(lines) == 43


def test_a_run_that_reaches_its_last_epoch_reports_the_best_too(inside: Inside, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = *SETTINGS[:-4], "--epochs", 6, "--lr", 0.3, "--patience", 6, "--out-dir", folder, "--quiet"
    code, out, _ = inside(*words)
    history = log_of(folder)
    best = best_epoch(history)
    assert (code, len(history)) == (0, 6)
    assert out.startswith(f"test accuracy {history[best - 1]['test_accuracy']:.4f} of epoch {best}, the best ")


def test_a_run_that_had_stopped_says_so_and_goes_on_with_more_patience(
    inside: Inside, stopped_run: Path, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    code, out, _ = inside("--resume", stopped_run / "last.pt", "--out-dir", parts)
    assert code == 0
    assert re.match(STOPPED, out.splitlines()[2])
    assert out.splitlines()[2].endswith("; a --patience above 3 goes on")
    assert out.splitlines()[3].startswith("test accuracy 0.")
    assert checkpoint.load(stopped_run / "last.pt").step == log_of(parts)[-1]["step"]
    assert inside(*SETTINGS, "--patience", 6, "--out-dir", whole)[0] == 0
    more = shutil.copytree(stopped_run, tmp_path / "more")
    code, out, _ = inside("--resume", more, "--patience", 6)
    assert code == 0
    assert "goes on after step" in out
    assert log_of(whole)[-1]["step"] > log_of(parts)[-1]["step"]
    assert_same_end(whole, more)


@pytest.mark.parametrize("kept", ["in memory", "in best.pt", "in the folder before"])
def test_pictures_are_of_the_best_network(
    stopped_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    import train

    seen = []
    monkeypatch.setattr(
        Session, "draw", lambda session: seen.append((session.reported_network(), session.test_batches.in_order()))
    )
    words = {
        "in memory": [*map(str, SETTINGS), "--patience", "3"],
        "in best.pt": ["--resume", str(stopped_run)],
        "in the folder before": ["--resume", str(stopped_run), "--out-dir", str(tmp_path / "new")],
    }
    if kept == "in the folder before":
        words[kept][1] += "/last.pt"
    assert train.main(words[kept]) == 0
    history = log_of(stopped_run)
    expected = history[best_epoch(history) - 1]
    assert evaluate(*seen[0]) == pytest.approx((expected["test_loss"], expected["test_accuracy"]), rel=1e-6)


def test_the_best_network_goes_along_into_a_new_folder(inside: Inside, stopped_run: Path, tmp_path: Path) -> None:
    """The folder before may be gone when the run goes on once more."""
    before = shutil.copytree(stopped_run, tmp_path / "before")
    best = checkpoint.load(before / "best.pt").step
    assert inside("--resume", before / "last.pt", "--patience", 4, "--out-dir", tmp_path / "new")[0] == 0
    assert best_epoch(log_of(tmp_path / "new")) == best_epoch(log_of(before)), "choose other settings"
    assert checkpoint.load(tmp_path / "new" / "best.pt").step == best
    shutil.rmtree(before)
    code, out, _ = inside("--resume", tmp_path / "new")
    assert (code, "the best on the held-out images" in out) == (0, True)
    assert inside("--resume", tmp_path / "new" / "best.pt", "--out-dir", tmp_path / "again")[0] == 0
    assert checkpoint.load(tmp_path / "again" / "best.pt").step == best


@pytest.mark.long
def test_without_the_best_network_a_run_goes_on_without_patience_alone(
    inside: Inside, stopped_run: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(stopped_run, tmp_path / "run")
    (folder / "best.pt").unlink()
    epoch = best_epoch(log_of(folder))
    for more in ((), ("--patience", 9)):
        code, out, errors = inside("--resume", folder, *more)
        assert (code, out) == (1, "")
        assert (
            f"expected the checkpoint of the best epoch, {epoch}: expected a checkpoint at {folder}/best.pt" in errors
        )
        assert errors.endswith("; put it there, or --patience 0 goes on without it\n")
    assert inside("--resume", folder, "--eval-only")[0] == 0
    assert inside("--resume", folder, "--patience", 0, "--epochs", 40, "--quiet")[0] == 0


def test_needs_images_held_out(inside: Inside, kept_run: Path, tmp_path: Path) -> None:
    message = "argument --patience: expected --validation N too, images held out to judge each epoch by"
    for words in (["--out-dir", tmp_path / "new"], ["--resume", kept_run / "last.pt", "--out-dir", tmp_path / "new"]):
        code, out, errors = inside(*words, "--patience", 3)
        assert (code, out, errors) == (2, "", f"train.py: error: {message}\n")
    assert list(tmp_path.iterdir()) == []


def test_the_best_checkpoint_is_looked_for_by_its_epoch(stopped_run: Path, tmp_path: Path) -> None:
    epoch = checkpoint.load(stopped_run / "best.pt").epoch
    assert best_of([tmp_path, stopped_run], epoch).epoch == epoch
    with pytest.raises(FileNotFoundError, match=rf"the best epoch, 99: .*best\.pt is of epoch {epoch}; put it there"):
        best_of([stopped_run], 99)


def test_a_patience_of_one_epoch_speaks_of_one(inside: Inside) -> None:
    _, out, _ = inside(*SETTINGS, "--lr", 0, "--patience", 1)
    assert "stopped after epoch 2 of 40: it was not better than epoch 1 on the held-out images, " in out


def test_a_run_past_a_smaller_patience_says_which_would_go_on(inside: Inside, tmp_path: Path) -> None:
    words = *SETTINGS[:-4], "--lr", 0, "--epochs", 3, "--out-dir", tmp_path / "run"
    assert inside(*words)[0] == 0
    again = "--resume", tmp_path / "run", "--epochs", 6
    assert "; a --patience above 2 goes on" in inside(*again, "--patience", 1)[1]
    assert "goes on after step 12 of 24" in inside(*again, "--patience", 3)[1]
