"""Start-up time: what a user waits before anything happens."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks.part import Part

ROOT = Path(__file__).parent.parent
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import torch": ["-c", "import torch"],
    "import manual_bp": ["-c", "import manual_bp"],
    "train.py --help": [str(ROOT / "train.py"), "--help"],
}


def measure(*, quick: bool = False) -> Part:
    """Start every command in turn, five times (when quick, twice)."""
    rounds = [{name: seconds(command) for name, command in COMMANDS.items()} for _ in range(2 if quick else 5)]
    times = {name: 1000 * median(r[name] for r in rounds) for name in COMMANDS}
    over = 1000 * median(seconds_after_torch() for _ in rounds)
    imports = help_imports_torch()
    method = (
        f"Medians of {len(rounds)} starts in turn; what manual_bp costs more than torch is timed inside one process, "
        f"after import torch. train.py --help {'imports' if imports else 'does not import'} torch."
    )
    part = Part("Start-up time", ("", "ms"), method=method)
    part.rows = [(name, f"{value:.0f}") for name, value in times.items()]
    part.rows.append(("import manual_bp, more than import torch", f"{over:.0f}"))
    part.figures = {"ms": times, "import_over_torch_ms": over, "help_imports_torch": int(imports)}
    return part


def seconds(command: list[str]) -> float:
    """Return how long a start of Python with these arguments takes."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def seconds_after_torch() -> float:
    """Return how long ``import manual_bp`` takes where torch is there: torch alone varies by more than that."""
    code = "import time, torch; began = time.perf_counter(); import manual_bp; print(time.perf_counter() - began)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    return float(run.stdout)


def help_imports_torch() -> bool:
    """Return whether ``train.py --help`` imports torch."""
    command = [sys.executable, "-X", "importtime", *COMMANDS["train.py --help"]]
    run = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return any(line.rpartition("|")[2].strip() == "torch" for line in run.stderr.splitlines())
