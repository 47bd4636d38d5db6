"""Run the suite against mutants of the project's own source: for each of them a test must fail.

    python tests/mutants.py                              every mutant of the formulas of manual_bp, two at a time
    python tests/mutants.py --of checker                 every mutant of the checker
    python tests/mutants.py --of checker --sample 40     forty of them, other ones every day
    python tests/mutants.py --only linear.py:67          those with this in their names, here those of a line
    python tests/mutants.py --list                       their names

Each mutant meets the tests first that know its code best; only where those pass it meets the others: of the checker
those that reach it, as a run of the tests on the source as it is tells before. The exit code is 0 where every
survivor stands in `mutation/equivalent.py`, with the reason why no test can tell it from the code.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import textwrap
import time
from collections import deque
from collections.abc import Container, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from mutation.by_reach import ByReach
from mutation.judging import ByParts, Fate
from mutation.mutant import Mutant, mutants
from mutation.targets import TARGETS

DAY = 86400
"""Seconds: a sample is that of the day where no other number is given."""


def faults(fates: Sequence[Fate], equivalent: Mapping[str, str], keys: Container[str]) -> list[str]:
    """Name what has to be mended: survivors without a reason, and reasons without a survivor or without a mutant."""
    found = [f"survives: {fate.mutant.name}" for fate in fates if fate.killed_by is None and fate.reason is None]
    found += [
        f"is killed, but listed as equivalent: {fate.mutant.name}" for fate in fates if fate.killed_by and fate.reason
    ]
    return found + [f"listed as equivalent, but no mutant: {key}" for key in equivalent if key not in keys]


def sample(mutants: Sequence[Mutant], size: int, number: int) -> list[Mutant]:
    """Return as many mutants as asked for; one number after the other walks through all of them, in a mixed order."""
    mixed = sorted(mutants, key=lambda mutant: sha256(mutant.key.encode()).digest())
    turned = deque(mixed)
    turned.rotate(-number * size)
    chosen = set(list(turned)[:size])
    return [mutant for mutant in mutants if mutant in chosen]


def row(name: str, fates: Sequence[Fate]) -> str:
    """Return a line of the summary."""
    killed = sum(fate.killed_by is not None for fate in fates)
    return f"{name:28}{len(fates):>10}{killed:>10}{len(fates) - killed:>10}"


def wrapped(text: str) -> str:
    """Return a paragraph of at most 80 columns."""
    return textwrap.fill(text, 80, initial_indent="  ", subsequent_indent="      ")


def run(chosen: Sequence[Mutant], trial: ByParts | ByReach, together: bool) -> list[Fate]:
    """Judge every mutant; print a line for each file as soon as it is there, or all of them at the end."""
    if len(chosen) > 20:
        importlib.import_module("torch._dynamo")  # torch.optim does so when it is first used: here, not in every fork
    fates = trial.judged(chosen) if together and chosen else []
    print(f"{'file':28}{'mutants':>10}{'killed':>10}{'survive':>10}")
    for file in trial.files:
        if not together:
            fates += trial.judged([mutant for mutant in chosen if mutant.file == file])
        print(row(file, [fate for fate in fates if fate.mutant.file == file]), flush=True)
    print(row("together", fates))
    return fates


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--of", choices=TARGETS, default="formulas", help="what is changed (default formulas)")
    parser.add_argument(
        "--only", action="append", metavar="TEXT", help="mutants with this in their names; may be given again"
    )
    parser.add_argument("--sample", type=int, metavar="N", help="only so many, none that may survive")
    parser.add_argument(
        "--number", type=int, default=int(time.time() // DAY), metavar="K", help="which sample (default: the day's)"
    )
    parser.add_argument("--tests", metavar="NAME", help="one file of tests, or one test: layers, loss::test_...")
    parser.add_argument("--list", action="store_true", help="print the names of the mutants, run nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write to a file what kills each of them")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (default 2)")
    return parser.parse_args()


def chosen_of(given: argparse.Namespace, every: Sequence[Mutant], equivalent: Container[str]) -> list[Mutant]:
    """Return the mutants that the command line names."""
    found = [m for m in every if any(text in f"{m.name}, {m.key}" for text in given.only or [""])]
    if given.sample is None:
        return found
    return sample([mutant for mutant in found if mutant.key not in equivalent], given.sample, given.number)


def main() -> int:
    """Run the mutants that the command line names; return the exit code."""
    given, begun = arguments(), time.monotonic()
    target = TARGETS[given.of]
    every = [mutant for file in target.files for mutant in mutants(file, target)]
    chosen = chosen_of(given, every, target.equivalent)
    if given.list:
        print(*(mutant.name for mutant in chosen), sep="\n")
        return 0
    files = tuple(file for file in target.files if any(mutant.file == file for mutant in chosen))
    judge = ByReach if target.by_reach else ByParts
    fates = run(chosen, judge(target, files, given.jobs, given.tests), together=given.sample is not None)
    for fate in fates:
        if fate.killed_by is None and fate.reason:
            print(wrapped(f"{fate.mutant.name} is equivalent: {fate.reason}"))
    wrong = faults(fates, target.equivalent, {mutant.key for mutant in every})
    print(*map(wrapped, wrong), sep="\n", end="\n" if wrong else "")
    late = sum("timed out" in (fate.killed_by or "") for fate in fates)
    print(f"{len(fates)} mutants, {late} killed by the time limit, in {time.monotonic() - begun:.0f} s")
    if given.json:
        found = [{"mutant": fate.mutant.name, "killed by": fate.killed_by} for fate in fates]
        given.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 1 if wrong or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
