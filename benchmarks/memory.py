"""The memory that training steps need, besides the parameters and the data."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch.profiler import ProfilerActivity, profile

from benchmarks.cases import CASES, Case, problem
from benchmarks.contenders import CONTENDERS
from benchmarks.contenders.contender import Steps
from benchmarks.part import Part

METHOD = (
    "Peak of the running sum of everything that torch allocates and frees in the first two steps, buffers that are "
    "kept included (torch.profiler with profile_memory). Parameters and data are there before and do not count."
)
WHO = {"manual": "manual", "autograd": "autograd:foreach", "expert": "expert"}


def measure(*, quick: bool = False) -> Part:
    """Measure case e (when quick, case c128) for manual_bp and autograd."""
    case = CASES["c128" if quick else "e"]
    peaks = {name: peak(case, full_name) for name, full_name in WHO.items()}
    part = Part(f"Memory that a step of case {case.name} adds", ("", "MB", "of autograd's"), method=METHOD)
    for name, size in peaks.items():
        part.figures[f"{name}_mb"] = round(size / 1e6, 2)
        part.rows.append((name, f"{size / 1e6:.1f}", f"{size / peaks['autograd']:.3f}"))
    part.figures["case"] = case.name
    if not quick:
        part.figures["manual_of_autograd"] = peaks["manual"] / peaks["autograd"]
    return part


def peak(case: Case, name: str) -> int:
    """Return the peak in bytes for one contender."""
    return peak_of(CONTENDERS[name](problem(case)))


def peak_of(contender: Steps) -> int:
    """Return the peak in bytes of two steps of anybody."""
    with contender.scope(), silence(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        _steps(contender)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(path))
        events = json.loads(path.read_text())["traceEvents"]
    allocations = sorted((e["ts"], e["args"]["Bytes"]) for e in events if e.get("name") == "[memory]")
    return highest([size for _, size in allocations])


def _steps(contender: Steps) -> None:
    for _ in range(2):
        contender.step()


@contextmanager
def silence() -> Iterator[None]:
    """Drop what the profiler's library writes to stderr when it starts and stops."""
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(nowhere)
        os.close(stderr)


def highest(changes: list[int]) -> int:
    """Return the largest sum of the first changes."""
    now = most = 0
    for change in changes:
        now += change
        most = max(most, now)
    return most
