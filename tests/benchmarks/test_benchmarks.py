"""The benchmarks compare what computes the same step; here nothing is timed."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import __main__ as run
from benchmarks import equality, libraries, machine, mnist, tables
from benchmarks.__main__ import PARTS, arguments, done, measure_of, without_json
from benchmarks.cases import C128, CASES, problem
from benchmarks.contenders import QUICK
from benchmarks.contenders.by_numpy import Numpy
from benchmarks.gates import GATES, judge, judged_limits
from benchmarks.part import Part
from benchmarks.times import CaseTimes, Timing
from benchmarks.worker import Bench, Worker
from manual_bp.training.images.data import Images, mnist5k

SMALL = ("f", "a", "b", "c128", "d")


@pytest.mark.long(but=("[b]", "c128"))
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


def timed(**rounds: list[float]) -> CaseTimes:
    return CaseTimes(C128, {name: Timing(name, "", 1, seconds) for name, seconds in rounds.items()})


@pytest.mark.parametrize(
    ("autograd", "said"),
    [
        ([1.1, 1.2, 1.3], "kept"),
        ([0.9, 0.95, 1.2, 1.2], "kept"),
        ([0.8, 0.9, 0.99, 1.1], "kept, within the noise"),
        ([0.9, 0.9, 0.9, 1.1, 0.9], "broken"),
    ],
)
def test_a_promise_is_broken_where_three_quarters_of_the_rounds_break_it(autograd: list[float], said: str) -> None:
    (gate,) = (gate for gate in GATES if gate.over == "autograd" and gate.is_promise)
    judged = judge(gate, timed(autograd=autograd, manual=[1.0] * len(autograd)))
    assert (judged.word, judged.is_broken) == (said, said == "broken")


@pytest.mark.parametrize(("manual", "said"), [([1.1, 1.2], "kept"), ([1.14, 1.2, 1.3], "broken")])
def test_at_most_is_the_other_way_round(manual: list[float], said: str) -> None:
    (gate,) = (gate for gate in GATES if gate.under == "floor" and gate.is_promise)
    assert judge(gate, timed(manual=manual, floor=[1.0] * len(manual))).word == said


def test_an_aim_says_how_far_it_is_and_breaks_nothing() -> None:
    (gate,) = (gate for gate in GATES if gate.over == "jax")
    judged = [judge(gate, timed(jax=[t], manual=[1.0])) for t in (1.2, 0.8)]
    assert [one.word for one in judged] == ["reached", "25% off"]
    assert not any(one.is_broken for one in judged)
    assert judge(gate, timed(manual=[1.0])).word == "not measured"


@pytest.mark.parametrize(("autograd", "code"), [([1.2], 0), ([0.8], 1)])
def test_check_fails_where_a_promise_is_broken(
    autograd: list[float], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    args, times = arguments(["--check", "--cases", "c128"]), timed(autograd=autograd, manual=[1.0])
    assert run.judge(args, tables.console(), [times], {}) == code
    assert ("! broken: c128: autograd / manual" in capsys.readouterr().out) == (code == 1)


def test_check_fails_where_nothing_was_put_to_the_test(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.judge(arguments(["--check", "--only", "scaling"]), tables.console(), [], {"scaling": Part("", ())}) == 1


def test_check_fails_where_somebody_computes_another_step(capsys: pytest.CaptureFixture[str]) -> None:
    times = timed(autograd=[1.2], manual=[1.0])
    times.excluded["expert"] = "computes other parameters"
    assert run.judge(arguments(["--check", "--cases", "c128"]), tables.console(), [times], {}) == 1
    assert "! broken: c128: expert computes another step" in capsys.readouterr().out


def test_figures_of_other_parts_are_promises_and_aims() -> None:
    judged = judged_limits({"startup": {"import_over_torch_ms": 51}, "memory": {"manual_of_autograd": 0.45}})
    assert [(one.word, one.is_broken) for one in judged] == [("broken", True), ("50% off", False)]


def environment_of_a_process(*, quick: bool) -> Part:
    return Part("", (), figures=dict(os.environ))


@pytest.mark.long
def test_nothing_holds_a_library_back_in_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    held = ["OPENBLAS_CORETYPE", "ATEN_CPU_CAPABILITY", "MKL_CBWR", "ONEDNN_MAX_CPU_ISA", "DNNL_VERBOSE"]
    for name in held:
        monkeypatch.setenv(name, "x")
    with Worker(1) as worker:
        found = worker.part(environment_of_a_process, quick=True).figures
    assert not set(held) & set(found)
    assert found["MKL_NUM_THREADS"] == "1"
    assert all(os.environ[name] == "x" for name in held)


def test_who_multiplies_is_told_with_rate_version_and_kernels() -> None:
    found = libraries.measure_here(quick=True).figures
    assert set(found["rates"]) == set(found["kinds"]) == {"torch.mm", "oneDNN", "numpy"}
    assert all(rate > 0 for rate in found["rates"].values())
    assert np.__version__ in found["kinds"]["numpy"]


def test_a_torch_without_onednn_is_measured_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops, "mkldnn", object())
    assert libraries.LIBRARIES["oneDNN"]() is None
    assert set(libraries.measure_here(quick=True).figures["rates"]) == {"torch.mm", "numpy"}


def test_the_operations_of_a_step_are_those_of_its_products() -> None:
    """784-256-10 and 128 rows: two layers forward, two gradients, one error."""
    assert C128.flops == 2 * 128 * (2 * 784 * 256 + 3 * 256 * 10)


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


@pytest.mark.parametrize("name", PARTS[1:])
def test_every_part_is_a_file_that_measures(name: str) -> None:
    assert measure_of(name).__module__ in (f"benchmarks.{name}", f"benchmarks.{name}.measure")


def a_small_part(*, quick: bool) -> Part:
    return Part("a part", ("",), figures={"quick": quick, "threads": torch.get_num_threads()})


def the_environment(*, quick: bool) -> Part:
    return Part("its environment", ("",), figures=dict(os.environ))


@pytest.mark.long
def test_a_worker_s_libraries_choose_their_kernels_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    with Worker(1) as worker:
        there = worker.part(the_environment, quick=True).figures
    assert "OPENBLAS_CORETYPE" not in there
    assert there["OPENBLAS_NUM_THREADS"] == "1"
    assert os.environ["OPENBLAS_CORETYPE"] == "Haswell"


@pytest.mark.long
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


@pytest.mark.parametrize("error", [None, OSError("it does not count them")])
def test_a_system_that_counts_no_programs_has_no_load(error: OSError | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise error

    if error is None:  # as on Windows
        monkeypatch.delattr(os, "getloadavg")
    else:
        monkeypatch.setattr(os, "getloadavg", refuse)
    assert machine.load() is None
    assert machine.machine()["load before"] == ""


@pytest.mark.parametrize("name", ["by hand", "PyTorch", "by hand, distorted images"])
def test_who_trains_on_mnist_learns(name: str) -> None:
    training, test = mnist5k()
    first, second = mnist.TRAINERS[name](Images(training.pixels[:800], training.labels[:800]), test, 2)
    assert 0 < first[0] < second[0]
    assert 0.4 < first[1] <= second[1] < 1


def test_without_mnist_the_part_says_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist, "FOLDER", Path("nowhere"))
    part = mnist.measure(quick=True)
    assert part.rows == []
    assert "$MNIST" in part.method
