"""The folder of a run: one run, one process, a log that never says more than the checkpoint knows."""

import errno
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_checkpoint import made

from manual_bp.training.run import checkpoint, run_folder
from manual_bp.training.run.run import Run
from manual_bp.training.run.run_folder import RunFolder, holds_a_run
from manual_bp.training.run.whole_file import unfinished


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RunFolder]:
    with RunFolder(tmp_path / "runs" / "first") as opened:
        yield opened


def at(step: int) -> Run:
    run = Run(images=8, batch_size=4)
    run.step = step
    return run


def test_a_new_run_has_its_settings_and_an_empty_log(folder: RunFolder) -> None:
    assert not holds_a_run(folder.path)
    folder.begin({"lr": 0.1, "hidden": [5]}, at(0))
    assert holds_a_run(folder.path)
    assert json.loads((folder.path / "config.json").read_text()) == {"lr": 0.1, "hidden": [5]}
    assert (folder.path / "metrics.jsonl").read_bytes() == b""


def test_the_log_is_flushed_line_by_line(folder: RunFolder) -> None:
    folder.begin({}, at(0))
    for step in (1, 2):
        folder.log("step", {"step": step, "loss": 0.1 + 0.2})
        lines = [json.loads(line) for line in (folder.path / "metrics.jsonl").read_text().splitlines()]
        assert lines == [{"event": "step", "step": s, "loss": 0.1 + 0.2} for s in range(1, step + 1)]


def test_a_log_that_cannot_be_written_is_named(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.begin({}, at(0))

    def full(*_: object) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("manual_bp.training.run.run_folder._line", full)
    with pytest.raises(OSError, match=r"write .*metrics\.jsonl: No space left on device; checkpoints are unharmed"):
        folder.log("step", {"step": 1})


@pytest.mark.parametrize(
    "tail",
    ["", '{"step": 7, "lo', '{"step": 7}', "\x00\x00\n", "[1]\n", '{"step": "7"}\n', "[" * 100_000 + "\n"],
    ids=["nothing", "half a line", "no end of line", "zeros", "a list", "a text", "deep"],
)
def test_going_on_forgets_later_steps_and_a_line_that_was_cut_off(folder: RunFolder, tail: str) -> None:
    log = folder.path / "metrics.jsonl"
    log.write_text('{"step": 3}\n{"step": 5}\n{"step": 6}\n' + tail)
    folder.begin({}, at(5))
    assert log.read_text() == '{"step": 3}\n{"step": 5}\n'


def test_where_there_is_no_log_it_begins_with_the_history(folder: RunFolder) -> None:
    run = at(0)
    for loss in (1.0, 1.0):
        run.add(loss)
    run.finish_epoch({"test_accuracy": 0.5})
    folder.begin({}, run)
    (line,) = (folder.path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line) == {"event": "epoch", **run.history[0]}


def test_the_best_is_written_before_the_last(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the two, a run goes on from the last.pt before, and makes the best one again."""
    written: list[str] = []
    monkeypatch.setattr(checkpoint, "save", lambda path, state: written.append(path.name))
    folder.save(made())
    folder.save(made(), best=True)
    assert written == ["last.pt", "best.pt", "last.pt"]


def test_drafts_of_a_killed_process_go(tmp_path: Path) -> None:
    draft = unfinished(tmp_path / "last.pt")
    draft.write_bytes(b"half")
    with RunFolder(tmp_path):
        assert not draft.exists()


@pytest.mark.long
def test_another_process_is_kept_out_until_this_one_ends(folder: RunFolder) -> None:
    """The other tries, hears of it, waits for a word that this one is through, and tries again."""
    code = (
        "import sys; from pathlib import Path; from manual_bp.training.run.run_folder import RunFolder\n"
        "try: RunFolder(Path(sys.argv[1]))\n"
        "except OSError as error: print(error, flush=True)\n"
        "sys.stdin.readline(); RunFolder(Path(sys.argv[1]))"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code, str(folder.path)], **pipes) as other:
        expected = f"another process is training in {folder.path}: wait for it, or choose another --out-dir\n"
        assert other.stdout.readline() == expected
        folder.__exit__(None, None, None)
        other.communicate("through\n", timeout=60)
    assert other.returncode == 0


def test_a_file_in_the_folders_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(OSError, match=r"expected a folder that can be written to: .*taken"):
        RunFolder(tmp_path / "taken")


def test_a_new_folder_in_which_no_run_began_goes(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "new"):
        pass
    assert not (tmp_path / "new").exists()
    (tmp_path / "old").mkdir()
    with RunFolder(tmp_path / "old"):
        pass
    assert (tmp_path / "old").is_dir()


@pytest.mark.parametrize("takes_its_file_along", [False, True])
def test_where_no_open_file_can_be_unlinked_the_folder_goes_all_the_same(
    takes_its_file_along: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, whose lock takes its file along where it can."""
    monkeypatch.setattr(run_folder, "UNLINKS_OPEN_FILES", False)
    opened = RunFolder(tmp_path / "new")
    unlink = Path.unlink

    def unlink_closed(path: Path, missing_ok: bool = False) -> None:
        if opened._lock.is_locked:
            raise PermissionError(errno.EACCES, "the process cannot access the file", str(path))
        if takes_its_file_along and path.exists():
            unlink(path)
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink_closed)
    with opened:
        pass
    assert not opened.path.exists()
