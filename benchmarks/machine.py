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
        "cores": str(cores()),
        "python": platform.python_version(),
        **{name: installed(name) for name in PACKAGES},
        "load before": f"{os.getloadavg()[0]:.1f}",
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    }


def processor() -> str:
    """Return the processor's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def installed(package: str) -> str:
    """Return the version of a package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def sentence(machine: dict[str, str]) -> str:
    """Return the machine in one line."""
    packages = ", ".join(f"{name} {machine[name]}" for name in ("python", *PACKAGES))
    return f"{machine['processor']}, {machine['cores']} cores, {packages}, {machine['date']}"
