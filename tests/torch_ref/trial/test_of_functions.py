"""The figures of the functions' trial, by outcomes that stand in for a checker's."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from torch_ref.__main__ import main
from torch_ref.trial import of_functions, of_programs
from torch_ref.trial.functions import KINDS
from torch_ref.trial.of_functions import FunctionTrial, Planted, Right, argument_of, try_functions, try_planted
from torch_ref.trial.trial import Trial

FOUND = Planted("softmax", "no sum term", "float32", 1.0, ("z",), ("gradient of z",), "Wrong.", True, True)
GOOD = Right("softmax", "float32", "seed 0", "")


def report(ok: bool, *guilty: str) -> SimpleNamespace:
    return SimpleNamespace(ok=ok, verdict="One.\nTwo.", guilty=[SimpleNamespace(quantity=name) for name in guilty])


def trial(faults=100, missed=0, elsewhere=0, right=10, alarms=0) -> FunctionTrial:
    accepted = replace(FOUND, guilty=(), rejected=False, placed=False)
    astray = replace(FOUND, guilty=("output",), placed=False)
    found = [FOUND] * (faults - missed - elsewhere) + [accepted] * missed + [astray] * elsewhere
    return FunctionTrial(tuple(found), (GOOD,) * (right - alarms) + (replace(GOOD, alarm="Wrong."),) * alarms)


@pytest.mark.parametrize(
    ("outcomes", "passed"),
    [
        ({}, True),
        ({"missed": 1}, False),
        ({"elsewhere": 2}, True),
        ({"elsewhere": 3}, False),
        ({"alarms": 1}, False),
        ({"faults": 0}, True),
    ],
    ids=str,
)
def test_all_are_rejected_98_percent_placed_and_no_right_one_is_called_wrong(outcomes, passed) -> None:
    made = trial(**outcomes)
    assert made.passed is passed
    assert made.to_dict()["passed"] is passed


def test_the_text_has_both_tables_what_was_missed_and_the_figures() -> None:
    made = trial(missed=1, elsewhere=1, alarms=1)
    text = "\n".join(made.text())
    assert max(map(len, made.table())) <= 80
    assert f"{'float32':40}    100       99     98     10      1" in text
    assert f"{'softmax':40}    100       99     98     10      1" in text
    for line in (
        "missed: softmax: no sum term, float32, scale 1: accepted",
        "missed: softmax: no sum term, float32, scale 1: blamed output for z",
        " 99.00% of the faults in functions are rejected (needed: 100%)",
        " 98.00% are blamed on exactly the gradients that are wrong (needed: 98%)",
        "      1 false alarms among 10 right functions (allowed: 0)",
        "false alarm: seed 0: Wrong.",
    ):
        assert line in text


@pytest.mark.parametrize(
    ("said", "rejected", "placed"),
    [
        (report(False, "gradient of z"), True, True),
        (report(False, "gradient of x"), True, False),
        (report(False, "gradient of z", "output"), True, False),
        (report(False), True, False),
        (report(True), False, False),
    ],
    ids=["right place", "another", "one more", "nobody", "accepted"],
)
def test_a_fault_is_placed_where_exactly_the_wrong_gradients_are_blamed(said, rejected, placed, monkeypatch) -> None:
    monkeypatch.setattr(of_functions, "checked", lambda *_: said)
    outcome = try_planted(KINDS["softmax"], "no sum term", torch.float32)
    assert (outcome.expected, outcome.rejected, outcome.placed) == (("z",), rejected, placed)


def test_each_tensor_of_a_container_counts(monkeypatch) -> None:
    kind, fault = KINDS["layers with a list of weights"], "gradients in reverse"
    names = [f"gradient of weights[{i}]" for i in (0, 2)]
    monkeypatch.setattr(of_functions, "checked", lambda *_: report(False, *names))
    outcome = try_planted(kind, fault, torch.float64)
    assert (outcome.expected, outcome.placed) == (("weights", "weights"), True)
    monkeypatch.setattr(of_functions, "checked", lambda *_: report(False, names[0]))
    assert not try_planted(kind, fault, torch.float64).placed


@pytest.mark.parametrize("quantity", ["gradient of p", "gradient of p['w']", "gradient of p.w", "gradient of p[0][1]"])
def test_a_row_of_a_container_is_of_its_argument(quantity: str) -> None:
    assert argument_of(quantity) == "p"


def test_a_changed_input_is_placed_where_it_is_rejected(monkeypatch) -> None:
    monkeypatch.setattr(of_functions, "checked", lambda *_: report(False, "output"))
    outcome = try_planted(KINDS["linear that writes in place"], "input changed", torch.float32)
    assert outcome.placed


def test_a_fault_that_float64_does_not_show_counts_neither_way(monkeypatch) -> None:
    monkeypatch.setattr(of_functions, "wrong_gradients", lambda *_: ())
    made = try_functions([("softmax", "no sum term", torch.float32, 1.0)], [])
    assert made.faults == ()
    assert made.unseen == ("softmax, no sum term, float32, scale 1",)


def test_a_checker_that_raises_has_accepted_nothing(monkeypatch) -> None:
    def raising(*_):
        raise ValueError("no\nmore")

    monkeypatch.setattr(of_functions, "checked", raising)
    assert not (fault := try_planted(KINDS["softmax"], "no sum term", torch.float32)).placed
    assert (fault.rejected, fault.said) == (True, "ValueError: no")
    made = try_functions([], range(2))
    assert [o.alarm for o in made.alarms] == ["ValueError: no"] * 2


def test_what_keeps_something_is_made_anew_for_the_checker(monkeypatch) -> None:
    kind = KINDS["linear that keeps something"]
    made = []
    monkeypatch.setattr(of_functions, "checked", lambda _, backward, inputs: made.append(backward) or report(True))
    for _ in range(2):
        try_planted(kind, "gradient never set to zero", torch.float32)
    first, second = made
    d, (x, w) = torch.ones(6, 4), kind.draw(of_functions.random_function(0)[1])
    d = torch.ones(len(x), 4, dtype=x.dtype)
    assert torch.equal(first(d, x, w)[1], second(d, x, w)[1])


@pytest.mark.parametrize("name", ["softmax", "linear that keeps something", "clamp"])
def test_the_checker_is_asked_as_the_kind_is_written(name: str, monkeypatch) -> None:
    asked = []
    for check in ("check_function", "check_autograd_function"):
        monkeypatch.setattr(of_functions, check, lambda *_, check=check, **options: asked.append((check, options)))
    kind = KINDS[name]
    of_functions.checked(kind, kind.backward, [])
    ((check, options),) = asked
    assert check == ("check_autograd_function" if kind.as_function else "check_function")
    assert options["differences"] is kind.differences


@pytest.mark.parametrize("functions", [trial(), trial(missed=1)], ids=["good", "missed"])
def test_the_command_passes_where_networks_and_functions_pass(functions, monkeypatch, tmp_path, capsys) -> None:
    asked, networks = [], []
    monkeypatch.setattr(
        "torch_ref.trial.trial.run_trial", lambda _, correct, *__: networks.append(correct) or Trial((), 0, ())
    )
    monkeypatch.setattr(Trial, "share", lambda *_: 1.0)
    monkeypatch.setattr(
        of_functions, "try_functions", lambda plan, right, *_: asked.append((len(plan), len(right))) or functions
    )
    monkeypatch.setattr(of_programs, "try_programs", lambda *_: of_programs.ProgramTrial(()))
    path = tmp_path / "trial.json"
    assert main(["faults", "--processes", "1", "--json", str(path)]) == (0 if functions.passed else 1)
    assert "right functions (allowed: 0)" in capsys.readouterr().out
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["passed"] is written["functions"]["passed"] is functions.passed
    assert written["functions"]["right_functions"] == 10
    main(["faults", "--processes", "1", "--all"])
    main(["faults", "--processes", "1", "--functions", "7"])
    main(["faults", "--processes", "1", "--family", "norms", "--functions", "4"])
    (quick, a), (whole, b), (_, c), (few, d) = asked
    assert (0 < few < quick, d) == (True, 4)
    assert (a, b, c) == (300, 2500, 7)
    assert networks[:2] == [300, 500]
    assert whole > 6 * quick


def test_the_right_functions_of_a_family_are_of_its_kinds_in_turn() -> None:
    seeds = of_functions.right_seeds(9, "norms")
    kinds = [of_functions.random_function(seed)[0] for seed in seeds]
    assert len(set(seeds)) == 9
    assert {kind.family for kind in kinds} == {"norms"}
    assert len({kind.name for kind in kinds}) == min(9, sum(kind.family == "norms" for kind in KINDS.values()))
    assert of_functions.right_seeds(300) == list(range(300))


def test_a_family_that_there_is_not_is_named_with_those_that_there_are(capsys) -> None:
    assert main(["faults", "--processes", "1", "--family", "soft"]) == 2
    assert "--family expects one of activations, " in capsys.readouterr().err
