"""Which tests a mutant meets: those that reach it, as one run of the tests on the source as it is tells."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from mutation.judging import Fate, check_planting
from mutation.mutant import Mutant
from mutation.planting import Task, runs
from mutation.reach import Block, Reached, Span, marked, spans
from mutation.suite import paths
from mutation.targets import Target

FEW = 40
"""Tests that a mutant meets first; most mutants die there, and to collect all the others takes seconds."""
SECONDS_FOR_ALL = 3600
"""For a run of all tests."""


@dataclass
class ByReach:
    """How mutants are judged: of what, two processes at a time, by one test only where one is named."""

    target: Target
    files: tuple[str, ...]
    """Those with a mutant."""
    jobs: int
    only: str | None = None
    _reached: dict[tuple[str, ...], Reached] = field(default_factory=dict)

    def judged(self, chosen: Sequence[Mutant]) -> list[Fate]:
        """Return what becomes of every mutant: first it meets the tests of its own room that reach it."""
        killed_by: dict[Mutant, str | None] = dict.fromkeys(chosen)
        tests = (paths([self.only]),) if self.only else self.target.parts(chosen[0].file)
        check_planting(self.target, chosen[0].file, tests)
        for part in range(1 if self.only else len(self.target.parts(chosen[0].file))):
            for wave in (slice(FEW), slice(FEW, None)):
                left = {mutant: self._waiting(mutant, part)[wave] for mutant, test in killed_by.items() if not test}
                meeting = [mutant for mutant, tests in left.items() if tests]
                tasks = [self._task(mutant, left[mutant], part) for mutant in meeting]
                for number, ended in runs(tasks, self.jobs):
                    if ended.failed is None and ended.not_planted:
                        sys.exit(f"{meeting[number].name} was not planted\n{ended.report}")
                    killed_by[meeting[number]] = ended.failed
        for mutant, test in killed_by.items():
            if test is None:
                print(f"  no test fails with {mutant.name}{self._unreached(mutant)}", flush=True)
        return [Fate(mutant, test, self.target.equivalent.get(mutant.key)) for mutant, test in killed_by.items()]

    def _task(self, mutant: Mutant, tests: Sequence[str], part: int) -> Task:
        seconds = sum(self._reach(mutant, part).seconds.get(test, 0.0) for test in tests)
        files = tuple(dict.fromkeys(test.partition("::")[0] for test in tests))
        return Task(self.target.package, {mutant.file: mutant.source}, files, 30 + int(10 * seconds), tuple(tests))

    def _waiting(self, mutant: Mutant, part: int) -> list[str]:
        """Return the tests of a part that reach a mutant, in the order in which it meets them."""
        reached = self._reach(mutant, part)
        found = set().union(*(reached.tests.get(block, ()) for block in self._blocks(mutant)))
        return sorted(found, key=lambda test: (reached.cost(test), test))

    def _reach(self, mutant: Mutant, part: int) -> Reached:
        """Return which tests of a part reach what; run them with the marked sources where that is not known yet."""
        tests = paths([self.only]) if self.only else self._tests(mutant, part)
        if tests not in self._reached:
            planted = {file: marked(file, self.target.source(file)) for file in self.files}
            shares = [share for share in (tests[i :: self.jobs] for i in range(self.jobs)) if share]
            tasks = [Task(self.target.package, planted, share, SECONDS_FOR_ALL, reach=True) for share in shares]
            whole = Reached()
            for _, ended in runs(tasks, self.jobs):
                if ended.failed or ended.reached is None:
                    sys.exit(f"the source as it is fails in {ended.failed}\n{ended.report}")
                whole += ended.reached
            self._reached[tests] = whole
        return self._reached[tests]

    def _tests(self, mutant: Mutant, part: int) -> tuple[str, ...]:
        return self.target.parts(mutant.file)[part]

    def _blocks(self, mutant: Mutant) -> list[Block]:
        """Return the block that a mutant stands in; outside of all, those that name what it sets, or all."""
        around = [span for span in self._spans[mutant.file] if span.first <= mutant.line <= span.last]
        if around:
            return [min(around, key=lambda span: span.last - span.first).block]
        return list(self._naming(mutant)) or [span.block for span in self._spans[mutant.file]]

    def _naming(self, mutant: Mutant) -> Iterator[Block]:
        """Yield the blocks that name what a line outside of all functions sets, `LIMIT: float = 3`, and import it."""
        name = re.match(r"\s*(\w+)(: .*)? =", self.target.source(mutant.file).splitlines()[mutant.line - 1])
        if not name:
            return
        module = mutant.file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        named = re.compile(rf"\b{name[1]}\b")
        imported = re.compile(rf"^from \S*\b{re.escape(module)} import (\([^)]*|.*)\b{name[1]}\b", re.MULTILINE)
        for file, found in self._spans.items():
            source = self.target.source(file)
            if file != mutant.file and not imported.search(source):
                continue
            lines = source.splitlines()
            for span in found:
                if named.search("\n".join(lines[span.first - 1 : span.last])):
                    yield span.block

    @cached_property
    def _spans(self) -> dict[str, list[Span]]:
        return {file: spans(file, self.target.source(file)) for file in self.files}

    def _unreached(self, mutant: Mutant) -> str:
        parts = self._reached.values()
        return (
            ""
            if any(reached.tests.get(block) for reached in parts for block in self._blocks(mutant))
            else ": no test reaches it"
        )
