"""Mistakes that no catalogue knows: each is one, and the pairs that they are put into are right."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor

from torch_ref.known.codes import GROUPS
from torch_ref.trial import of_causes
from torch_ref.trial.of_causes import Outcome, Said, outcome_of, text, worth_of
from torch_ref.trial.unknown import FILES, NEW, NEWEST, PROGRAMS
from torch_ref.trial.unknown.program import Mistake, Program, unseen, wrong
from torch_ref.verdict.row import Row

TO_COME = {
    "mean-for-sum",
    "broadcast-not-summed",
    "projection-missing",
    "another-gradient",
    "path-detached",
    "upstream-twice",
    "duplicates-overwritten",
    "step-missing",
    "shifted",
}
CODES = {code for group in GROUPS.values() for code in group} | TO_COME
ALL = [(program, mistake) for program in PROGRAMS for mistake in program.mistakes]


def is_differentiable(value: Any) -> bool:
    return isinstance(value, Tensor) and (value.is_floating_point() or value.is_complex())


def in_float64(value: Any) -> Any:
    if not is_differentiable(value):
        return value
    return value.to(torch.complex128 if value.is_complex() else torch.float64)


class Truth:
    """The inputs of a program in float64, upstream gradients, and what autograd makes of them."""

    def __init__(self, program: Program) -> None:
        self.inputs = [in_float64(value) for value in program.inputs()]
        leaves = [v.clone().requires_grad_() if is_differentiable(v) else v for v in self.inputs]
        outputs = program.forward(*leaves)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        generator = torch.Generator().manual_seed(1)
        self.upstream = [
            torch.randn(y.shape, generator=generator, dtype=y.dtype) + 0.3 if y.ndim else torch.full_like(y, 0.6)
            for y in outputs
        ]
        asked = [v for v in leaves if is_differentiable(v)]
        found = iter(torch.autograd.grad(outputs, asked, self.upstream))
        self.gradients = [next(found) if is_differentiable(v) else None for v in leaves]

    def by(self, backward: Any) -> list[Tensor | None]:
        """Return what a backward gives, and see that it leaves its inputs alone."""
        given = [v.clone() if isinstance(v, Tensor) else v for v in self.inputs]
        made = backward(*[d.clone() for d in self.upstream], *given)
        for before, after in zip(self.inputs, given, strict=True):
            assert before is after or torch.equal(before, after)
        return list(made) if isinstance(made, tuple) else [made]


TRUTH: dict[str, Truth] = {}


def truth_of(program: Program) -> Truth:
    if program.name not in TRUTH:
        TRUTH[program.name] = Truth(program)
    return TRUTH[program.name]


def far(got: Tensor, right: Tensor) -> float:
    assert got.shape == right.shape
    assert torch.isfinite(torch.view_as_real(got) if got.is_complex() else got).all()
    return float((got - right).norm() / right.norm())


@pytest.mark.long(but=30)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_what_is_right_equals_autograd(program: Program) -> None:
    truth = truth_of(program)
    for got, right in zip(truth.by(program.backward), truth.gradients, strict=True):
        if got is not None:
            assert right is not None
            assert far(got, right) < 1e-9


@pytest.mark.long(but=20)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_every_mistake_is_seen(program: Program) -> None:
    truth = truth_of(program)
    right = truth.by(program.backward)
    for mistake in program.mistakes:
        got = truth.by(program.mistaken(mistake))
        assert [g is None for g in got] == [r is None for r in right], mistake.name
        off = [far(g, r) for g, r in zip(got, right, strict=True) if g is not None and r is not None]
        assert max(off) > 1e-3, mistake.name


@pytest.mark.parametrize(
    ("program", "mistake"), [pair for pair in ALL if pair[1].places], ids=lambda of: getattr(of, "name", "")
)
@pytest.mark.long(but=25)
def test_what_is_a_matter_of_place_is_wrong_there_alone(program: Program, mistake: Mistake) -> None:
    truth = truth_of(program)
    where = set()
    for got, right in zip(truth.by(program.mistaken(mistake)), truth.gradients, strict=True):
        if got is not None and right is not None:
            wrong_at = ((got - right).abs() > 1e-9 * right.norm()).nonzero()
            where |= {tuple(sorted(set(column))) for column in wrong_at.T.tolist()}
    assert set(mistake.places) <= where


def test_names_and_codes() -> None:
    names = [program.called(mistake) for program, mistake in ALL]
    assert len(set(names)) == len(names) >= 600
    assert len({program.name for program in PROGRAMS}) == len(PROGRAMS) >= 65
    assert all(5 <= len(program.mistakes) <= 15 for program in PROGRAMS)
    assert {code for _, mistake in ALL for code in mistake.accepts} <= CODES
    assert all(mistake.accepts for _, mistake in ALL)
    assert sum("no-pattern" in mistake.accepts for _, mistake in ALL) < 0.05 * len(ALL)


def part_of(program: Program, mistake: Mistake) -> str:
    return Outcome(program.kind, program.called(mistake), mistake.name, (), rejected=True, said=()).part


def test_a_third_is_not_shown() -> None:
    parts = [part_of(program, mistake) for program, mistake in ALL if program not in NEW + NEWEST]
    assert set(parts) == {"seen", "unseen"}
    assert 0.28 < parts.count("unseen") / len(parts) < 0.38
    for file in FILES:  # of every kind both parts have some
        of_kind = {unseen(program.called(mistake)) for program in file.PROGRAMS for mistake in program.mistakes}
        assert of_kind == {True, False}


@pytest.mark.parametrize(("part", "programs"), [("new", NEW), ("newest", NEWEST)])
def test_nothing_of_the_new_programs_is_shown(part: str, programs: tuple[Program, ...]) -> None:
    parts = [part_of(program, mistake) for program in programs for mistake in program.mistakes]
    assert len(parts) >= 200
    assert set(parts) == {part}
    others = [program.kind for program in PROGRAMS if program not in programs]
    assert {program.kind for program in programs}.isdisjoint(others)


def test_an_edit_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"SoftPlus: none: 'nowhere' stands 0 times"):
        PROGRAMS[0].mistaken(wrong("none", "nowhere", "here", "zeros"))


@pytest.mark.long(but=6)
@pytest.mark.parametrize("program", PROGRAMS[::4], ids=lambda program: program.name)
def test_what_is_right_is_accepted(program: Program) -> None:
    outcome = outcome_of((program.name, None))
    assert (outcome.rejected, outcome.raised) == (False, "")


@pytest.mark.parametrize(("program", "name"), [("SoftPlus", "slope forgotten"), ("Dense", "weight decay")])
def test_a_mistake_is_rejected_and_its_cause_judged(program: str, name: str) -> None:
    of = of_causes.OF_PROGRAM[program]
    (at,) = (i for i, mistake in enumerate(of.mistakes) if mistake.name == name)
    outcome = outcome_of((program, at))
    assert (outcome.rejected, outcome.worth) == (True, "right")


def judged(code: str, sentence: str, mistake: Mistake, lines: tuple[int, ...] = (), **numbers: Any) -> str:
    class Why:
        def __init__(self) -> None:
            self.numbers = numbers

    class Found:
        why = Why()

        def __init__(self) -> None:
            self.code, self.cause = code, sentence

    row: Row = Found()  # type: ignore[assignment]
    return worth_of(row, mistake, lines)


def test_what_a_cause_is_worth() -> None:
    rows = Mistake("rows", (), frozenset({"step-missing", "zero-rows"}), ((1, 2),))
    assert judged("step-missing", "", rows) == "right"
    assert judged("zero-rows", "", rows, places=[1, 2]) == "right"
    assert judged("zero-rows", "", rows, places=[1]) == "misleading"
    assert judged("only-some", "", rows, places=[1, 2]) == "missing"
    assert judged("only-some", "", rows, places=[0, 2]) == "misleading"
    everywhere = Mistake("everywhere", (), frozenset({"factor"}))
    assert judged("only-some", "", everywhere, places=[0]) == "misleading"
    assert judged("no-pattern", "", everywhere) == "missing"
    assert judged("transposed", "", everywhere) == "misleading"
    assert judged("factor", "a factor of 1/2", everywhere) == "right"
    assert judged("factor", "a factor of 1/N", everywhere) == "misleading"
    assert judged("factor", "a factor of 1/4 (1/N with N = 4?)", everywhere) == "right"
    assert judged("factor", "a factor of 1/N", Mistake("mean", (), frozenset({"factor", "mean-for-sum"}))) == "right"


def test_a_change_is_right_in_the_line_of_the_mistake() -> None:
    anything = Mistake("anything", (), frozenset({"factor"}))
    assert judged("transposed", "", anything, (3, 4), line=4) == "right"
    assert judged("transposed", "", anything, (3, 4), line=5) == "misleading"
    assert judged("factor", "a factor of 2", anything, (3,), line=5) == "right"


@pytest.mark.parametrize(
    ("edits", "lines"),
    [
        ((("s = torch.sigmoid(x)", "s = x"),), {2}),
        ((("    s = torch.sigmoid(x)\n", ""),), {2}),
        ((("s = torch.sigmoid(x)", "s = x\n    s = 2 * s"), ("return d", "return -d")), {2, 3, 4}),
    ],
)
def test_the_lines_of_a_mistake(edits: tuple[tuple[str, str], ...], lines: set[int]) -> None:
    class Sigmoid:
        def backward(self, d: Tensor, x: Tensor) -> Tensor:
            s = torch.sigmoid(x)
            return d * s * (1 - s)

    assert Program("Sigmoid", "a kind", Sigmoid()).lines_of(Mistake("one", edits, frozenset())) == lines


def test_what_is_not_seen_is_counted_and_not_shown() -> None:
    names = {part_of(*pair): pair[0].called(pair[1]) for pair in ALL}
    assert set(names) == {"seen", "unseen", "new", "newest"}
    nothing = Said("gradient of x", "no-pattern", "no known pattern fits", "missing", "missing")
    outcomes = [
        Outcome("a kind", name, name.partition(": ")[2], ("factor",), rejected=True, said=(nothing,))
        for name in names.values()
    ]
    said = "\n".join(text(outcomes))
    assert f"missing: {names['seen']}: gradient of x: no known pattern fits [no-pattern]" in said
    assert names["unseen"] not in said
    assert names["new"] not in said
    assert names["newest"] not in said
    for part in names:
        figures = f"{part}: 1 mistakes: 100.0% rejected, 0.0% right, 100.0% missing, 0.0% misleading"
        assert f"{figures}; by the code alone 0.0% right" in said.splitlines()
    assert len(re.findall(r"a kind +1 ", said)) == 1  # the table counts what is seen
    everything = "\n".join(text(outcomes, show_unseen=True))
    assert all(name in everything for name in names.values())
    assert [entry["name"] for entry in of_causes.in_json(outcomes)] == [names["seen"]]
    assert {entry["part"] for entry in of_causes.in_json(outcomes, show_unseen=True)} == set(names)
