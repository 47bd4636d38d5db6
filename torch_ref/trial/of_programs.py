"""A whole backward pass on trial: each of its lines broken in turn, in five ways; exactly that line has to be found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch

from torch_ref.check.chain import check_chain
from torch_ref.check.lines import check_lines
from torch_ref.trial import exercise
from torch_ref.trial.processes import Each
from torch_ref.verdict.report import Report


class Task(NamedTuple):
    """One program and one check."""

    broken: int | None
    """The line, counted from 0; None where all are right."""
    way: int
    """Of getting it wrong; of a right program the seed of its inputs."""
    dtype: torch.dtype
    check: str
    """chain or lines."""


@dataclass(frozen=True)
class ProgramOutcome:
    """What a check said of one program."""

    check: str
    dtype: str
    line: str
    """That is broken, as it stands there; '' where none is."""
    guilty: tuple[str, ...]
    """What was accused: a value, or a line."""
    found: bool
    """Whether that is the broken line and nothing else; of a right program, whether nothing is accused."""


@dataclass(frozen=True)
class ProgramTrial:
    """All outcomes."""

    outcomes: tuple[ProgramOutcome, ...]

    @property
    def passed(self) -> bool:
        """Tell whether every broken line was found, and nothing that is right was accused."""
        return all(o.found for o in self.outcomes)

    def to_dict(self) -> dict[str, Any]:
        """Return the trial in terms that JSON knows."""
        return {"passed": self.passed, "outcomes": [asdict(o) for o in self.outcomes]}

    def text(self) -> list[str]:
        """Return what was missed and the figures, as lines."""
        lines = [
            f"missed: {o.line or 'the right program'}, {o.dtype}, check_{o.check}: {', '.join(o.guilty) or 'accepted'}"
            for o in self.outcomes
            if not o.found
        ]
        for check in CHECKS:
            broken = [o for o in self.outcomes if o.check == check and o.line]
            right = [o for o in self.outcomes if o.check == check and not o.line]
            found, alarms = sum(o.found for o in broken), sum(not o.found for o in right)
            share = found / len(broken) if broken else 1.0
            lines.append(
                f"{share:7.2%} of {len(broken)} broken lines are found, alone, by check_{check} (needed: 100%)"
            )
            lines.append(f"{alarms:7} false alarms among {len(right)} right programs (allowed: 0)")
        return lines


CHECKS = ("chain", "lines")

SEEDS = 5
"""Right programs of each dtype."""


def plan(*, whole: bool, most: int | None = None) -> list[Task]:
    """Return what is tried: every broken line by one of the checks in turn, in float32; evenly so many at ``most``.

    The next way to break the same line is for the other check. With ``whole`` each is for both, in float64 too.
    """
    dtypes = (torch.float32, torch.float64) if whole else (torch.float32,)
    broken = [(i, way) for i, line in enumerate(exercise.LINES) for way, text in enumerate(line.wrong) if text]
    tasks = [
        Task(i, way, dtype, check)
        for n, check in enumerate(CHECKS)
        for dtype in dtypes
        for i, way in broken
        if whole or (i + way) % len(CHECKS) == n
    ]
    right = (torch.float32, torch.float64)
    tasks += [Task(None, seed, dtype, check) for check in CHECKS for dtype in right for seed in range(SEEDS)]
    return tasks if most is None or most >= len(tasks) else [tasks[i * len(tasks) // most] for i in range(most)]


def try_programs(planned: Sequence[Task], advance: Callable[[], object], each: Each = map) -> ProgramTrial:
    """Check every program that is planned."""
    outcomes = []
    for outcome in each(outcome_of, planned):
        outcomes.append(outcome)
        advance()
    return ProgramTrial(tuple(outcomes))


def outcome_of(task: Task) -> ProgramOutcome:
    """Check one program."""
    program = exercise.program() if task.broken is None else exercise.program(task.broken, task.way)
    given = exercise.inputs(task.way if task.broken is None else 0, task.dtype)
    dtype = str(task.dtype).removeprefix("torch.")
    if task.check == "lines":
        report = check_lines(program.forward, program.backward, given)
        guilty = tuple(row.source for row in report.guilty)
        found = [source.rpartition(":")[2] for source in guilty] == [str(program.broken)] * bool(program.broken)
    else:
        report = by_chain(program, given)
        guilty = tuple(row.quantity.removeprefix("gradient of ") for row in report.guilty)
        found = guilty == (program.name,) * bool(program.broken)
    return ProgramOutcome(task.check, dtype, program.text, guilty, found and report.ok is not bool(program.broken))


def by_chain(program: exercise.Program, given: dict[str, torch.Tensor]) -> Report:
    """Return what ``check_chain`` says of a program: its values are named, with the gradients that backward returns."""
    values = program.values(**{name: t.requires_grad_(t.is_floating_point()) for name, t in given.items()})
    arguments = [values[name] for name in ("n", "letters", "following", *exercise.VALUES)]
    with torch.no_grad():
        gradients = program.backward(*(a.detach() if isinstance(a, torch.Tensor) else a for a in arguments))
    pairs = zip(exercise.VALUES, gradients, strict=True)
    return check_chain(values["loss"], {name: (values[name], d) for name, d in pairs}, power=False)
