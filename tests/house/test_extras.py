"""The package works with torch, numpy and rich alone; where an extra is missing, one line says which to install."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from places import ROOT

import manual_bp
from manual_bp.extras import EXTRAS, exit_without, missing

IMPORTED_AS = {"pillow": "PIL"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def names(requirements: list[str]) -> set[str]:
    """Return what Python imports of some requirements."""
    found = {re.match(r"[\w-]+", requirement)[0] for requirement in requirements}
    return {IMPORTED_AS.get(name, name) for name in found}


def test_the_core_needs_three_packages() -> None:
    assert names(PROJECT["dependencies"]) == {"torch", "numpy", "rich"}


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_has_the_packages_that_pip_installs_with_it(extra: str) -> None:
    assert names(PROJECT["optional-dependencies"][extra]) == set(EXTRAS[extra])


def test_all_has_every_extra_of_the_commands() -> None:
    (everything,) = PROJECT["optional-dependencies"]["all"]
    assert set(re.search(r"\[(.*)\]", everything)[1].split(",")) == set(EXTRAS)


# ---------------------------------------------------------------------------------- without any package of an extra


@pytest.fixture(scope="module")
def without_extras(tmp_path_factory: pytest.TempPathFactory):
    """Return what starts Python, and all that it starts, where no package of an extra can be imported."""
    folder = tmp_path_factory.mktemp("core")
    absent = sorted({name for packages in EXTRAS.values() for name in packages})
    (folder / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({absent}))\n")
    environment = {"PYTHONPATH": f"{folder}:{ROOT}", "PATH": "/usr/bin:/bin", "HOME": str(folder)}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *words]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=120, cwd=folder, env=environment, check=False
        )

    return run


def test_the_packages_are_hidden(without_extras) -> None:
    for name in ("matplotlib", "PIL", "latex2mathml"):
        assert f"import of {name} halted" in without_extras("-c", f"import {name}").stderr


PUBLIC = """
import torch, manual_bp, torch_ref, torch_ref.pytest_plugin
from manual_bp import *
from torch_ref import *
network, x, t = mlp([3, 4, 2]), torch.rand(5, 3), torch.rand(5, 2)
assert torch_ref.crosscheck(network, x, t).ok
assert torch_ref.check_layer(Sigmoid(), x, torch.sigmoid).ok
assert torch_ref.check_module(network, torch_ref.mirror(network)[0], x=x, t=t).ok
assert torch_ref.check_function(lambda x: (x * x, x), lambda e, x: 2 * e * x, [x], reference=lambda x: x * x).ok
import torch_ref.trial.trial, torch_ref.known.faults, manual_bp.training.images.data
import manual_bp.training.command.networks, manual_bp.training.engine.parallel, manual_bp.training.engine.step
import manual_bp.training.images.batches, manual_bp.training.run.evaluation, manual_bp.training.run.whole_file
print(manual_bp.training.images.data.mnist5k()[0].pixels.shape)
"""


@pytest.mark.long
def test_everything_public_and_the_digits(without_extras) -> None:
    outcome = without_extras("-c", PUBLIC)
    assert (outcome.stdout, outcome.stderr) == ("torch.Size([4000, 28, 28])\n", "")


@pytest.mark.long
def test_grade(without_extras, tmp_path: Path) -> None:
    """The grader runs a student's file in a process of its own, which has no extras either."""
    file = tmp_path / "student.py"
    file.write_text(
        "import torch\n\n\nclass Sigmoid:\n    def forward(self, net):\n        x = 1 / (1 + torch.exp(-net))\n"
        "        return x, x\n\n    def backward(self, error, x):\n        return error * (1 - x) * x, {}\n"
    )
    outcome = without_extras("-m", "torch_ref", "grade", str(file), "--seed", "1", "--only", "Sigmoid")
    assert "1 of 6 classes found" in outcome.stdout
    assert "2 of 2 points" in outcome.stdout


@pytest.mark.parametrize("command", ["lesson", "train"])
def test_what_needs_an_extra_says_so_in_one_line(without_extras, command: str) -> None:
    outcome = without_extras("-m", "torch_ref", command)
    assert (outcome.returncode, outcome.stdout) == (2, "")
    packages = "filelock, matplotlib, msgspec, PIL are" if command == "train" else "latex2mathml is"
    assert outcome.stderr.endswith(f": {packages} not installed: pip install 'manual-bp[{command}]'\n")
    assert outcome.stderr.count("\n") == 1


# --------------------------------------------------------------------------------------------- where all is installed


def test_what_is_installed_is_not_missing(capsys: pytest.CaptureFixture[str]) -> None:
    for extra in EXTRAS:
        exit_without(extra, "program")
    assert [missing(extra) for extra in EXTRAS] == [""] * len(EXTRAS)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("option", "package", "extra"),
    [
        (("--dataset", "mnist"), "torchvision", f"manual-bp[datasets]' 'torch=={torch.__version__.partition('+')[0]}"),
        (("--tensorboard", "--out-dir", "run"), "tensorboard", "manual-bp[tensorboard]"),
    ],
)
def test_an_option_of_train_that_needs_an_extra(inside, monkeypatch, option, package: str, extra: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    code, out, errors = inside(*option)
    assert (code, out) == (2, "")
    expected = f"train.py: error: argument {option[0]}: {package} is not installed: pip install '{extra}'\n"
    assert errors == expected


# ------------------------------------------------------------------------------------------------------- the commands


@pytest.mark.long
def test_help_and_version(without_extras) -> None:
    for arguments in (("--help",), ("compare", "--help"), ("grade", "--help"), ("faults", "--help")):
        outcome = without_extras("-X", "importtime", "-m", "torch_ref", *arguments)
        assert outcome.returncode == 0
        assert not re.search(r"\| +torch\n", outcome.stderr)
    outcome = without_extras("-m", "torch_ref", "--version")
    assert outcome.stdout == f"manual-bp {manual_bp.__version__}, torch {torch.__version__}\n"
