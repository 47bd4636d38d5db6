"""The benchmarks compare what computes the same step; here nothing is timed."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import equality
from benchmarks.__main__ import PARTS, arguments, done, measure_of, without_json
from benchmarks.cases import C128, CASES, problem
from benchmarks.contenders import QUICK
from benchmarks.contenders.by_numpy import Numpy
from benchmarks.gates import GATES, judge, word
from benchmarks.part import Part
from benchmarks.times import CaseTimes, Timing
from benchmarks.worker import Bench, Worker

SMALL = ("f", "a", "b", "c128", "d")


@pytest.mark.parametrize("case", SMALL)
def test_every_contender_computes_the_same_step(case: str) -> None:
    ready = Bench().prepare(CASES[case], list(QUICK))
    assert ready.excluded == {}
    assert ready.left_out == {}
    assert set(ready.names) == set(QUICK)


class SlowLearner(Numpy):
    def step(self):
        before = self.parameters()
        loss = super().step()
        for p, b in zip(self.all, before, strict=True):
            p[...] = b + np.float32(0.98) * (p - b)
        return loss


class NoLowestLayer(Numpy):
    def _backward(self, i):
        if i:
            super()._backward(i)


@pytest.mark.parametrize("kind", [SlowLearner, NoLowestLayer])
@pytest.mark.parametrize("case", SMALL)
def test_whoever_does_less_is_found_out(kind: type[Numpy], case: str) -> None:
    torch.set_num_threads(1)
    this = problem(CASES[case])
    theirs = equality.after_steps(kind(this))
    assert equality.difference(this.arrays(), equality.expected(this), theirs) != ""


def test_a_gate_gives_ten_percent_for_noise() -> None:
    assert [word("at least", value, 2.0) for value in (2.1, 1.85, 1.7)] == ["ok", "ok, within 10 %", "missed"]
    assert [word("at most", value, 2.0) for value in (1.9, 2.15, 2.3)] == ["ok", "ok, within 10 %", "missed"]


@pytest.mark.parametrize(
    ("numpy", "manual", "floor", "said"),
    [
        (1.5, 1.0, 0.9, "ok"),
        (1.4, 1.0, 0.9, "ok, within 10 %"),
        (1.2, 1.0, 0.8, "missed"),
        (1.2, 1.0, 0.95, "missed, the floor too"),
    ],
)
def test_a_miss_says_whether_the_floor_misses_too(numpy: float, manual: float, floor: float, said: str) -> None:
    """The limit is 1.45: with the products alone it could be reached at 0.8, not at 0.95."""
    seconds = {"numpy": numpy, "manual": manual, "floor": floor}
    times = CaseTimes(C128, {name: Timing(name, "", 1, [value] * 3) for name, value in seconds.items()})
    (gate,) = (gate for gate in GATES if gate.over == "numpy")
    judged = judge(gate, times)
    assert (judged.word, judged.holds) == (said, said.startswith("ok"))


def test_the_command_in_the_results_has_no_path() -> None:
    assert without_json(["--check", "--json", "out.json", "--rounds", "9"]) == ["--check", "--rounds", "9"]
    assert without_json(["--json=out.json", "--only", "steps"]) == ["--only", "steps"]


@pytest.mark.parametrize(
    "wrong", [["--rounds", "0"], ["--rounds", "-1"], ["--json", "nowhere/x.json"], ["--cases", "g"]]
)
def test_wrong_arguments_are_refused_before_anything_is_timed(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        arguments(wrong)
    assert raised.value.code == 2
    assert f"argument {wrong[0]}" in capsys.readouterr().err


def test_every_gate_has_a_limit_for_every_case() -> None:
    for gate in GATES:
        assert len(gate.limits) == len(CASES), gate
        assert len(gate.aims) in (0, len(CASES)), gate


@pytest.mark.parametrize("name", PARTS[1:])
def test_every_part_is_a_file_that_measures(name: str) -> None:
    assert measure_of(name).__module__ in (f"benchmarks.{name}", f"benchmarks.{name}.measure")


def a_small_part(*, quick: bool) -> Part:
    return Part("a part", ("",), figures={"quick": quick, "threads": torch.get_num_threads()})


def test_a_worker_measures_a_part_with_its_own_threads() -> None:
    with Worker(2) as worker:
        assert worker.part(a_small_part, quick=True).figures == {"quick": True, "threads": 2}


def test_the_last_line_says_what_was_measured_and_where_it_went(tmp_path: Path) -> None:
    times = CaseTimes(C128, {"numpy": Timing("numpy", "", 1, [1.0])})
    quick = arguments(["--quick"])
    assert done(quick, [times], {}, 38.2) == "Measured in 38 s: 1 contenders in 1 cases, 5 rounds. Written to: nothing."
    epoch = arguments(["--only", "epoch", "--json", str(tmp_path / "e.json")])
    part = {"epoch": Part("", ())}
    assert done(epoch, [], part, 9) == f"Measured in 9 s: epoch. Written to: benchmarks/results and {tmp_path}/e.json."
