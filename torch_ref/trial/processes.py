"""The trials of the checker in several processes, each with one torch thread or a few."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

import torch

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")


class Each(Protocol):
    """What ``map`` is: calls a function for each task, and yields what comes out in order."""

    def __call__(self, function: Callable[[Task], Outcome], tasks: Sequence[Task], /) -> Iterable[Outcome]:
        """Return the outcome of each task."""


def available() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def spread(processes: int, threads: int) -> Iterator[Each]:
    """Give what calls a function for each task in so many processes; with one process, in this one.

    Functions and tasks have to be what pickle knows.
    """
    torch.set_num_threads(threads)
    if processes == 1:
        yield map
        return
    pool = ProcessPoolExecutor(
        processes, multiprocessing.get_context("spawn"), initializer=torch.set_num_threads, initargs=(threads,)
    )
    try:
        _start(pool, processes)

        def each(function: Callable[[Task], Outcome], tasks: Sequence[Task]) -> Iterable[Outcome]:
            return pool.map(function, tasks, chunksize=4)

        yield each
    finally:
        pool.shutdown(cancel_futures=True)


def _start(pool: ProcessPoolExecutor, processes: int) -> None:
    """Start the processes: Ctrl-C, which all processes of a terminal get, is for this one alone.

    Each task that finds none idle starts one, and none is idle so soon.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        for _ in range(processes):
            pool.submit(int)
    finally:
        signal.signal(signal.SIGINT, before)
