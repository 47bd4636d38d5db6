"""torchvision.datasets can be imported beside any build of torch, and no other error of the import is hidden."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manual_bp.training.images.datasets import vision
from manual_bp.training.images.datasets.vision import torchvision_datasets

FRESH = """
from manual_bp.training.images.datasets import vision
names = [vision.torchvision_datasets().MNIST.__name__, vision.torchvision_datasets().USPS.__name__]
import torchvision
print(*names, torchvision.datasets is vision.torchvision_datasets())
"""


def is_torchvision(module: str) -> bool:
    return module.partition(".")[0] == "torchvision"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Put a torchvision of one's own in the place of the installed one, its __init__.py given."""
    installed = {name: sys.modules.pop(name) for name in list(sys.modules) if is_torchvision(name)}
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(vision, "declared", set())

    def write(source: str) -> None:
        (tmp_path / "torchvision").mkdir()
        (tmp_path / "torchvision/__init__.py").write_text(f"from torchvision import begun\n{source}\n")
        log = f"with open({str(tmp_path / 'log')!r}, 'a') as log:\n    log.write('begun\\n')\n"
        (tmp_path / "torchvision/begun.py").write_text(log)
        (tmp_path / "torchvision/datasets.py").write_text("import torchvision.begun")

    yield write
    for name in list(sys.modules):
        if is_torchvision(name):
            del sys.modules[name]
    sys.modules.update(installed)


def describing(*operators: str) -> str:
    """Return a source that describes operators to torch, as torchvision does, and fails for one that is missing."""
    lines = [f"torch.library.register_fake('torchvision::{operator}')(lambda: None)" for operator in operators]
    return "\n".join(("import torch", *lines))


@pytest.mark.long
def test_the_installed_torchvision_is_imported_in_a_fresh_process() -> None:
    command = [sys.executable, "-W", "error", "-c", FRESH]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (outcome.stdout, outcome.stderr) == ("MNIST USPS True\n", "")


def test_each_operator_that_is_missing_is_declared_and_the_import_begun_anew(package, tmp_path: Path) -> None:
    package(describing("missing_one", "missing_two"))
    assert torchvision_datasets().__file__ == str(tmp_path / "torchvision/datasets.py")
    assert vision.declared == {"missing_one", "missing_two"}
    assert (tmp_path / "log").read_text() == "begun\n" * 3


def test_an_import_that_works_is_left_alone(package, tmp_path: Path) -> None:
    package("")
    assert torchvision_datasets() is torchvision_datasets()
    assert vision.declared == set()
    assert (tmp_path / "log").read_text() == "begun\n"


@pytest.mark.parametrize(
    "message",
    [
        "operator torchvision::nms is broken",
        "operator torchaudio::nms does not exist",
        "no operator torchvision::nms does not exist",
        "operator torchvision::nms does not exist in this build",
    ],
)
def test_another_error_comes_through(package, message: str, tmp_path: Path) -> None:
    package(f"raise RuntimeError({message!r})")
    with pytest.raises(RuntimeError) as raised:
        torchvision_datasets()
    assert str(raised.value) == message
    assert vision.declared == set()
    assert (tmp_path / "log").read_text() == "begun\n"


def test_an_operator_that_stays_missing_is_declared_once(package) -> None:
    package("raise RuntimeError('operator torchvision::stays_missing does not exist')")
    with pytest.raises(RuntimeError, match="operator torchvision::stays_missing does not exist"):
        torchvision_datasets()
    assert vision.declared == {"stays_missing"}


def test_other_kinds_of_errors_come_through(package) -> None:
    package("import nowhere_to_be_found")
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"):
        torchvision_datasets()
