"""The machine and the versions that the figures were measured with."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("torch", "numpy", "jax", "scikit-learn")


def machine() -> dict[str, str]:
    """Return the machine, the versions and the date, each as text."""
    return {
        "processor": processor(),
        "instructions": instructions(),
        "cores": str(cores()),
        "python": platform.python_version(),
        **{name: installed(name) for name in PACKAGES},
        "load before": "" if (programs := load()) is None else f"{programs:.1f}",
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    }


def processor() -> str:
    """Return the processor's name."""
    return told("model name") or platform.processor() or platform.machine()


WIDEST = {"amx_tile": "AMX", "avx512f": "AVX-512", "avx2": "AVX2", "avx": "AVX", "sve": "SVE", "asimd": "NEON"}
"""The instructions on several numbers at once, by the flag that says so, the widest first."""


def instructions() -> str:
    """Return the widest instructions that the processor has."""
    flags = (told("flags") or told("Features")).split()
    return next((name for flag, name in WIDEST.items() if flag in flags), platform.machine())


def told(what: str) -> str:
    """Return what Linux tells about the first core; '' elsewhere."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    return next(
        (value.strip() for name, _, value in (line.partition(":") for line in lines) if name.strip() == what), ""
    )


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load() -> float | None:
    """Return how many programs wanted to run in the last minute; None where the system does not count them."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):  # AttributeError on Windows
        return None


def installed(package: str) -> str:
    """Return the version of a package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def sentence(machine: dict[str, str]) -> str:
    """Return the machine in one line."""
    packages = ", ".join(f"{name} {machine[name]}" for name in ("python", *PACKAGES))
    processor = f"{machine['processor']} with {machine['instructions']}, {machine['cores']} cores"
    return f"{processor}, {packages}, {machine['date']}"
