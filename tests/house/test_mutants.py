"""The mutants: that there are some for each function, and that a run of them tells what it should."""

import argparse
import re
import subprocess
import sys
from pathlib import Path

import mutants as script
import pytest
from mutation.functions import BESIDES, FILES, PACKAGE, functions
from mutation.mutant import Mutant, change, mutants, mutants_of
from mutation.suite import parts_of_checker
from mutation.targets import TARGETS

every_file = pytest.mark.parametrize("file", FILES)


@every_file
def test_every_function_has_mutants_and_every_name_a_function(file: str) -> None:
    found = functions(file, (PACKAGE / file).read_text(encoding="utf-8"))
    assert {function.code.name for function in found} >= set(BESIDES.get(file, ()))
    assert {function.name for function in found} == {mutant.function for mutant in mutants(file)}


def test_the_files_that_compute_are_found() -> None:
    assert {"linear.py", "activation.py", "loss.py", "network.py", *BESIDES} <= set(FILES)
    assert "layer.py" not in FILES  # its protocols compute nothing


def test_a_new_layer_needs_no_table() -> None:
    source = "class Conv:\n" + "".join(f"    def {name}(self, x):\n        x = x\n        return x\n" for name in "ab")
    assert functions("convolution.py", source) == []
    source = source.replace("def a", "def forward").replace("def b", "def backward")
    assert [function.name for function in functions("convolution.py", source)] == ["Conv.forward", "Conv.backward"]


def spelled(source: str, line: int) -> list[str]:
    """Return the names, numbers and signs from a line on, without the parentheses that change nothing."""
    return re.findall(r"[^\s()]+", "\n".join(source.splitlines()[line - 1 :]))


@pytest.mark.long(but=("formulas-linear", "formulas-loss", "formulas-dropout", "checker-steps/buffers"))
@pytest.mark.parametrize(("of", "file"), [(of, file) for of, target in TARGETS.items() for file in target.files])
def test_every_mutant_is_another_program(of: str, file: str) -> None:
    """Of the thousands of the checker one in eight: what an operator does wrong, it does to many."""
    target = TARGETS[of]
    source = target.source(file)
    for mutant in mutants(file, target)[:: 8 if of == "checker" else 1]:
        compile(mutant.source, file, "exec")
        assert spelled(mutant.source, mutant.line) != spelled(source, mutant.line), mutant.name


@pytest.mark.long(but=("formulas",))
@pytest.mark.parametrize("name", TARGETS)
def test_every_reason_is_one_of_a_mutant(name: str) -> None:
    target = TARGETS[name]
    keys = {mutant.key for file in target.files for mutant in mutants(file, target)}
    assert script.faults([], target.equivalent, keys) == []


def test_the_operators_find_the_slips_of_the_pen() -> None:
    keys = {mutant.key for file in FILES for mutant in mutants(file)}
    assert keys >= {
        "linear.py Linear.backward: delta -> -delta",
        "linear.py Linear.gradients: -1 -> -1 * 1.0005",
        "linear.py Linear.gradients: 0 -> 1",
        "linear.py Linear.gradients: delta.t() -> delta",
        "activation.py Sigmoid.backward: saved -> error",
        "activation.py ReLU.forward: torch.clamp_min -> torch.clamp_max",
        "loss.py SquaredError.forward: torch.sub(t, y, out=difference) -> torch.sub(y, t, out=difference)",
        "loss.py SquaredError.forward: 2.0 -> 2.001",
        "loss.py _softmax: torch.amax -> torch.amin",
        "loss.py _scale: 1 / _samples(loss, rows) -> 1 * _samples(loss, rows)",
        "network.py Network.backward_by_layer: lowest -> lowest + 1",
        "network.py Network.backward_by_layer: i -> i - 1",
        "network.py Network.loss: trace.measured = True -> pass",
        "descent.py GradientDescent._move: theta.sub_ -> theta.add_",
        "descent.py GradientDescent._move: self.nesterov -> not (self.nesterov)",
        "initial.py random_linear: -bound -> bound",
    }


GUARDED = """
LIMIT = 1e-9

def judged(a, b: int = 2) -> bool:
    \"\"\"Tell 1 from 2.\"\"\"
    if a <= b and not a in b:
        raise ValueError(f"expected {1 + 1}")
    with torch.no_grad():
        b |= f(a, b, like=a.clone())
    try:
        g(max(a, b))
    except KeyError:
        raise
    return all(x for x in a if x)
"""


