"""Step times: rounds in which every contender computes in turn, with one thread and with two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from statistics import median

from benchmarks.cases import Case
from benchmarks.times import CaseTimes, Timing
from benchmarks.worker import Worker


def measure(
    cases: Sequence[Case], names: Sequence[str], rounds: int, threads: Sequence[int] = (1, 2)
) -> Iterator[CaseTimes]:
    """Yield the times of each case as soon as they are known."""
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(n)) for n in threads]
        for case in cases:
            yield measure_case(workers, case, names, rounds)


def measure_case(workers: Sequence[Worker], case: Case, names: Sequence[str], rounds: int) -> CaseTimes:
    """Prepare the contenders in every worker, one after the other, then go round."""
    times = CaseTimes(case)
    for worker in workers:
        ready = worker.prepare(case, [name for name in names if name not in times.excluded])
        times.excluded |= ready.excluded
        times.left_out |= ready.left_out
    here = [name for name in names if name not in times.excluded and name not in times.left_out]
    seconds: dict[tuple[str, int], list[float]] = {(name, w.threads): [] for name in here for w in workers}
    for number in range(rounds):
        first = number % max(1, len(here))
        for worker in workers:
            for name, value in worker.round(here[first:] + here[:first]).items():
                seconds[name, worker.threads].append(value)
    times.timings = best(seconds)
    return times


def best(seconds: dict[tuple[str, int], list[float]]) -> dict[str, Timing]:
    """Return each contender in the form and with the number of threads that has the lowest median."""
    timings: dict[str, Timing] = {}
    for (full_name, threads), values in sorted(seconds.items(), key=lambda item: -median(item[1])):
        name, _, form = full_name.partition(":")
        timings[name] = Timing(name, form, threads, values)
    return timings
