"""The checker on trial with functions and autograd Functions: faults of every kind, and random right functions."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from torch_ref.check.autograd_function import check_autograd_function
from torch_ref.check.function import check_function
from torch_ref.trial.functions import KINDS, Draw, Kind
from torch_ref.trial.functions.kind import Formula, Inputs
from torch_ref.trial.functions.truth import CHANGED, wrong_gradients
from torch_ref.trial.functions.written import function_of
from torch_ref.trial.processes import Each
from torch_ref.verdict.report import Report

NEEDED = {"rejected": 1.0, "placed": 0.98}
"""Shares of the faults that float64 shows."""

HALF_SCALES = {torch.float16: (1e-2, 1.0), torch.bfloat16: (1e-6, 1e4)}
"""Numbers that leave room for their products: a sum of 20,000 squares has to stay
below 65,504, where float16 ends; below 6e-5 it loses digits."""

ENTRIES, OF_FUNCTION = 20_000, 4_000
"""The largest input of a random function and of an autograd Function, so that the trial stays short.

Where torch's gradcheck finds something in a Function, it computes the whole Jacobian to say what: n² numbers.
"""


@dataclass(frozen=True)
class Planted:
    """What the checker said of one fault of one kind, in one dtype at one scale."""

    kind: str
    fault: str
    dtype: str
    scale: float
    expected: tuple[str, ...]
    """The arguments whose gradient is wrong in float64."""
    guilty: tuple[str, ...]
    said: str
    """The first line of the verdict, or what the checker raised."""
    rejected: bool
    placed: bool


@dataclass(frozen=True)
class Right:
    """What the checker said of one right function."""

    kind: str
    dtype: str
    what: str
    alarm: str
    """Empty where it was accepted."""


@dataclass(frozen=True)
class FunctionTrial:
    """The outcomes of all faults, and of all right functions."""

    faults: tuple[Planted, ...]
    right: tuple[Right, ...]
    unseen: tuple[str, ...] = ()
    """Faults that even float64 did not show at the numbers that were drawn; they count neither way."""

    def share(self, figure: str) -> float:
        """Return the share of the faults that are rejected or placed; 1 where there are none."""
        return sum(bool(getattr(o, figure)) for o in self.faults) / len(self.faults) if self.faults else 1.0

    @property
    def alarms(self) -> tuple[Right, ...]:
        """Return the right functions that were called wrong."""
        return tuple(o for o in self.right if o.alarm)

    @property
    def passed(self) -> bool:
        """Tell whether every figure is as good as it has to be."""
        return not self.alarms and all(self.share(figure) >= needed for figure, needed in NEEDED.items())

    def to_dict(self) -> dict[str, Any]:
        """Return the trial in terms that JSON knows."""
        head = {"passed": self.passed, "kinds": len(KINDS), "faults": len({(o.kind, o.fault) for o in self.faults})}
        figures = {figure: self.share(figure) for figure in NEEDED}
        alarms = [vars(o) for o in self.alarms]
        outcomes = [vars(o) for o in self.faults]
        right = {"right_functions": len(self.right), "false_alarms": alarms, "not_shown": list(self.unseen)}
        return head | figures | right | {"outcomes": outcomes}

    def text(self) -> list[str]:
        """Return the tables, what was missed, the figures, and the false alarms, as lines."""
        missed = [o for o in self.faults if not (o.rejected and o.placed)]
        meaning = {
            "rejected": "of the faults in functions are rejected",
            "placed": "are blamed on exactly the gradients that are wrong",
        }
        return [
            *self.table(),
            "",
            *(f"missed: {o.kind}: {o.fault}, {o.dtype}, scale {o.scale:g}: {_blamed(o)}" for o in missed),
            *([""] if missed else []),
            *(
                f"{self.share(figure):7.2%} {meaning[figure]} (needed: {needed:.0%})"
                for figure, needed in NEEDED.items()
            ),
            f"{len(self.alarms):7} false alarms among {len(self.right)} right functions (allowed: 0)",
            *(f"false alarm: {o.what}: {o.alarm}" for o in self.alarms),
        ]

    def table(self) -> list[str]:
        """Return the figures by dtype, then by kind, as lines of at most 80 columns."""
        return [*_table("dtype", self, lambda o: o.dtype), "", *_table("kind", self, lambda o: o.kind)]


def _blamed(o: Planted) -> str:
    return f"blamed {', '.join(o.guilty) or 'nobody'} for {', '.join(o.expected)}" if o.rejected else "accepted"


def _table(name: str, trial: FunctionTrial, by: Callable[[Planted | Right], str]) -> list[str]:
    lines = [f"{name:40.40} {'faults':>6} {'rejected':>8} {'placed':>6} {'right':>6} {'alarms':>6}"]
    counts: dict[str, Counter[str]] = {}
    for o in trial.faults:
        counts.setdefault(by(o), Counter()).update({"faults": 1, "rejected": o.rejected, "placed": o.placed})
    for r in trial.right:
        counts.setdefault(by(r), Counter()).update({"right": 1, "alarms": bool(r.alarm)})
    for key, c in counts.items():
        lines.append(f"{key:40.40} {c['faults']:6} {c['rejected']:8} {c['placed']:6} {c['right']:6} {c['alarms']:6}")
    return lines


def checked(kind: Kind, backward: Formula, inputs: Inputs) -> Report:
    """Put one backward before the checker; the only place of the trial that does."""
    options: dict[str, Any] = {"differences": kind.differences, "power": False}
    if kind.as_function:
        function = function_of(kind, backward)
        return check_autograd_function(function, inputs, kind.reference or kind.forward, **options)
    return check_function(kind.forward, backward, inputs, reference=kind.reference, **options)


Place = tuple[str, str, torch.dtype, float]
"""A kind, a fault, a dtype and a scale."""


def plan(*, whole: bool = False, family: str | None = None) -> list[Place]:
    """Return which faults are planted where: once, in one of two dtypes in turn; or in all dtypes at three scales."""
    kinds = [kind for kind in KINDS.values() if family in (None, kind.family)]
    return [place for kind in kinds for place in (_everywhere(kind) if whole else _once(kind))]


def _everywhere(kind: Kind) -> Iterator[Place]:
    for dtype in kind.dtypes:
        low, high = _scales(kind, dtype)
        for fault in kind.faults:
            for scale in sorted({low, _plain_scale(kind, dtype), high}):
                yield kind.name, fault, dtype, scale


def _once(kind: Kind) -> Iterator[Place]:
    dtypes = kind.dtypes[1:3]
    for n, fault in enumerate(kind.faults):
        dtype = dtypes[n % len(dtypes)]
        yield kind.name, fault, dtype, _plain_scale(kind, dtype)


def _plain_scale(kind: Kind, dtype: torch.dtype) -> float:
    """Return 1, or what is nearest to it among the scales of a kind."""
    low, high = _scales(kind, dtype)
    return min(max(1.0, low), high)


def right_seeds(count: int, family: str | None = None) -> list[int]:
    """Return the seeds of so many random right functions, of all kinds in turn or of one family's."""
    kinds = list(KINDS.values())
    of_family = [i for i, kind in enumerate(kinds) if family in (None, kind.family)]
    return [turn * len(kinds) + i for turn in range(-(-count // len(of_family))) for i in of_family][:count]


def try_functions(
    planned: Sequence[Place],
    right: Sequence[int],
    advance: Callable[[], None] = lambda: None,
    each: Each = map,
) -> FunctionTrial:
    """Try every planned fault, and the random right functions of these seeds."""
    faults: list[Planted] = []
    unseen: list[str] = []
    for (kind, name, dtype, scale), outcome in zip(planned, each(_try_at, planned), strict=True):
        faults += [outcome] if outcome else []
        unseen += [] if outcome else [f"{kind}, {name}, {_named(dtype)}, scale {scale:g}"]
        advance()
    found = []
    for right_one in each(try_right, right):
        found.append(right_one)
        advance()
    return FunctionTrial(tuple(faults), tuple(found), tuple(unseen))


def _try_at(place: Place) -> Planted | None:
    kind, name, dtype, scale = place
    return try_planted(KINDS[kind], name, dtype, scale)


def try_planted(kind: Kind, name: str, dtype: torch.dtype, scale: float = 1.0) -> Planted | None:
    """Plant one fault and read the report; return None where float64 does not show it at any of four draws."""
    fault = kind.faults[name]
    for seed in range(4):
        inputs = kind.draw(Draw(torch.Generator().manual_seed(seed), dtype, scale))
        expected = wrong_gradients(kind, fault.made(), inputs)
        if expected:
            break
    else:
        return None
    names = tuple(argument for argument in expected if argument != CHANGED)
    ok, guilty, said = _said(kind, fault.made(), inputs)
    return Planted(
        kind.name,
        name,
        _named(dtype),
        scale,
        expected,
        guilty,
        said,
        rejected=not ok,
        placed=not ok and (CHANGED in expected or Counter(map(argument_of, guilty)) == Counter(names)),
    )


def _said(kind: Kind, backward: Formula, inputs: Inputs) -> tuple[bool, tuple[str, ...], str]:
    """Return whether the checker accepts it, whom it blames, and its first line; to raise is not to accept."""
    try:
        report = checked(kind, backward, inputs)
    except Exception as error:  # a checker that breaks off has found nothing, and a right function is not accepted
        return False, (), f"{type(error).__name__}: {error}".splitlines()[0]
    return report.ok, tuple(row.quantity for row in report.guilty), report.verdict.splitlines()[0]


def argument_of(quantity: str) -> str:
    """Return the argument that a row is of: 'p' of "gradient of p['w']"."""
    return re.split(r"[\[.(]", quantity.removeprefix("gradient of "), maxsplit=1)[0]


def try_right(seed: int) -> Right:
    """Check one random right function."""
    kind, draw, what = random_function(seed)
    ok, _, said = _said(kind, kind.backward, kind.draw(draw))
    return Right(kind.name, _named(draw.dtype), what, "" if ok else said)


def random_function(seed: int) -> tuple[Kind, Draw, str]:
    """Return a kind, how its inputs are drawn, and both in words; the kinds come in turn, seed by seed."""
    chance = random.Random(seed)
    kind = list(KINDS.values())[seed % len(KINDS)]
    dtype = chance.choice(kind.dtypes)
    low, high = _scales(kind, dtype)
    scale = chance.choice([low, high, low * (high / low) ** chance.random(), _plain_scale(kind, dtype)])
    rows = _up_to(chance, kind.widest, 2)
    entries = OF_FUNCTION if kind.as_function else ENTRIES
    columns = _up_to(chance, min(kind.widest, max(6, entries // rows)), 5)
    zeros, ties = (not kind.smooth and chance.random() < 0.25 for _ in range(2))
    draw = Draw(torch.Generator().manual_seed(seed), dtype, scale, rows, columns, zeros, ties)
    special = "".join([", zeros" * zeros, ", ties" * ties])
    return kind, draw, f"seed {seed}: {kind.name}, {_named(dtype)}, {rows} x {columns}, scale {scale:.1e}{special}"


def _up_to(chance: random.Random, largest: int, least: int) -> int:
    """Return a whole number from ``least``; every size is as likely as its double."""
    return round(float(least * (max(least, largest) / least) ** chance.random()))


def _scales(kind: Kind, dtype: torch.dtype) -> tuple[float, float]:
    low, high = kind.scales
    least, most = HALF_SCALES.get(dtype, (1e-8, 1e6))
    low = min(max(low, least), high)
    return low, max(low, min(high, most))


def _named(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
