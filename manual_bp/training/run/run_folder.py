"""The folder of a run: settings, log, checkpoints, pictures. One run to a folder, one process at a time.

config.json       the settings: ``train.py --config`` repeats the run with them
metrics.jsonl     one object an epoch and every ``--log-interval`` steps, in the order of the steps
last.pt, best.pt  checkpoints: the newest, and that of the best test accuracy
*.png             pictures, once the run ends
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from filelock import FileLock, Timeout

from manual_bp.training.run import checkpoint
from manual_bp.training.run.checkpoint import Checkpoint
from manual_bp.training.run.run import Run
from manual_bp.training.run.whole_file import unfinished, write_whole

if TYPE_CHECKING:
    from manual_bp.training.run.board import Board

UNLINKS_OPEN_FILES = os.name == "posix"

LAST, BEST, CONFIG, METRICS, LOCK = "last.pt", "best.pt", "config.json", "metrics.jsonl", ".lock"


class RunFolder:
    """A folder that this process alone writes to, inside ``with`` or until its death."""

    def __init__(self, path: Path) -> None:
        """Make the folder where it is missing, and lock it. Raises OSError where that cannot be."""
        self.path, self._is_new = path, not path.exists()
        self._board: Board | None = None
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(path / LOCK)
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise OSError(f"another process is training in {path}: wait for it, or choose another --out-dir") from error
        except OSError as error:
            raise OSError(f"expected a folder that can be written to: {path}: {error.strerror or error}") from error
        for name in (LAST, BEST, CONFIG, METRICS):
            unfinished(path / name).unlink(missing_ok=True)  # of a process that was killed while it wrote

    def __enter__(self) -> Self:
        """Keep the lock."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let others write to the folder; take it away where it is new and no run began."""
        if self._board is not None:
            self._board.close()
        if self._is_new and not holds_a_run(self.path):
            self._take_away()
        self._lock.release()

    def _take_away(self) -> None:
        """Take the folder away, where nobody has put something there meanwhile.

        While it is locked, so that nobody begins in between, but on Windows, which unlinks no file that is open.
        """
        if not UNLINKS_OPEN_FILES:
            self._lock.release()
        with suppress(OSError):
            (self.path / LOCK).unlink(missing_ok=True)  # on Windows the lock may take its file along
            self.path.rmdir()

    def begin(self, config: Mapping[str, Any], run: Run, *, tensorboard: bool = False) -> None:
        """Write the settings; forget what the log says of steps after the run's: they are taken again."""
        write_whole(self.path / CONFIG, (json.dumps(config, indent=2) + "\n").encode())
        kept = [line for line in _lines(self.path) if _number_in(line, "step") <= run.step]
        write_whole(self.path / METRICS, b"".join(kept or [_line("epoch", entry) for entry in run.history]))
        if tensorboard:
            from manual_bp.training.run.board import Board  # an extra, and two seconds to import

            self._board = Board(self.path / "tensorboard", run.step)

    def log(self, event: str, record: Mapping[str, float]) -> None:
        """Append one line to the log: an event, 'step' or 'epoch', and what was measured, its step among it."""
        log = self.path / METRICS
        try:
            with log.open("ab") as file:
                file.write(_line(event, record))
        except OSError as error:
            raise OSError(f"cannot write {log}: {error.strerror}; checkpoints are unharmed") from error
        if self._board is not None:
            self._board.log(event, record)

    def save(self, state: Checkpoint, *, best: bool = False) -> None:
        """Write last.pt, and best.pt before it where it is the best: killed in between, the run makes both again."""
        for name in [BEST, LAST] if best else [LAST]:
            checkpoint.save(self.path / name, state)

    def keep_best(self, state: Checkpoint) -> None:
        """Write best.pt where the folder has none: that of a run that goes on here may be in another one."""
        if not (self.path / BEST).exists():
            checkpoint.save(self.path / BEST, state)


def load(path: Path, instead: str = "take {}") -> Checkpoint:
    """Read a checkpoint; where it cannot be, the error names the whole one beside it, last.pt or best.pt, if any.

    ``instead`` says how to take that one, ``{}`` in the place of its path. Raises OSError or ValueError.
    """
    try:
        return checkpoint.load(path)
    except (OSError, ValueError) as error:
        hint = _whole_beside(path, instead)
        raise type(error)(f"{error}; {hint}" if hint else str(error)) from error


def _whole_beside(path: Path, instead: str) -> str:
    """Return how to take the whole checkpoint beside a damaged one, '' where there is none."""
    for other in (path.with_name(name) for name in (LAST, BEST) if name != path.name):
        with suppress(OSError, ValueError):
            done = checkpoint.load(other).epoch
            return f"{other} beside it is whole, of epoch {done}: {instead.format(other)}"
    return ""


def best_of(folders: Iterable[Path], epoch: int) -> Checkpoint:
    """Return the first best.pt in the folders that is of an epoch; FileNotFoundError where none is, and why."""
    reasons = []
    for path in (folder / BEST for folder in folders):
        try:
            state = checkpoint.load(path)
        except (OSError, ValueError) as error:
            reasons.append(str(error))
        else:
            if state.epoch == epoch:
                return state
            reasons.append(f"{path} is of epoch {state.epoch}")
    hint = "put it there, or --patience 0 goes on without it"
    raise FileNotFoundError(f"expected the checkpoint of the best epoch, {epoch}: {'; '.join(reasons)}; {hint}")


def holds_a_run(path: Path) -> bool:
    """Return whether a folder holds a run's files."""
    return any((path / name).exists() for name in (LAST, BEST, CONFIG, METRICS))


def logged_epoch(path: Path) -> float:
    """Return the latest epoch in a folder's log, 0 where there is none."""
    epochs = [_number_in(line, "epoch") for line in _lines(path)]
    return max((epoch for epoch in epochs if epoch < float("inf")), default=0)


def _lines(path: Path) -> list[bytes]:
    """Return the lines of a folder's log, none where there is none."""
    log = path / METRICS
    return log.read_bytes().splitlines(keepends=True) if log.is_file() else []


def _line(event: str, record: Mapping[str, float]) -> bytes:
    return json.dumps({"event": event, **record}).encode() + b"\n"


def _number_in(line: bytes, name: str) -> float:
    """Return a count in a line of the log; infinity for a line that was cut off while it was written."""
    try:
        value = json.loads(line)[name]
    except (ValueError, KeyError, TypeError, RecursionError):
        return float("inf")
    return value if isinstance(value, int) and line.endswith(b"\n") else float("inf")
