"""Who multiplies how fast here: one matrix product by each library, with its version and the kernels that it chose."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.machine import cores
from benchmarks.part import Part
from benchmarks.worker import Worker

ROWS, IN, OUT = 128, 1000, 1000
"""A batch of 128 through a layer of 1,000 x 1,000, in float32."""

SECONDS = 0.01
"""That one turn of a library takes, or one product."""

Multiply = Callable[[], object]


def measure(*, quick: bool = False) -> Part:
    """Measure every library in turn with one thread, then with all, in processes of their own."""
    counts = sorted({1, cores()})
    found: dict[int, Part] = {}
    for threads in counts:
        with Worker(threads) as worker:
            found[threads] = worker.part(measure_here, quick=quick)
    method = (
        f"A product of {ROWS} x {IN} and {IN} x {OUT} numbers of float32: the median of the rounds, in each of which "
        "every library has its turn. A product of so many numbers is limited by arithmetic, not by memory."
    )
    columns = ("GFLOP/s", *(f"{n} thread{'s' * (n > 1)}" for n in counts), "version", "kernels")
    part = Part("Matrix products", columns, method=method)
    rates = {threads: one.figures["rates"] for threads, one in found.items()}
    kinds = found[counts[0]].figures["kinds"]
    part.rows = [(who, *(f"{rates[n][who]:.0f}" for n in counts), *kinds[who]) for who in rates[counts[0]]]
    part.figures = {
        "gflops": {str(n): rates[n] for n in counts},
        "kinds": kinds,
        "best": max(rate for each in rates.values() for rate in each.values()),
    }
    return part


def measure_here(*, quick: bool = False) -> Part:
    """Return the GFLOP/s of each library in this process, and which version and kernels it is."""
    libraries = {name: make() for name, make in LIBRARIES.items() if not (quick and name == "JAX")}
    there = {name: multiply for name, multiply in libraries.items() if multiply is not None}
    seconds: dict[str, list[float]] = {name: [] for name in there}
    with torch.inference_mode():
        for _ in range(5 if quick else 15):
            for name, multiply in there.items():
                seconds[name].append(_one(multiply))
    rates = {name: 2e-9 * ROWS * IN * OUT / median(several) for name, several in seconds.items()}
    return Part("", (), figures={"rates": rates, "kinds": {name: _kind(name) for name in there}})


def _one(multiply: Multiply) -> float:
    """Return the seconds of one product, the mean of as many as fit, after an untimed one."""
    multiply()
    began, done = time.perf_counter(), 0
    while (now := time.perf_counter()) - began < SECONDS or not done:
        multiply()
        done += 1
    return (now - began) / done


def _of_torch() -> Multiply:
    x, w, out = torch.rand(ROWS, IN), torch.rand(IN, OUT), torch.empty(ROWS, OUT)
    return lambda: torch.mm(x, w, out=out)


def _of_onednn() -> Multiply | None:
    """Return oneDNN's product, inside the same torch; None where torch was built without it."""
    x, w = torch.rand(ROWS, IN), torch.rand(OUT, IN)
    try:
        linear = torch.ops.mkldnn._linear_pointwise
        linear(x, w, None, "none", [], "")
    except (AttributeError, RuntimeError):
        return None
    return lambda: linear(x, w, None, "none", [], "")


def _of_numpy() -> Multiply:
    random = np.random.default_rng(0)
    x, w = random.random((ROWS, IN), np.float32), random.random((IN, OUT), np.float32)
    out = np.empty((ROWS, OUT), np.float32)
    return lambda: np.matmul(x, w, out=out)


def _of_jax() -> Multiply | None:
    """Return JAX's compiled product; None where it is not installed."""
    try:
        import jax
    except ModuleNotFoundError:
        return None
    x, w = (jax.numpy.asarray(np.random.default_rng(0).random(s, np.float32)) for s in ((ROWS, IN), (IN, OUT)))
    multiply = jax.jit(lambda a, b: a @ b)
    return lambda: multiply(x, w).block_until_ready()


LIBRARIES: Mapping[str, Callable[[], Multiply | None]] = {
    "torch.mm": _of_torch,
    "oneDNN": _of_onednn,
    "numpy": _of_numpy,
    "JAX": _of_jax,
}


def _kind(name: str) -> tuple[str, str]:
    """Return a library's version and which kernels it took, as far as it says."""
    built = torch.__config__.show()
    if name == "torch.mm":
        mkl = re.search(r"Math Kernel Library Version (\S+)-Product", built)
        blas = f"MKL {mkl[1]}" if mkl else "its own BLAS"
        return f"{torch.__version__}, {blas}", f"not told; ATen's are {torch.backends.cpu.get_cpu_capability()}"
    if name == "oneDNN":
        onednn = re.search(r"MKL-DNN v(\S+)", built)
        return onednn[1] if onednn else "unknown", "not told"
    if name == "numpy":
        return np.__version__, _kernels_of_numpy()
    return version("jax"), "not told"


def _kernels_of_numpy() -> str:
    """Return which BLAS numpy loaded and for which processor."""
    try:
        from threadpoolctl import threadpool_info
    except ModuleNotFoundError:
        return "not told (threadpoolctl is not installed)"
    loaded: list[dict[str, Any]] = [one for one in threadpool_info() if one["user_api"] == "blas"]
    said = [f"{one['internal_api']} {one['version']} {one.get('architecture') or ''}".strip() for one in loaded]
    return ", ".join(dict.fromkeys(said)) or "not told"
