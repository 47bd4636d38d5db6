"""A process with a fixed number of threads: it makes the contenders of a case, checks them and times rounds.

Two such processes, one with one thread and one with two, take turns. When the machine is slow in a round, it is slow
for all contenders and for both numbers of threads.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import re
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from statistics import median
from types import TracebackType
from typing import Any, Self

from benchmarks.cases import Case, problem
from benchmarks.part import Measure, Part

BLOCK = 0.010
"""Seconds that a contender computes in one round, at least one step."""

SETTLE = 0.003
"""Seconds of sleep before a block: until then, idle threads of the contender before keep a core busy."""


@dataclass
class Ready:
    """Who can be timed: ``excluded`` computes another step, ``left_out`` is not installed; each with its reason."""

    names: list[str] = field(default_factory=list)
    excluded: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


class Worker:
    """The process, from outside."""

    def __init__(self, threads: int) -> None:
        """Start it; its environment says how many threads, before any library loads."""
        self.threads = threads
        spawn = multiprocessing.get_context("spawn")
        self._connection, theirs = spawn.Pipe()
        self._process = spawn.Process(target=serve, args=(theirs, threads), daemon=True)
        with environment(threads):
            self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        """Return the worker."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection, which ends the process."""
        self._connection.close()
        self._process.join(10)

    def prepare(self, case: Case, names: Sequence[str]) -> Ready:
        """Make, check and warm up the contenders of a case."""
        ready: Ready = self._ask("prepare", case, list(names))
        return ready

    def round(self, names: Sequence[str]) -> dict[str, float]:
        """Return the seconds of one step for each contender, in the order given."""
        seconds: dict[str, float] = self._ask("round", list(names))
        return seconds

    def part(self, measure: Measure, *, quick: bool) -> Part:
        """Return what another part measures, in this process."""
        part: Part = self._ask("part", measure, quick)
        return part

    def _ask(self, *request: Any) -> Any:
        self._connection.send(request)
        answer = self._connection.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


HELD_BACK = re.compile("OPENBLAS_CORETYPE|ATEN_CPU_CAPABILITY|NPY_DISABLE_CPU_FEATURES|MKL_.*|(ONE)?DNNL?_.*")
"""Variables that hold a library back to older kernels, or make it log: nobody is timed with them."""


@contextmanager
def environment(threads: int) -> Iterator[None]:
    """Set what the numeric libraries read when they load, for a process that is started inside."""
    before = dict(os.environ)
    number = str(threads)
    for name in [name for name in before if HELD_BACK.fullmatch(name)]:
        del os.environ[name]
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), number))
    os.environ.update(
        OPENBLAS_THREAD_TIMEOUT="22",  # 2^22 cycles: idle threads of numpy do not spin into the next contender
        TORCHINDUCTOR_COMPILE_THREADS="1",  # compile in the process, leave no pool behind
        JAX_PLATFORMS="cpu",
        NPROC=number,  # the size of XLA's thread pool
        XLA_FLAGS=f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}",
    )
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def serve(connection: Connection, threads: int) -> None:
    """Answer requests until the other side closes."""
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the other side, and that ends this one
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    bench = Bench()
    while True:
        try:
            name, *arguments = connection.recv()
        except (EOFError, OSError):
            return
        try:
            connection.send(getattr(bench, name)(*arguments))
        except Exception as error:
            connection.send(RuntimeError(f"{type(error).__name__}: {error}"))


class Bench:
    """The contenders of one case inside a worker."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self.contenders: dict[str, Any] = {}
        self.steps: dict[str, int] = {}

    def prepare(self, case: Case, names: list[str]) -> Ready:
        """Make, check and warm up the contenders."""
        from benchmarks import equality

        self.contenders.clear()
        gc.collect()
        task, ready = problem(case), Ready()
        first, mine = task.arrays(), equality.expected(task)
        for name in names:
            self._admit(name, task, first, mine, ready)
        ready.names = list(self.contenders)
        self.steps = {name: self._steps_per_block(name) for name in ready.names}
        return ready

    def _admit(self, name: str, task: Any, first: Any, mine: Any, ready: Ready) -> None:
        from benchmarks import equality
        from benchmarks.contenders import CONTENDERS

        try:
            contender = CONTENDERS[name](task)
            wrong = equality.difference(first, mine, equality.after_steps(contender)) if contender.exact else ""
        except ModuleNotFoundError as error:
            ready.left_out[name] = str(error)
            return
        except Exception as error:
            wrong = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        if wrong:
            ready.excluded[name] = wrong
        else:
            self.contenders[name] = contender

    def _steps_per_block(self, name: str) -> int:
        usual = median(block(self.contenders[name], 3) for _ in range(5))
        return max(1, round(BLOCK / usual))

    def part(self, measure: Measure, quick: bool) -> Part:
        """Measure another part; it came as the name of its function, and is imported here."""
        return measure(quick=quick)

    def round(self, names: list[str]) -> dict[str, float]:
        """Return the seconds of one step for each contender, in the order given."""
        gc.collect()
        gc.disable()
        try:
            return {name: block(self.contenders[name], self.steps[name]) for name in names}
        finally:
            gc.enable()


def block(contender: Any, steps: int) -> float:
    """Return the seconds of one step, the mean of ``steps`` after an untimed one that warms the caches.

    A block runs in up to eight parts; where the machine is so busy that it takes three times as long as planned,
    the parts that are left are dropped.
    """
    step, part, done = contender.step, -(-steps // 8), 0
    time.sleep(SETTLE)
    with contender.scope():
        step()
        began = now = time.perf_counter()
        while done < steps and now - began < 3 * BLOCK:
            for _ in range(part):
                step()
            done, now = done + part, time.perf_counter()
    return (now - began) / done
