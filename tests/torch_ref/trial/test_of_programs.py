"""A whole backward pass with each of its lines broken: the trial of check_chain and check_lines."""

import pytest
import torch

from torch_ref.__main__ import main
from torch_ref.trial import exercise, of_functions, of_programs, trial
from torch_ref.trial.of_programs import ProgramOutcome, ProgramTrial, Task, outcome_of, plan
from torch_ref.trial.trial import Trial


def test_every_line_that_computes_is_broken_in_five_different_ways() -> None:
    broken = [line for line in exercise.LINES if line.wrong[0]]
    assert len(broken) == 30
    assert all(len({line.right, *line.wrong}) == 6 for line in broken)
    assert len(exercise.VALUES) == 26
    assert len(list(exercise.programs())) == 150


def test_a_program_knows_its_broken_line() -> None:
    program = exercise.program(4, 2)
    assert (program.broken, program.text, program.name) == (6, "dtotal = -dinverse", "total")
    right = exercise.program()
    assert (right.broken, right.text, right.name) == (0, "", "")
    given = exercise.inputs(3, torch.float64)
    assert right.forward(**given) == right.values(**given)["loss"]


def test_what_is_planned() -> None:
    quick, whole = plan(whole=False), plan(whole=True)
    assert (len(quick), len(whole)) == (170, 620)
    assert set(quick) < set(whole)
    assert sum(task.broken is None for task in quick) == 20
    broken = [task for task in quick if task.broken is not None]
    assert {task.dtype for task in broken} == {torch.float32}
    assert len({(task.broken, task.way) for task in broken}) == 150, "each line in each way, by one of the checks"
    assert {(task.broken, task.check) for task in broken} == {(i, c) for i, *_ in broken for c in ("chain", "lines")}
    few = plan(whole=False, most=7)
    assert len(few) == 7
    assert set(few) <= set(quick)


@pytest.mark.long(but=("None",))
@pytest.mark.parametrize("check", ["chain", "lines"])
@pytest.mark.parametrize(("broken", "way"), [(None, 0), (6, 0), (10, 0), (21, 0), (22, 3), (25, 1), (31, 0)])
def test_exactly_the_broken_line_is_found(check: str, broken: int | None, way: int) -> None:
    outcome = outcome_of(Task(broken, way, torch.float32, check))
    assert outcome.found, outcome


def outcome(found: bool, line: str = "dz = dh", check: str = "lines") -> ProgramOutcome:
    return ProgramOutcome(check, "float32", line, ("mine.py:3",), found)


def test_the_figures_and_what_was_missed() -> None:
    found = ProgramTrial((outcome(True), outcome(False), outcome(True, ""), outcome(True, check="chain")))
    assert not found.passed
    text = "\n".join(found.text())
    assert "missed: dz = dh, float32, check_lines: mine.py:3" in text
    assert " 50.00% of 2 broken lines are found, alone, by check_lines (needed: 100%)" in text
    assert "100.00% of 1 broken lines are found, alone, by check_chain (needed: 100%)" in text
    assert "      0 false alarms among 1 right programs (allowed: 0)" in text
    alarm = ProgramTrial((outcome(False, ""),))
    assert "missed: the right program" in alarm.text()[0]
    assert "      1 false alarms" in "\n".join(alarm.text())
    assert ProgramTrial((outcome(True),)).passed


@pytest.mark.parametrize("found", [True, False])
def test_the_command_fails_where_a_line_is_missed(found: bool, monkeypatch, capsys) -> None:
    monkeypatch.setattr(trial, "run_trial", lambda *_: Trial((), 0, ()))
    monkeypatch.setattr(Trial, "share", lambda *_: 1.0)
    monkeypatch.setattr(of_functions, "try_functions", lambda *_: of_functions.FunctionTrial((), ()))
    asked = []
    monkeypatch.setattr(
        of_programs, "try_programs", lambda tasks, *_: asked.append(len(tasks)) or ProgramTrial((outcome(found),))
    )
    code = main(["faults", "--processes", "1", "--networks", "0", "--programs", "3"])
    assert asked == [3]
    assert code == (0 if found else 1)
    assert "broken lines are found, alone, by check_lines" in capsys.readouterr().out
