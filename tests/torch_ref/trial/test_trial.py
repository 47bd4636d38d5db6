"""The trial of the checker: random correct networks, the four figures, the command."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest
import torch
from places import ROOT

from manual_bp import AvgPool2d, Conv2d, MaxPool2d, ReLU, Sigmoid, SoftmaxCrossEntropy, SquaredError, Tanh
from torch_ref import crosscheck
from torch_ref.__main__ import main
from torch_ref.known.faults import FAULTS
from torch_ref.trial import of_functions, of_programs, trial


@pytest.mark.long(but=("[1]", "[14]", "[7]"))
@pytest.mark.parametrize("seed", range(24))
def test_random_correct_networks_raise_no_alarm(seed: int) -> None:
    """`python -m torch_ref faults` takes 500 of them."""
    network, x, t, what = trial.random_network(seed + 1000)
    report = crosscheck(network, x, t)
    assert report.identical, f"{what}: {report}"


def test_the_random_networks_cover_the_grid() -> None:
    made = [trial.random_network(seed) for seed in range(120)]
    depths = {network.depth for network, *_ in made}
    assert depths == set(range(1, 9))
    widths = [shape for network, *_ in made for p in network.parameters().values() for shape in p.shape]
    rows = [len(x) for _, x, *_ in made]
    assert (min(widths), min(rows)) == (1, 1)
    assert max(widths) > 250
    assert max(rows) > 200
    assert {type(network.layers[1]) for network, *_ in made if network.depth > 1} == {Sigmoid, Tanh, ReLU}
    assert {network.loss_function for network, *_ in made} == {
        kind(reduction) for kind in (SquaredError, SoftmaxCrossEntropy) for reduction in ("mean", "sum")
    }
    assert {x.dtype for _, x, *_ in made} == {torch.float32, torch.float64}
    assert {t.is_floating_point() for _, _, t, _ in made} == {True, False}
    assert {type(layer) for network, *_ in made for layer in network.layers} >= {Conv2d, MaxPool2d, AvgPool2d}


def test_each_fault_is_tried_once_in_a_setting_in_turn_and_with_all_in_every_one() -> None:
    quick, whole = trial.plan(whole=False), trial.plan(whole=True)
    assert [name for name, *_ in quick] == [*FAULTS]
    settings = Counter(tuple(setting) for _, *setting in quick)
    assert len(settings) == 6
    assert max(settings.values()) - min(settings.values()) <= 1
    assert len(set(whole)) == len(whole) == 6 * len(FAULTS)
    assert set(quick) < set(whole)


@pytest.fixture
def two_faults(monkeypatch) -> None:
    kept = {name: FAULTS[name] for name in ("tanh-error-no-slope", "linear-weight-over-n")}
    monkeypatch.setattr(trial, "FAULTS", kept)
    monkeypatch.setattr(of_functions, "try_functions", lambda *_: of_functions.FunctionTrial((), ()))
    monkeypatch.setattr(of_programs, "try_programs", lambda *_: of_programs.ProgramTrial(()))


@pytest.mark.usefixtures("two_faults")
def test_the_command_prints_the_figures_and_writes_every_outcome(tmp_path, capsys, monkeypatch) -> None:
    path = tmp_path / "trial.json"
    assert main(["faults", "--all", "--processes", "1", "--networks", "3", "--json", str(path)]) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    for line in (
        "Linear weight (E12)                 1      6         6         6         6",
        "100.00% of the planted faults are rejected (needed: 100%)",
        "100.00% are blamed on exactly the right formula and layer (needed: 98%)",
        "100.00% are given the right cause (needed: 90%)",
        "      0 false alarms among 3 correct networks (allowed: 0)",
    ):
        assert line in printed
    written = json.loads(path.read_text(encoding="utf-8"))
    assert (written["passed"], written["faults"], written["correct_networks"]) == (True, 2, 3)
    assert len(written["outcomes"]) == 12
    monkeypatch.setattr(trial, "FAULTS", {"tanh-error-no-slope": FAULTS["tanh-error-no-slope"]})
    assert main(["faults", "--processes", "1", "--networks", "0", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["passed"] is True


@pytest.mark.long
@pytest.mark.usefixtures("two_faults")
def test_a_checker_that_is_blind_fails_the_trial(monkeypatch, capsys) -> None:
    """A fault that is none is accepted, another is explained otherwise, a wrong network is a false alarm."""
    right, other = FAULTS["tanh-error-no-slope"], FAULTS["linear-weight-over-n"]
    harmless = replace(right, wrong=lambda _, e, net, x: e * (1 - x * x))
    monkeypatch.setattr(trial, "FAULTS", {"harmless": harmless, "other": replace(other, code="zeros")})
    found = trial.run_trial(trial.plan(whole=False), 0)
    assert (found.share("rejected"), found.share("placed"), found.share("explained")) == (0.5, 0.5, 0.0)
    assert not found.passed
    correct = trial.random_network

    def spoiled(seed: int):
        network, x, t, what = correct(seed)
        return FAULTS["linear-weight-sign"].plant(network, network.depth), x, t, what

    monkeypatch.setattr(trial, "random_network", spoiled)
    monkeypatch.setattr(trial, "FAULTS", {"other": other})
    assert main(["faults", "--processes", "1", "--networks", "2"]) == 1
    assert capsys.readouterr().out.count("false alarm: seed") == 2


@pytest.mark.parametrize("bad", [["--networks", "-1"], ["--networks", "many"], ["--threads", "0"]])
def test_the_command_names_wrong_arguments(bad: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["faults", *bad])
    assert caught.value.code == 2
    assert "expected a whole number from" in capsys.readouterr().err


def test_a_json_file_that_cannot_be_written_is_named_before_anything_runs(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(trial, "run_trial", lambda *_: pytest.fail("it ran"))
    path = tmp_path / "missing" / "trial.json"
    assert main(["faults", "--json", str(path)]) == 2
    assert f"--json expects a file in a folder that is there, got {path}" in capsys.readouterr().err


@pytest.mark.long
def test_a_closed_pipe_and_ctrl_c_end_a_command_quietly(monkeypatch) -> None:
    root = ROOT
    command = [sys.executable, "-m", "torch_ref", "grade", "--template"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=root) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(trial, "run_trial", interrupted)
    assert main(["faults", "--networks", "0"]) == 130
