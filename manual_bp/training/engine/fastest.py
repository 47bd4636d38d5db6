"""Which library multiplies the matrices of a network fastest: measured in its own steps, on threads of its own.

Every library has its pool of threads, and idle ones keep a core busy for a while. Where two pools take turns, each
waits for the other, and a step takes ten times as long. So there is one pool at a time: where numpy multiplies, the
threads are numpy's, and torch computes the rest with one.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from manual_bp.descent import GradientDescent
from manual_bp.linear import Linear
from manual_bp.network import Network
from manual_bp.products import LIBRARIES, LibraryLinear
from manual_bp.training.engine.step import ManualEngine

TORCH = "torch"
ENOUGH = 1.05
"""How many times as fast another library has to be: torch's products are those that autograd gives to the last bit."""

LEAST, MOST = 3, 8  # rounds
BLOCK = 0.010  # seconds of steps in one round, at least one step
WARM_UP = 0.040  # seconds at most, for the first steps, which make buffers and are recorded
SETTLE = 0.005  # seconds of sleep: until then idle threads of the pool before keep a core busy
BUDGET = 0.4  # seconds after which no further round begins but the least


def multiplied_by(network: Network, name: str) -> Network:
    """Return a network whose ``Linear`` layers multiply by a library, with copies of the parameters.

    Where the library is torch, or the network has no such layer, that is the network itself. Convolutions and recurrent
    layers keep torch's products.
    """
    if name == TORCH or not any(type(layer) is Linear for layer in network.layers):
        return network
    layers = (
        LibraryLinear(layer.weight, layer.bias, library=LIBRARIES[name]) if type(layer) is Linear else layer
        for layer in network.layers
    )
    return Network(tuple(layers), network.loss_function)


def at_hand(dtype: torch.dtype, device: str) -> tuple[str, ...]:
    """Return the names of those who can multiply here: torch first."""
    here = [one for one in LIBRARIES.values() if one.is_here() and dtype in one.dtypes and device == "cpu"]
    return (TORCH, *(one.name for one in here if one.name != "numpy" or _numpy_threads() is not None))


# --------------------------------------------------------------------------------------------------------- measuring


def seconds_of_a_step(network: Network, x: Tensor, t: Tensor, threads: int) -> dict[str, float]:
    """Return what a step on x and t takes with the products of each library at hand, the least of rounds in turn.

    On a busy machine the least is what tells of the library: all the other rounds tell of those who were busy. The
    steps are those of copies, with a learning rate of 0. The numbers of threads are left as they were.
    """
    names = at_hand(x.dtype, x.device.type)
    engines = {name: _engine(multiplied_by(network, name)) for name in names}
    taken: dict[str, list[float]] = {name: [] for name in names}
    steps: dict[str, int] = {}
    with _threads_as_before(), torch.inference_mode():
        for name, engine in engines.items():
            set_threads(threads, name)
            first = [_timed(engine, x, t, 1)]
            while len(first) < 4 and sum(first) < WARM_UP:  # from the fourth step on it repeats what it recorded
                first.append(_timed(engine, x, t, 1))
            steps[name] = max(1, int(BLOCK / first[-1]))
        began = time.perf_counter()
        for number in range(MOST):
            if number >= LEAST and time.perf_counter() - began > BUDGET:
                break
            for name, engine in engines.items():
                set_threads(threads, name)
                time.sleep(SETTLE)
                if steps[name] > 1:
                    engine.step(x, t)  # its numbers come into the cache
                taken[name].append(_timed(engine, x, t, steps[name]))
    return {name: min(seconds) for name, seconds in taken.items()}


def fastest(seconds: dict[str, float]) -> str:
    """Return whose products to take: torch's, unless another library's are faster by more than noise."""
    best = min(seconds, key=seconds.__getitem__)
    return best if seconds[TORCH] >= ENOUGH * seconds[best] else TORCH


def _engine(network: Network) -> ManualEngine:
    own = Network(network.layers, network.loss_function)
    return ManualEngine(own, GradientDescent(own, lr=0.0))


def _timed(engine: ManualEngine, x: Tensor, t: Tensor, steps: int) -> float:
    began = time.perf_counter()
    for _ in range(steps):
        engine.step(x, t)
    return (time.perf_counter() - began) / steps


# ----------------------------------------------------------------------------------------------------------- threads


def set_threads(count: int, name: str) -> None:
    """Give so many threads to the library that multiplies, and to torch beside numpy one."""
    if name == "numpy" and (numpy_threads := _numpy_threads()) is not None:
        numpy_threads(count)
        torch.set_num_threads(1)
    else:
        torch.set_num_threads(count)


@contextmanager
def _threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


@cache
def _numpy_threads() -> Callable[[int], None] | None:
    """Return what sets the number of threads that numpy's BLAS takes; None where it offers nothing of the kind.

    OpenBLAS does, by one of several names; the library is loaded already, so loading it again only finds it.
    """
    packages = Path(np.__file__).parents[1]
    files = [_file_of_numpy(), *sorted(map(str, packages.glob("numpy.libs/*openblas*")))]
    for file in files:
        try:
            library = ctypes.CDLL(file)
        except OSError:  # of a file beside it that is for another program; another one may be numpy's
            continue
        for prefix in ("scipy_", ""):
            for suffix in ("64_", "_64", ""):
                if (found := getattr(library, f"{prefix}openblas_set_num_threads{suffix}", None)) is not None:
                    setter: Callable[[int], None] = found
                    return setter
    return None


def _file_of_numpy() -> str:
    """Return the file of numpy that is linked to its BLAS."""
    name = "numpy._core" if int(np.__version__.partition(".")[0]) > 1 else "numpy.core"
    return str(import_module(f"{name}._multiarray_umath").__file__)
