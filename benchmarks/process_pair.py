"""Two processes that train together and measure it: a step by both, by one alone, and the parts of one."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median

import torch
import torch.distributed as dist
from torch import Tensor

from benchmarks.cases import Case, problem
from benchmarks.processes_model import SCALAR, Compute, Wire, fitted, step_seconds
from benchmarks.worker import environment
from manual_bp import GradientDescent, Network
from manual_bp.gradients import Gradients
from manual_bp.trace import Trace
from manual_bp.training.engine.parallel import DataParallelEngine
from manual_bp.training.engine.processes import Processes
from manual_bp.training.engine.step import ManualEngine

MACHINES = (2, 4, 8, 16, 64)
SIZES = tuple(4**k for k in range(1, 12))  # bytes of an all-reduce, to 4 MB
STEPS = 10  # a round
DEADLINE = 600.0  # seconds for all that two processes measure

Call = Callable[[], object]


@dataclass
class Times:
    """What was measured of a case, a value a round: seconds of a step, and of its parts by the number of machines."""

    case: Case
    one: list[float] = field(default_factory=list)
    two_threads: list[float] = field(default_factory=list)
    two: list[float] = field(default_factory=list)
    parts: dict[int, list[Compute]] = field(default_factory=lambda: {p: [] for p in MACHINES})

    @property
    def sizes(self) -> list[int]:
        """Return the bytes of the gradients of each layer, from L to 1."""
        return [SCALAR * n_out * (n_in + 1) for n_in, n_out in pairwise(self.case.sizes)][::-1]

    def compute(self, machines: int) -> Compute:
        """Return the medians of the parts of a step with N/P rows."""
        rounds = self.parts[machines]
        forward, update = (median(getattr(each, name) for each in rounds) for name in ("forward", "update"))
        backward = zip(*(each.backward for each in rounds), strict=True)
        return Compute(forward, tuple(map(median, backward)), update)

    def predicted(self, wire: Wire, machines: int) -> float:
        """Return the seconds that the model says."""
        return step_seconds(self.compute(machines), self.sizes, partial(wire.all_reduce, machines=machines))


def measure_in_two(cases: Sequence[Case], rounds: int) -> tuple[Wire, list[Times]]:
    """Start two processes of one thread each; return what the first of them measured."""
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe(duplex=False)
    group = [spawn.Process(target=serve, args=(rank, theirs, cases, rounds), daemon=True) for rank in range(2)]
    with environment(1):
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(free_port()), GLOO_SOCKET_IFNAME=loopback())
        for process in group:
            process.start()
    theirs.close()
    try:
        if not ours.poll(DEADLINE):
            raise TimeoutError(f"expected two processes to measure in {DEADLINE:.0f} s, got no answer")
        answer: tuple[Wire, list[Times]] = ours.recv()
        return answer
    finally:
        for process in group:
            process.kill()
            process.join()


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def loopback() -> str:
    """Return the name of the first interface, which leads to this machine itself: lo, or lo0."""
    return socket.if_nameindex()[0][1]


def serve(rank: int, answer: Connection, cases: Sequence[Case], rounds: int) -> None:
    """Measure together with the other process; the first one answers."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    with torch.inference_mode(), Processes(rank, 2, timeout=DEADLINE) as processes:
        wire = fitted(SIZES, [all_reduce_seconds(size, rounds, processes) for size in SIZES])
        times = [measure_case(case, rounds, processes) for case in cases]
        if processes.is_main:
            answer.send((wire, times))


def all_reduce_seconds(size: int, rounds: int, processes: Processes) -> float:
    """Return the seconds in which two processes sum ``size`` bytes, the median."""
    add = partial(dist.all_reduce, torch.zeros(size // 4))
    return median(together(add, processes) for _ in range(rounds))


def measure_case(case: Case, rounds: int, processes: Processes) -> Times:
    """Measure a case; in each round, everything in turn, the first process alone and then both."""
    task, network = problem(case), problem(case).network()
    halves = [whole.tensor_split(2)[processes.rank] for whole in (task.x, task.t)]
    both = partial(DataParallelEngine(network, descent(network, case), processes).step, *halves)
    alone = task.network()
    step = partial(ManualEngine(alone, descent(alone, case)).step, task.x, task.t)
    parts = {p: Parts(case, task.x[: case.batch // p], task.t[: case.batch // p]) for p in MACHINES}
    times = Times(case)
    for _ in range(rounds):
        if processes.is_main:
            add_alone(times, step, parts)
        times.two.append(together(both, processes))
    return times


def descent(network: Network, case: Case) -> GradientDescent:
    """Return what updates a network of the case."""
    return GradientDescent(network, lr=case.lr)


def add_alone(times: Times, step: Call, parts: dict[int, Parts]) -> None:
    """Add a round of what one process measures alone."""
    times.one.append(timed(step))
    torch.set_num_threads(2)
    times.two_threads.append(timed(step))
    torch.set_num_threads(1)
    for p, its in parts.items():
        times.parts[p].append(its.seconds())


def together(step: Call, processes: Processes) -> float:
    """Return the seconds of a step that both processes take at once."""
    processes.any(False)  # wait for each other
    return timed(step)


def timed(step: Call) -> float:
    """Return the seconds of one step, the mean of several after an untimed one."""
    step()
    began = time.perf_counter()
    for _ in range(STEPS):
        step()
    return (time.perf_counter() - began) / STEPS


class Parts:
    """A step of one process on its rows, without the sums, timed part by part."""

    def __init__(self, case: Case, x: Tensor, t: Tensor) -> None:
        """Make room for a network of the case."""
        self.network, self.x, self.t = problem(case).network(), x, t
        self.descent = descent(self.network, case)
        self.trace, self.gradients = Trace(self.network), Gradients(self.network)

    def step(self) -> list[float]:
        """Take a step; return the time before it, after the loss, after each layer and after the update."""
        clock = [time.perf_counter()]
        self.network.loss(self.network.forward(self.x, out=self.trace), self.t, trusted=True)
        clock.append(time.perf_counter())
        for _ in self.network.backward_by_layer(self.trace, self.gradients):
            clock.append(time.perf_counter())
        self.descent.update(self.gradients)
        return [*clock, time.perf_counter()]

    def seconds(self) -> Compute:
        """Return the seconds of each part, the mean of several steps after an untimed one."""
        self.step()
        clocks = [self.step() for _ in range(STEPS)]
        forward, *backward, update = (
            sum(after - before for before, after in pairs) / STEPS
            for pairs in zip(*(list(pairwise(clock)) for clock in clocks), strict=True)
        )
        return Compute(forward, tuple(backward), update)
