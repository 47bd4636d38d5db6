"""Run tests with other sources planted in a package, each time in a process of its own.

The process is forked where torch is imported and the package is not; an import hook gives it the planted sources.
Nothing is written to a file.
"""

from __future__ import annotations

import ast
import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from types import CodeType, ModuleType
from typing import NoReturn

import pytest
import torch

from mutation.reach import Reached

Source = str | ast.Module
FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Task:
    """Sources to plant, by file of the package, and the tests to run with them."""

    package: Path
    planted: Mapping[str, Source]
    tests: tuple[str, ...]
    limit: int = 600
    """Seconds: a mutant may go round in circles."""
    order: tuple[str, ...] = ()
    """The ids of those that run, one after the other, where not all of them do."""
    reach: bool = False
    """Whether to note which tests reach the marks in the sources."""


@dataclass(eq=False)
class SuiteRun:
    """A run of some tests: which failed first, if any. As a plugin of pytest it takes notice of that itself."""

    failed: str | None = None
    report: str = ""
    not_planted: tuple[str, ...] = ()
    """The modules whose planted source is not what ran."""
    seconds: float = 0.0
    reached: Reached | None = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that fails, in its set-up too."""
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file of tests that cannot be imported."""
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.failed and self.failed is None:
            self.failed, self.report = report.nodeid, report.longreprtext


# -------------------------------------------------------------------------------------------------- in the parent


def runs(tasks: Sequence[Task], jobs: int) -> Iterator[tuple[int, SuiteRun]]:
    """Yield the run of every task under its number, as they come in."""
    waiting = deque(enumerate(tasks))
    running: dict[Connection, tuple[int, ForkProcess]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            number, task = waiting.popleft()
            receive, process = started(task)
            running[receive] = number, process
        for ready in wait(list(running)):
            number, process = running.pop(ready)  # type: ignore[call-overload]
            yield number, received(ready, process, tasks[number].limit)  # type: ignore[arg-type]


def started(task: Task) -> tuple[Connection, ForkProcess]:
    """Fork a process for the task; return where its run will come in."""
    torch.set_num_threads(1)
    gc.freeze()  # a fork need not look through what is there already
    receive, send = FORK.Pipe(duplex=False)
    process = FORK.Process(target=attempt, args=(task, send))
    process.start()
    send.close()
    return receive, process


def received(receive: Connection, process: ForkProcess, limit: int) -> SuiteRun:
    """Return what a process sent, or how it ended."""
    try:
        run: SuiteRun = receive.recv()
    except EOFError:
        process.join()
        return ended(process.exitcode or 0, limit)
    process.join()
    return run


def ended(code: int, limit: int) -> SuiteRun:
    """Return the run of a process that sent none: a signal ended it, or it is a fault of ours."""
    if code == -signal.SIGALRM:
        return SuiteRun(f"timed out after {limit} s")
    if code < 0:
        return SuiteRun(f"ended by {signal.Signals(-code).name}")
    return SuiteRun(report=f"a process ended with exit code {code} and sent nothing", not_planted=("every module",))


# ----------------------------------------------------------------------------------------------------- in the fork


def attempt(task: Task, send: Connection) -> None:
    """Run the tests of a task with its sources planted, and send how they ran."""
    signal.alarm(task.limit)  # ends the process
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    subprocess.Popen.__init__ = elsewhere  # type: ignore[method-assign]
    finder, ended, begun = Finder(task.package, task.planted), SuiteRun(), time.monotonic()
    sys.meta_path.insert(0, finder)
    plugins: list[object] = [ended]
    if task.order:
        plugins.append(InOrder(task.order))
    if task.reach:
        plugins.append(reached := Reached())
        ended.reached = reached
    code = pytest.main(["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "--long", *task.tests], plugins=plugins)
    ended.not_planted, ended.seconds = finder.not_asked(), time.monotonic() - begun
    if code and not ended.failed:
        ended.not_planted, ended.report = tuple(finder.loaders), f"pytest ended with {code!r}, but no test failed"
    if ended.reached:
        ended.reached = ended.reached.plain()
    send.send(ended)


class InOrder:
    """A plugin of pytest: runs the tests that are named, in this order, and no others."""

    def __init__(self, order: Sequence[str]) -> None:
        self.places = {test: i for i, test in enumerate(order)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave the others out."""
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in self.places])
        chosen = [item for item in items if item.nodeid in self.places]
        items[:] = sorted(chosen, key=lambda item: self.places[item.nodeid])


def elsewhere(*_: object, **__: object) -> NoReturn:
    """Skip a test that starts another process: nothing is planted there."""
    pytest.skip("another process imports the source as it is")


class Planted(SourceFileLoader):
    """Makes a module of the package from the given source."""

    def __init__(self, module: str, path: str, source: Source) -> None:
        super().__init__(module, path)
        self.source = source

    def get_code(self, fullname: str) -> CodeType:
        """Compile the given source; no bytecode is read from a file or written to one."""
        return compile(self.source, self.path, "exec", dont_inherit=True)


class Finder:
    """The import hook: knows the planted sources by the names of their modules."""

    def __init__(self, package: Path, planted: Mapping[str, Source]) -> None:
        self.loaders: dict[str, Planted] = {}
        for file, source in planted.items():
            module = ".".join((package.name, *Path(file).with_suffix("").parts))
            self.loaders[module] = Planted(module, str(package / file), source)

    def find_spec(self, fullname: str, _: object = None, __: ModuleType | None = None) -> ModuleSpec | None:
        """Return the spec of a planted module, None for any other."""
        loader = self.loaders.get(fullname)
        return None if loader is None else spec_from_file_location(fullname, loader.path, loader=loader)

    def not_asked(self) -> tuple[str, ...]:
        """Return the modules that were not imported from their planted sources."""
        loaded = {name: getattr(sys.modules.get(name), "__loader__", None) for name in self.loaders}
        return tuple(name for name, loader in self.loaders.items() if loaded[name] is not loader)
