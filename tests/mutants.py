"""Run the suite against mutants of `manual_bp`'s own source: for each of them a test must fail.

    python tests/mutants.py                              every mutant, two at a time
    python tests/mutants.py --only linear.py:67          those with this in their names, here those of a line
    python tests/mutants.py --list                       their names

Each mutant meets the quick tests first; only where those pass it meets all the others. The exit code is 0 where every
survivor stands in EQUIVALENT, with the reason why no test can tell it from the formula.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mutation.functions import FILES, PACKAGE
from mutation.mutant import Mutant, mutants
from mutation.planting import SuiteRun, Task, runs

TESTS = Path(__file__).parent

EQUIVALENT: dict[str, str] = {}
"""The mutants that may survive, by ``Mutant.key``, each with the reason."""

FIRST: dict[str, tuple[str, ...]] = {
    "loss.py": ("loss",),
    "structure.py": ("trace", "protocol"),
    "trace.py": ("trace", "protocol"),
    "gradients.py": ("trace", "protocol"),
    "network.py": ("trace", "lecture"),
    "descent.py": ("descent::test_three_updates_by_plain_arithmetic",),
    "initial.py": ("layers", "trace"),
}
"""The tests that know a file best; of a file that is not here, those of all layers."""
QUICK = (
    "wrong_input",
    "network::test_a_training_step_in_reused_buffers_allocates_nothing",
    "network::test_gradients_by_finite_differences",
    "lecture", "loss", "trace", "protocol", "mirror", "descent", "engine",
)  # fmt: skip
"""The tests that come next. After them come all the others, which take minutes."""
OF_THE_CHECKOUT = ("mutants", "arrows", "extras")
"""The tests that look at files or start programs: they see the source as it is, whatever is planted."""


@dataclass(frozen=True)
class Fate:
    """A mutant and the test that kills it, or None where it survives."""

    mutant: Mutant
    killed_by: str | None

    @property
    def reason(self) -> str | None:
        """Return why it may survive."""
        return EQUIVALENT.get(self.mutant.key)


def paths(names: Sequence[str]) -> tuple[str, ...]:
    """Return what pytest takes: 'tests/manual_bp/test_network.py::test_...' for 'network::test_...'."""
    split = [name.partition("::") for name in names]
    return tuple(f"{files()[name]}{colons}{test}" for name, colons, test in split)


@cache
def files() -> dict[str, Path]:
    """Return the files of tests by their short names; those of the browser are a run of their own."""
    found = {path.stem.removeprefix("test_"): path for path in sorted(TESTS.rglob("test_*.py"))}
    return {name: path for name, path in found.items() if "browser" not in path.parts}


def parts(file: str) -> tuple[tuple[str, ...], ...]:
    """Return the whole suite in three parts, for a file of the package; without those of the checkout."""
    first = FIRST.get(file, ("layers",))
    others = [name for name in files() if name not in (*first, *QUICK, *OF_THE_CHECKOUT)]
    return paths(first), paths(QUICK), paths(others)


def judged(chosen: Sequence[Mutant], tests: Sequence[tuple[str, ...]], jobs: int) -> list[Fate]:
    """Return what becomes of every mutant of a file; only those that survive one part of the tests meet the next."""
    killed_by: dict[Mutant, str | None] = dict.fromkeys(chosen)
    check_planting(chosen[0].file, tests[0])
    for part in tests:
        if left := [mutant for mutant in chosen if killed_by[mutant] is None]:
            limit = time_limit(part)
            tasks = [Task({mutant.file: mutant.source}, part, limit) for mutant in left]
            for number, ended in runs(tasks, jobs):
                killed_by[left[number]] = proved(left[number].name, ended).failed
    return [Fate(mutant, test) for mutant, test in killed_by.items()]


@cache
def time_limit(tests: tuple[str, ...]) -> int:
    """Return a limit in seconds; exit where the source as it is, planted in the same way, does not pass."""
    sources = {file: (PACKAGE / file).read_text(encoding="utf-8") for file in FILES}
    [(_, whole)] = runs([Task(sources, tests)], jobs=1)
    if proved("the source as it is", whole).failed:
        sys.exit(f"the source as it is fails in {whole.failed}\n{whole.report}")
    return 60 + int(10 * whole.seconds)


def check_planting(file: str, tests: tuple[str, ...]) -> None:
    """Exit unless a file that breaks when it is imported is seen to break."""
    source = (PACKAGE / file).read_text(encoding="utf-8") + "\nraise AssertionError('planted')\n"
    [(_, broken)] = runs([Task({file: source}, tests)], jobs=1)
    if "AssertionError: planted" not in broken.report:
        sys.exit(f"{file} is not planted: broken, it does not fail by what broke it\n{broken.report}")


def proved(name: str, ended: SuiteRun) -> SuiteRun:
    """Return the run of the tests, or exit: where they passed, the planted source must have been what ran."""
    if ended.failed is None and not ended.planted:
        sys.exit(f"{name} was not planted: {ended.report}")
    return ended


def faults(fates: Sequence[Fate], whole: bool) -> list[str]:
    """Name what has to be mended: survivors without a reason; where all mutants ran, reasons without a survivor too."""
    found = [f"survives: {fate.mutant.name}" for fate in fates if fate.killed_by is None and fate.reason is None]
    found += [
        f"is killed, but listed as equivalent: {fate.mutant.name}" for fate in fates if fate.killed_by and fate.reason
    ]
    keys = {fate.mutant.key for fate in fates}
    found += [f"listed as equivalent, but no mutant: {key}" for key in EQUIVALENT if whole and key not in keys]
    return found


def row(name: str, fates: Sequence[Fate]) -> str:
    """Return a line of the summary."""
    killed = sum(fate.killed_by is not None for fate in fates)
    return f"{name:16}{len(fates):>10}{killed:>10}{len(fates) - killed:>10}"


def wrapped(text: str) -> str:
    """Return a paragraph of at most 80 columns."""
    return textwrap.fill(text, 80, initial_indent="  ", subsequent_indent="      ")


def run(chosen: Sequence[Mutant], only: str | None, jobs: int) -> list[Fate]:
    """Judge every mutant, and print a line for each file as soon as it is there."""
    if len(chosen) > 20:
        importlib.import_module("torch._dynamo")  # torch.optim does so when it is first used: here, not in every fork
    fates: list[Fate] = []
    print(f"{'file':16}{'mutants':>10}{'killed':>10}{'survive':>10}")
    for file in FILES:
        if of_file := [mutant for mutant in chosen if mutant.file == file]:
            fates += judged(of_file, [paths([only])] if only else parts(file), jobs)
            print(row(file, [fate for fate in fates if fate.mutant.file == file]), flush=True)
    print(row("together", fates))
    return fates


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="mutants with this in their names")
    parser.add_argument("--tests", metavar="NAME", help="one file of tests, or one test: layers, loss::test_...")
    parser.add_argument("--list", action="store_true", help="print the names of the mutants, run nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write to a file what kills each of them")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (default 2)")
    return parser.parse_args()


def main() -> int:
    """Run the mutants that the command line names; return the exit code."""
    given, begun = arguments(), time.monotonic()
    chosen = [mutant for file in FILES for mutant in mutants(file) if given.only in f"{mutant.name}, {mutant.key}"]
    if given.list:
        print(*(mutant.name for mutant in chosen), sep="\n")
        return 0
    fates = run(chosen, given.tests, given.jobs)
    for fate in fates:
        if fate.killed_by is None and fate.reason:
            print(wrapped(f"{fate.mutant.name} is equivalent: {fate.reason}"))
    wrong = faults(fates, whole=not given.only)
    print(*map(wrapped, wrong), sep="\n", end="\n" if wrong else "")
    late = sum("timed out" in (fate.killed_by or "") for fate in fates)
    print(f"{len(fates)} mutants, {late} killed by the time limit, in {time.monotonic() - begun:.0f} s")
    if given.json:
        found = [{"mutant": fate.mutant.name, "killed by": fate.killed_by} for fate in fates]
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 1 if wrong or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