def test_the_operators_of_logic_find_each_slip_and_leave_texts_alone() -> None:
    target = TARGETS["checker"]
    found = [m for f in target.functions("a.py", GUARDED) for m in mutants_of(f, GUARDED, target.operators)]
    assert {mutant.key.removeprefix("a.py ") for mutant in found} == {
        "file: 1e-09 -> 1e-08",
        "file: 1e-09 -> 1e-10",
        "judged: 2 -> 3",
        "judged: a <= b and (not a in b) -> True",
        "judged: a <= b and (not a in b) -> False",
        "judged: a <= b and (not a in b) -> a <= b or not a in b",
        "judged: a <= b -> a > b",
        "judged: not a in b -> a in b",
        "judged: a in b -> a not in b",
        "judged: torch.no_grad() -> __import__('contextlib').nullcontext()",
        "judged: b |= f(a, b, like=a.clone()) -> pass",
        "judged: f(a, b, like=a.clone()) -> f(a, b)",
        "judged: f(a, b, like=a.clone()) -> f(a, like=a.clone())",
        "judged: f(a, b, like=a.clone()) -> f(b, a, like=a.clone())",
        "judged: a.clone() -> a",
        "judged: g(max(a, b)) -> pass",
        "judged: max(a, b) -> max(a)",
        "judged: max -> min",
        "judged: KeyError -> ()",
        "judged: raise -> pass",
        "judged: all((x for x in a if x)) -> True",
        "judged: all((x for x in a if x)) -> False",
        "judged: all -> any",
        "judged: x -> True",
        "judged: x -> False",
    }


@pytest.mark.long(but=("formulas",))
@pytest.mark.parametrize("name", TARGETS)
def test_every_mutant_has_a_key_of_its_own(name: str) -> None:
    target = TARGETS[name]
    keys = [mutant.key for file in target.files for mutant in mutants(file, target)]
    assert len(set(keys)) == len(keys)


def test_a_long_change_shows_what_differs() -> None:
    assert change("f(x)", "g(x)") == "f(x) -> g(x)"
    assert change("a" * 50 + "b" + "c" * 50, "a" * 50 + "d" + "c" * 50) == f"…{'a' * 30}b… -> …{'a' * 30}d…"


def test_the_checker_has_all_its_rooms_and_the_tests_of_a_room_come_first() -> None:
    target = TARGETS["checker"]
    assert {file.split("/")[0] for file in target.files} == {"numbers", "steps", "verdict", "check"}
    for file in target.files:
        first, others, users, last = parts_of_checker(file)
        assert {Path(test).parent.name for test in first} == {file.split("/")[0]}
        assert {Path(test).parent.name for test in others} >= {"known"}
        assert {Path(test).parent.name for test in users} == {"lines"}
        assert {Path(test).parent.name for test in last} >= {"trial"}


def test_one_sample_after_the_other_walks_through_all_mutants() -> None:
    every = [Mutant("a.py", line, "f", f"{line} -> 0", str(line)) for line in range(10)]
    walked = [script.sample(every, 4, number) for number in (7, 8, 9)]
    assert script.sample(every, 4, 7) == walked[0] != walked[1]
    assert walked[0] != every[:4], "the order is a mixed one"
    assert walked[0] == sorted(walked[0], key=lambda mutant: mutant.line)
    assert {mutant for part in walked for mutant in part} == set(every)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, script.__file__, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.long(but=("formulas",))
@pytest.mark.parametrize(
    ("of", "key", "tests", "row", "killer"),
    [
        (
            *("formulas", "linear.py Linear.backward: error -> -error"),
            *("layers::test_law_for_the_input", "linear.py", "input[Linear]"),
        ),
        ("checker", "blame.py _is_an_output: made in seen.step.outputs -> True", "blame", "verdict/blame.py", "case"),
    ],
)
def test_a_mutant_is_killed(tmp_path: Path, of: str, key: str, tests: str, row: str, killer: str) -> None:
    verdicts = tmp_path / "verdicts.json"
    outcome = run("--of", of, "--only", key, "--tests", tests, "--json", str(verdicts))
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert f"{row:28}         1         1         0" in outcome.stdout
    assert killer in verdicts.read_text(encoding="utf-8")


@pytest.mark.long
def test_a_mutant_that_is_not_what_ran_is_an_error() -> None:
    outcome = run("--only", "masks.py", "--sample", "1", "--tests", "readme")
    assert outcome.returncode == 1
    assert "masks.py is not planted: broken, it does not fail" in outcome.stderr


def test_a_sample_has_no_mutant_that_may_survive() -> None:
    every = [Mutant("a.py", line, "f", f"{line} -> 0", str(line)) for line in range(10)]
    given = argparse.Namespace(only=["a.py"], sample=10, number=3)
    assert script.chosen_of(given, every, {every[2].key}) == [*every[:2], *every[3:]]
    given = argparse.Namespace(only=["a.py:1", "a.py:4"], sample=None, number=3)
    assert script.chosen_of(given, every, {every[1].key}) == [every[1], every[4]]


def test_a_survivor_and_a_wrong_reason_are_faults() -> None:
    equivalent = {"a.py f: x -> z": "reason", "a.py f: y -> z": "reason"}
    w, x = (Mutant("a.py", 1, "f", change, change) for change in ("w -> z", "x -> z"))
    keys = {w.key, x.key, "a.py f: y -> z"}
    assert script.faults([script.Fate(w, "a test"), script.Fate(x, None, "reason")], equivalent, keys) == []
    assert script.faults([script.Fate(w, None)], equivalent, keys) == ["survives: a.py:1 w -> z"]
    assert script.faults([script.Fate(x, "a test", "reason")], equivalent, {w.key, x.key}) == [
        "is killed, but listed as equivalent: a.py:1 x -> z",
        "listed as equivalent, but no mutant: a.py f: y -> z",
    ]
