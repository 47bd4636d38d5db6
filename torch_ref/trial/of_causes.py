"""The causes on trial: mistakes that no catalogue knows, and whether the cause that is named is one of the right ones.

A cause is right where its code is one that the mistake accepts, or where the change that it shows, which makes the
gradient right, is in the line of the mistake. What comes out by the codes alone is a figure of its own.

``python -m torch_ref.trial.of_causes``. A third of the mistakes, and all of the newer programs, are counted and not
shown, so that nobody writes to them.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from torch_ref.check.function import check_function
from torch_ref.trial.command import positive
from torch_ref.trial.processes import Each, spread
from torch_ref.trial.unknown import NEW, NEWEST, PROGRAMS
from torch_ref.trial.unknown.program import Mistake, Program, unseen
from torch_ref.verdict.report import Report
from torch_ref.verdict.row import Row

Worth = Literal["right", "missing", "misleading"]
Part = Literal["seen", "unseen", "new", "newest"]

SAYS_NOTHING = frozenset({"no-pattern", "differs"})
PLACES = frozenset({"one-entry", "only-some", "dead-unit", "zero-rows"})
"""Causes that say where, not what; ``sample-missing`` and the like say what."""

NEWER = {"conjugate": "conjugate-missing"}
"""Codes that are newer than the mistakes, by a word in the names of those that they are right for."""

COUNTED = frozenset({"mean-for-sum", "another-axis"})
COUNT = re.compile(r"^[^02-9]*(?:\bN\b|\bn\b|number of)[^02-9]*$")
"""A sentence that takes a factor for a number of samples or units, and does not even give its value."""

OF_PROGRAM = {program.name: program for program in PROGRAMS}
OF_NEW = frozenset(program.name for program in NEW)
OF_NEWEST = frozenset(program.name for program in NEWEST)


@dataclass(frozen=True)
class Said:
    """What was said of one gradient."""

    quantity: str
    code: str
    sentence: str
    worth: Worth
    by_code: Worth
    """The same where only the code is looked at."""


@dataclass(frozen=True)
class Outcome:
    """What was said of one mistake, or of a right program (``mistake`` is '')."""

    kind: str
    name: str
    mistake: str
    accepts: tuple[str, ...]
    rejected: bool
    said: tuple[Said, ...]
    raised: str = ""

    @property
    def worth(self) -> Worth:
        """Return the worst thing that was said; a right one makes up for others that say nothing."""
        return _worst([one.worth for one in self.said])

    @property
    def by_code(self) -> Worth:
        """Return the same where only the codes are looked at."""
        return _worst([one.by_code for one in self.said])

    @property
    def part(self) -> Part:
        """Return which part it is of; only what is seen is shown."""
        program = self.name.partition(": ")[0]
        if program in OF_NEW or program in OF_NEWEST:
            return "new" if program in OF_NEW else "newest"
        return "unseen" if unseen(self.name) else "seen"


def _worst(found: Sequence[Worth]) -> Worth:
    return "misleading" if "misleading" in found else "right" if "right" in found else "missing"


Task = tuple[str, int | None]
"""A program, and which of its mistakes; None for none."""


def plan() -> list[Task]:
    """Return all right programs, then all mistakes."""
    mistakes: list[Task] = [(program.name, i) for program in PROGRAMS for i in range(len(program.mistakes))]
    return [*((program.name, None) for program in PROGRAMS), *mistakes]


def outcome_of(task: Task) -> Outcome:
    """Check one right program, or one with a mistake in it."""
    program, mistake = OF_PROGRAM[task[0]], None if task[1] is None else OF_PROGRAM[task[0]].mistakes[task[1]]
    name = program.called(mistake) if mistake else program.name
    head = (program.kind, name, mistake.name if mistake else "", tuple(sorted(mistake.accepts)) if mistake else ())
    try:
        report = report_on(program, mistake)
    except Exception as error:  # a checker that breaks off has found nothing
        return Outcome(*head, rejected=False, said=(), raised=f"{type(error).__name__}: {error}")
    lines = program.lines_of(mistake) if mistake else set[int]()
    said = tuple(
        Said(row.quantity, row.code, row.cause, worth_of(row, mistake, lines), worth_of(row, mistake))
        for row in report.guilty
    )
    return Outcome(*head, rejected=not report.ok, said=said)


def report_on(program: Program, mistake: Mistake | None) -> Report:
    """Return the report on a program, right or with a mistake in it."""
    backward = program.mistaken(mistake) if mistake else program.backward
    return check_function(program.forward, backward, program.inputs(), power=False)


def worth_of(row: Row, mistake: Mistake | None, lines: Collection[int] = ()) -> Worth:
    """Return what the cause of one row is worth: a place that is not the mistake's sends a reader astray.

    ``lines`` are those of the mistake: a change that makes the gradient right there is right, whatever its code.
    """
    if mistake is None:
        return "misleading"
    if row.why and row.why.numbers.get("line") in lines:
        return "right"
    there = tuple(row.why.numbers.get("places", ())) in mistake.places if row.why else False
    if row.code in PLACES and mistake.places and not there:
        return "misleading"
    if row.code == "factor" and not mistake.accepts & COUNTED and COUNT.search(row.cause):
        return "misleading"
    if row.code in mistake.accepts or any(w in mistake.name for w, code in NEWER.items() if code == row.code):
        return "right"
    return "missing" if row.code in SAYS_NOTHING or (row.code in PLACES and there) else "misleading"


def try_causes(each: Each = map, planned: Sequence[Task] | None = None) -> tuple[Outcome, ...]:
    """Check everything that is planned."""
    return tuple(each(outcome_of, plan() if planned is None else planned))


def text(outcomes: Sequence[Outcome], *, show_unseen: bool = False) -> list[str]:
    """Return the figures of each part, and of what is shown a table by kind and all that is missing or misleading."""
    right, mistakes = ([o for o in outcomes if bool(o.mistake) is wanted] for wanted in (False, True))
    shown = [o for o in mistakes if show_unseen or o.part == "seen"]
    alarms = [o for o in right if o.rejected or o.raised]
    return [
        *_table([o for o in mistakes if o.part == "seen"]),
        "",
        *(_figures(part, [o for o in mistakes if o.part == part]) for part in PARTS),
        f"{len(alarms)} of {len(right)} right programs are called wrong (allowed: 0)",
        "",
        *(f"called wrong: {o.name}: {_sentences(o)}" for o in alarms),
        *(f"accepted: {o.name}{o.raised and f': {o.raised}'}" for o in shown if not o.rejected),
        *(
            f"{worth}: {o.name}: {_sentences(o)}"
            for worth in UNWANTED
            for o in shown
            if o.rejected and o.worth == worth
        ),
    ]


UNWANTED = ("misleading", "missing")
PARTS: tuple[Part, ...] = ("seen", "unseen", "new", "newest")


def _sentences(o: Outcome) -> str:
    said = [f"{one.quantity}: {one.sentence} [{one.code}]" for one in o.said]
    return o.raised or "; ".join(said)


def _counts(outcomes: Sequence[Outcome]) -> Counter[str]:
    return Counter(o.worth for o in outcomes if o.rejected) + Counter(rejected=sum(o.rejected for o in outcomes))


def _figures(part: str, outcomes: Sequence[Outcome]) -> str:
    counts, total = _counts(outcomes), max(len(outcomes), 1)
    shares = (f"{counts[figure] / total:.1%} {figure}" for figure in ("rejected", "right", "missing", "misleading"))
    alone = sum(o.by_code == "right" for o in outcomes if o.rejected) / total
    return f"{part}: {len(outcomes)} mistakes: {', '.join(shares)}; by the code alone {alone:.1%} right"


def _table(outcomes: Sequence[Outcome]) -> list[str]:
    columns = ("rejected", "right", "missing", "misleading")
    lines = [f"{'kind (seen)':24}{'mistakes':>10}" + "".join(f"{column:>12}" for column in columns)]
    for kind in dict.fromkeys(o.kind for o in outcomes):
        of_kind = [o for o in outcomes if o.kind == kind]
        counts = _counts(of_kind)
        lines.append(f"{kind:24}{len(of_kind):10}" + "".join(f"{counts[column]:12}" for column in columns))
    return lines


def in_json(outcomes: Sequence[Outcome], *, show_unseen: bool = False) -> list[dict[str, Any]]:
    """Return the outcomes in terms that JSON knows; mistakes that are not seen only where they are to be shown."""
    shown = [o for o in outcomes if show_unseen or not o.mistake or o.part == "seen"]
    return [asdict(o) | {"worth": o.worth, "part": o.part} for o in shown]


def main(given: Sequence[str] | None = None) -> int:
    """Run the trial and print it; return 1 where something right is rejected or something wrong accepted."""
    parser = argparse.ArgumentParser(prog="python -m torch_ref.trial.of_causes", description=__doc__)
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the outcomes that are shown")
    parser.add_argument("--show-unseen", action="store_true", help="show the mistakes that are only counted otherwise")
    parser.add_argument("--processes", type=positive, default=2, help="how many at a time (default: 2)")
    arguments = parser.parse_args(given)
    with spread(arguments.processes, 1) as each:
        outcomes = try_causes(each)
    print("\n".join(text(outcomes, show_unseen=arguments.show_unseen)))
    if arguments.json:
        found = in_json(outcomes, show_unseen=arguments.show_unseen)
        arguments.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if all(o.rejected is bool(o.mistake) for o in outcomes) else 1


if __name__ == "__main__":
    raise SystemExit(main())
