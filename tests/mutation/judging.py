"""Which tests a mutant meets: some parts of the suite, one after the other, until a test fails."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from mutation.mutant import Mutant
from mutation.planting import SuiteRun, Task, runs
from mutation.suite import Parts, paths
from mutation.targets import Target


@dataclass(frozen=True)
class Fate:
    """A mutant, the test that kills it, or None where it survives, and the reason why it may."""

    mutant: Mutant
    killed_by: str | None
    reason: str | None = None


@dataclass(frozen=True)
class ByParts:
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
        check_planting(self.target, chosen[0].file, self.parts(chosen[0].file))
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
        limit = time_limit(self.target, self.files, tests[part])
        return Task(self.target.package, {mutant.file: mutant.source}, tests[part], limit)


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
        LIMITS[tests] = 60 + int(10 * whole.seconds)
    return LIMITS[tests]


def check_planting(target: Target, file: str, parts: Sequence[tuple[str, ...]]) -> None:
    """Exit unless a file that breaks when it is imported is seen to break, by the tests of one of the parts."""
    source = target.source(file) + "\nraise AssertionError('planted')\n"
    for tests in parts:
        [(_, broken)] = runs([Task(target.package, {file: source}, tests)], jobs=1)
        if "AssertionError: planted" in broken.report:
            return
    sys.exit(f"{file} is not planted: broken, it does not fail by what broke it\n{broken.report}")


def proved(name: str, ended: SuiteRun, last: bool) -> bool:
    """Tell whether the planted source was what ran; exit where the tests passed without it, and were the last."""
    if ended.failed is None and ended.not_planted and (last or ended.report):
        sys.exit(f"{name} was not planted in {', '.join(ended.not_planted)}: no test imports it\n{ended.report}")
    return not ended.not_planted
