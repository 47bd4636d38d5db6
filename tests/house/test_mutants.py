"""The mutants of the formulas: that there are some for each function, and that a run of them tells what it should."""

import re
import subprocess
import sys
from pathlib import Path

import mutants as script
import pytest
from mutation.functions import BESIDES, FILES, PACKAGE, functions
from mutation.mutant import Mutant, mutants

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


@every_file
def test_every_mutant_is_another_program(file: str) -> None:
    source = (PACKAGE / file).read_text(encoding="utf-8")
    for mutant in mutants(file):
        compile(mutant.source, file, "exec")
        assert spelled(mutant.source, mutant.line) != spelled(source, mutant.line), mutant.name


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


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, script.__file__, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_mutant_is_killed(tmp_path: Path) -> None:
    verdicts = tmp_path / "verdicts.json"
    key = "linear.py Linear.backward: error -> -error"
    outcome = run("--only", key, "--tests", "layers", "--json", str(verdicts))
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert "linear.py                1         1         0" in outcome.stdout
    assert "test_law_for_the_input[Linear]" in verdicts.read_text(encoding="utf-8")


def test_a_survivor_and_a_wrong_reason_are_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "EQUIVALENT", {"a.py f: x -> z": "reason", "a.py f: y -> z": "reason"})
    names = ["w -> z", "x -> z"]
    w, x = (Mutant("a.py", 1, "f", change, change) for change in names)
    assert script.faults([script.Fate(w, "a test")], whole=False) == []
    assert script.faults([script.Fate(x, None)], whole=False) == []
    assert script.faults([script.Fate(w, None)], whole=False) == ["survives: a.py:1 w -> z"]
    assert script.faults([script.Fate(x, "a test")], whole=True) == [
        "is killed, but listed as equivalent: a.py:1 x -> z",
        "listed as equivalent, but no mutant: a.py f: y -> z",
    ]
