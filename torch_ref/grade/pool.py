"""Many files graded side by side, each by one of a few processes that go on whatever happens to one of them."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Any

from torch_ref.grade.grader import grade
from torch_ref.grade.grading import Grading
from torch_ref.grade.process import NotStartedError
from torch_ref.grade.unusable import UnusableFileError

Outcome = Grading | str
"""The marks of a file, or why there are none."""

Done = Callable[[int, Outcome], None]


def graded(
    paths: Sequence[Path], options: dict[str, Any], jobs: int, done: Done = lambda _i, _o: None
) -> list[Outcome]:
    """Return the outcome for each file, with the options of ``grade``; ``done`` hears of each as it comes.

    A process that ends costs the file that it was at, and another takes its place.
    """
    outcomes: dict[int, Outcome] = {}

    def heard(i: int, outcome: Outcome) -> None:
        outcomes[i] = outcome
        done(i, outcome)

    if min(jobs, len(paths)) < 2:
        for i, path in enumerate(paths):
            heard(i, _outcome(path, options))
    else:
        _share_out(paths, options, jobs, heard)
    return [outcomes[i] for i in range(len(paths))]


def _outcome(path: Path, options: dict[str, Any]) -> Outcome:
    """Return the marks of one file; whatever goes wrong is about this file alone."""
    try:
        return grade(path, **options)
    except UnusableFileError as error:
        return str(error)
    except NotStartedError:
        raise  # no file can be graded here
    except Exception as error:  # a fault of the grader's own must not cost the class its marks
        return f"the grader failed: {type(error).__name__}: {error}"


@dataclass
class _Grader:
    """A process that grades one file after the other."""

    process: BaseProcess
    connection: Connection
    at: int | None = None
    """The file that it is at."""


def _share_out(paths: Sequence[Path], options: dict[str, Any], jobs: int, heard: Done) -> None:
    waiting = list(range(len(paths)))[::-1]
    graders = [_started(options) for _ in range(min(jobs, len(paths)))]
    try:
        while waiting or any(g.at is not None for g in graders):
            for g in graders:
                if g.at is None and waiting:
                    g.at = waiting.pop()
                    with suppress(OSError):  # one that has ended says so below
                        g.connection.send(paths[g.at])
            for ready in wait([g.connection for g in graders if g.at is not None]):
                g = next(g for g in graders if g.connection is ready)
                at, g.at = g.at, None
                assert at is not None
                try:
                    outcome = g.connection.recv()
                    if isinstance(outcome, NotStartedError):
                        raise outcome
                    heard(at, outcome)
                except (EOFError, OSError):
                    graders[graders.index(g)] = _started(options)
                    g.process.join(5)
                    heard(at, f"the grader's process ended with exit code {g.process.exitcode}")
    finally:
        for g in graders:
            g.connection.close()  # which ends it
            g.process.join(5)
            g.process.kill()


def _started(options: dict[str, Any]) -> _Grader:
    forks = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if forks else "spawn")
    context.set_forkserver_preload(["torch_ref.grade.grader"])  # one import of torch for all
    ours, theirs = context.Pipe()
    process: BaseProcess = context.Process(target=_serve, args=(theirs, options), daemon=True)  # type: ignore[attr-defined]
    with _no_main_program():
        process.start()
    theirs.close()
    return _Grader(process, ours)


def _serve(connection: Connection, options: dict[str, Any]) -> None:
    """Grade what comes, until nothing comes any more."""
    import torch

    torch.set_num_threads(1)
    while True:
        try:
            path = connection.recv()
        except EOFError:
            return
        try:
            connection.send(_outcome(path, options))
        except NotStartedError as error:
            connection.send(error)


@contextmanager
def _no_main_program() -> Iterator[None]:
    """Hide the main program from a process that starts: it would import it again, and needs nothing of it."""
    program = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = program
