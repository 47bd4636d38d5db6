"""Run the suite against mutants of the project's own source: for each of them a test must fail.

    python tests/mutants.py                              every mutant of the formulas of manual_bp, two at a time
    python tests/mutants.py --of checker                 every mutant of the checker
    python tests/mutants.py --of checker --sample 40     forty of them, other ones every day
    python tests/mutants.py --only linear.py:67          those with this in their names, here those of a line
    python tests/mutants.py --list                       their names

Each mutant meets the quick tests first; only where those pass it meets the others. The exit code is 0 where every
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
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from pathlib import Path

from mutation.mutant import Mutant, mutants
from mutation.planting import SuiteRun, Task, runs
from mutation.suite import Parts, paths
from mutation.targets import TARGETS, Target

DAY = 86400
"""Seconds: a sample is that of the day where no other number is given."""


@dataclass(frozen=True)
class Fate:
    """A mutant, the test that kills it, or None where it survives, and the reason why it may."""

    mutant: Mutant
    killed_by: str | None
    reason: str | None = None


@dataclass(frozen=True)
class Trial:
    """How mutants are judged: of what, two processes at a time, by one test only where one is named."""

    target: Target
    files: tuple[str, ...]
    """Those with a mutant."""
    jobs: int
    only: str | None = None

    def parts(self, file: str) -> Parts:
        """Return the tests that a mutant of a file meets, one part after the other."""
        return (paths([self.only]),) if self.only else self.target.parts(file)

    def judged(self, chosen: Sequence[Mutant]) -> list[Fate]:
        """Return what becomes of every mutant; only those that survive one part of the tests meet the next."""
        killed_by: dict[Mutant, str | None] = dict.fromkeys(chosen)
        check_planting(self.target, chosen[0].file, tuple(chain(*self.parts(chosen[0].file))))
        ran: set[Mutant] = set()
        parts = len(self.parts(chosen[0].file))
        for part in range(parts):
            left = [mutant for mutant in chosen if killed_by[mutant] is None]
            tasks = [self.task(mutant, self.parts(mutant.file), part) for mutant in left]
            for number, ended in runs(tasks, self.jobs):
                mutant = left[number]
                killed_by[mutant] = ended.failed
                ran |= {mutant} if proved(mutant.name, ended, part == parts - 1 and mutant not in ran) else set()
                if part == parts - 1 and not ended.failed:
                    print(f"  no test fails with {mutant.name}", flush=True)  # a long run may be broken off
        return [Fate(mutant, test, self.target.equivalent.get(mutant.key)) for mutant, test in killed_by.items()]

    def task(self, mutant: Mutant, tests: Parts, part: int) -> Task:
        """Return the run of one part of the tests against a mutant."""
        timed = tests[part] if self.target.parts_are_timed else tuple(sorted(chain(*tests)))
        return Task(
            self.target.package, {mutant.file: mutant.source}, tests[part], time_limit(self.target, self.files, timed)
        )


LIMITS: dict[tuple[str, ...], int] = {}
"""The limits in seconds that ``time_limit`` measured, by tests."""


def time_limit(target: Target, files: tuple[str, ...], tests: tuple[str, ...]) -> int:
    """Return a limit in seconds; exit where the source as it is, planted in the same way, does not pass."""
    if tests not in LIMITS:
        sources = {file: target.source(file) for file in files}
        [(_, whole)] = runs([Task(target.package, sources, tests)], jobs=1)
        proved("the source as it is", whole, last=True)
        if whole.failed:
            sys.exit(f"the source as it is fails in {whole.failed}\n{whole.report}")
        LIMITS[tests] = 60 + int((10 if target.parts_are_timed else 1) * whole.seconds)
    return LIMITS[tests]


def check_planting(target: Target, file: str, tests: tuple[str, ...]) -> None:
    """Exit unless a file that breaks when it is imported is seen to break."""
    source = target.source(file) + "\nraise AssertionError('planted')\n"
    [(_, broken)] = runs([Task(target.package, {file: source}, tests)], jobs=1)
    if "AssertionError: planted" not in broken.report:
        sys.exit(f"{file} is not planted: broken, it does not fail by what broke it\n{broken.report}")


def proved(name: str, ended: SuiteRun, last: bool) -> bool:
    """Tell whether the planted source was what ran; exit where the tests passed without it, and were the last."""
    if ended.failed is None and ended.not_planted and (last or ended.report):
        sys.exit(f"{name} was not planted in {', '.join(ended.not_planted)}: no test imports it\n{ended.report}")
    return not ended.not_planted


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


def run(chosen: Sequence[Mutant], trial: Trial, together: bool) -> list[Fate]:
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
    fates = run(chosen, Trial(target, files, given.jobs, given.tests), together=given.sample is not None)
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
