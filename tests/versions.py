"""Run everything with other versions of what this package needs: the oldest that it allows, the pins, the newest.

    python tests/versions.py                        suite, checker on trial and 300 random networks, each three times
    python tests/versions.py --only newest --short  the formulas alone, and the networks: a few minutes
    python tests/versions.py --keep FOLDER          the environments stay there, and the next run takes them again

Each set is a virtual environment of its own, which pip fills: several GB where it takes a torch for GPUs, and too many
minutes for every run of CI (docs/architecture.md). At the end comes a table of what was tried with which versions; the
exit code is 0 where nothing failed. A set that pip cannot install is a line of that table, and no failure where another
one could be tried.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
from dataclasses import dataclass, field
from pathlib import Path

from places import ROOT

SETS = ("oldest", "pins", "newest")
SHOWN = ("torch", "numpy", "rich", "torchvision", "pytest")
"""Of the packages of a set, those whose versions the table has."""

WITH_BOUNDS = ("train", "lesson")
"""The extras whose oldest versions are tried too. torchvision asks for one torch, and comes along with it."""

NETWORKS = 300
EQUAL = f"""
from torch_ref import crosscheck
from torch_ref.trial.trial import random_network
found = [crosscheck(*random_network(seed)[:3], power=False) for seed in range({NETWORKS})]
same = sum(report.identical for report in found)
print(f"{{same}} of {NETWORKS} random networks are equal to the last bit")
raise SystemExit(not all(report.ok for report in found))
"""
LONG = {
    "suite": ("-m", "pytest", "-q", "-n", "auto", "--dist", "worksteal", "--long"),
    "faults": ("-m", "torch_ref", "faults"),
    "networks": ("-c", EQUAL),
    "bits": ("tests/bits.py", "--shapes", "40"),
}
SHORT = {
    "formulas": (
        "-m",
        "pytest",
        "-q",
        "-n",
        "auto",
        "--long",
        "tests/manual_bp",
        "--ignore",
        "tests/manual_bp/training",
    ),
    "networks": ("-c", EQUAL),
}


@dataclass
class Outcome:
    """What became of a set: the versions that pip took, and the last line of each command, or why there are none."""

    name: str
    versions: dict[str, str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


def bounds() -> list[str]:
    """Return the oldest versions that pyproject.toml allows, as pip's constraints."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *(line for extra in WITH_BOUNDS for line in extras[extra])]
    return [
        f"{name}=={version}" for name, version in (re.fullmatch(r"([\w.-]+)>=([\d.]+)", n).groups() for n in needed)
    ]


def constraints(name: str, folder: Path) -> list[str]:
    """Return pip's options that make the versions those of a set."""
    if name == "newest":
        return ["--upgrade"]
    path = folder / f"{name}.txt"
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    path.write_text(pins if name == "pins" else "\n".join(bounds()) + "\n", encoding="utf-8")
    return ["-c", str(path)]


def installed(python: Path) -> dict[str, str]:
    """Return the versions that an environment has."""
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format", "freeze"], capture_output=True, text=True, check=True
    )
    lines = (line.split("==") for line in listed.stdout.splitlines() if "==" in line)
    return {name: version for name, version in lines if name in SHOWN}


def environment(name: str, folder: Path, outcome: Outcome) -> Path | None:
    """Make the environment of a set; None where pip cannot, with its reason in the outcome."""
    place = folder / name
    python = place / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        venv.create(place, with_pip=True)
    command = [python, "-m", "pip", "install", "--quiet", *constraints(name, folder), "-e", f"{ROOT}[test]"]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        errors = [line for line in made.stderr.splitlines() if line.startswith("ERROR")]
        outcome.said["pip"] = (errors or ["it failed"])[0]
        return None
    outcome.versions = installed(python)
    return python


def tried(name: str, folder: Path, *, short: bool) -> Outcome:
    """Return what becomes of a set."""
    outcome = Outcome(name)
    python = environment(name, folder, outcome)
    if python is None:
        return outcome
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    for what, words in (SHORT if short else LONG).items():
        began = time.monotonic()
        ended = subprocess.run([python, *words], cwd=ROOT, env=clean, capture_output=True, text=True, check=False)
        lines = (ended.stdout + ended.stderr).strip().splitlines() or ["it printed nothing"]
        outcome.said[what] = lines[-1].strip("= ")
        print(f"{time.monotonic() - began:7.0f} s  {name}: {what}: {outcome.said[what]}", flush=True)
        if ended.returncode:
            outcome.failed.append(what)
            print("\n".join(lines[-60:]), flush=True)
    return outcome


def table(outcomes: list[Outcome]) -> str:
    """Return a table of the sets in Markdown."""
    of_python = ".".join(map(str, sys.version_info[:3]))
    lines = [f"| set | Python | {' | '.join(SHOWN)} | what came out |", f"|---{'|---' * (len(SHOWN) + 2)}|"]
    for one in outcomes:
        said = "; ".join(f"{what}: {line}" for what, line in one.said.items())
        lines.append(f"| {one.name} | {of_python} | {' | '.join(one.versions.get(n, '') for n in SHOWN)} | {said} |")
    return "\n".join(lines)


def main() -> int:
    """Try the sets that are asked for; return 1 where something failed, or nothing could be tried."""
    parser = argparse.ArgumentParser(prog="python tests/versions.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=SETS, nargs="+", default=SETS, help="one or more of the sets")
    parser.add_argument("--short", action="store_true", help="the formulas and the networks alone")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the environments stay for the next run")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        outcomes = [tried(name, folder, short=arguments.short) for name in arguments.only]
    print(f"\n{table(outcomes)}")
    return int(any(one.failed for one in outcomes) or not any(one.versions for one in outcomes))


if __name__ == "__main__":
    sys.exit(main())
