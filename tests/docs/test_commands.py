"""Every command on a page can be typed as it stands; where a page shows what it prints, it prints that.

A command without its output is not carried out to the end: `train.py` makes a dry run of the digits that come along,
and of the others the arguments are read.
"""

from __future__ import annotations

import doctest
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from documents import PAGES, Block, blocks, code_spans, name_of
from places import ROOT

from torch_ref import __main__ as reference

BEGINNINGS = ("python -m torch_ref", "python train.py", "python -m benchmarks", "python tests/", "pip install")


def commands(block: Block) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block with what it prints."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield command, printed


def typed(page: Path) -> list[str]:
    """Return the commands of a page that show no output: those of bash blocks, and those in running text."""
    lines = [line for block in blocks(page, "bash") for line in block.text.replace("\\\n", " ").splitlines()]
    spans = [span for span in code_spans(page) if span.startswith(BEGINNINGS) and "..." not in span]
    return [command for line in [*lines, *spans] if (command := re.sub(r"(^|\s)# .*", "", line).strip())]


SHOWN = [
    pytest.param(command, printed, id=f"{name_of(page)}: {command}")
    for page in PAGES
    for block in blocks(page, "console")
    for command, printed in commands(block)
]
TYPED = [pytest.param(command, id=f"{name_of(page)}: {command}") for page in PAGES for command in typed(page)]


@pytest.fixture
def called(capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """Run `python -m torch_ref` in this process; return what it printed."""

    def call(command: str) -> str:
        words = shlex.split(command)
        assert words[:3] == ["python", "-m", "torch_ref"], f"a console block expects python -m torch_ref, got {command}"
        reference.main(words[3:])
        return capsys.readouterr().out

    return call


@pytest.mark.parametrize(("command", "printed"), SHOWN)
def test_a_command_prints_what_the_page_shows(
    command: str, printed: str, called, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    found = called(command)
    assert doctest.OutputChecker().check_output(printed, found, doctest.ELLIPSIS), found


@pytest.mark.parametrize("command", TYPED)
def test_a_command_can_be_typed_as_it_stands(command: str, inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    words = shlex.split(command)
    for program, check in KNOWN.items():
        start = program.split()
        if words[: len(start)] == start:
            check(words[len(start) :], inside, monkeypatch)
            return
    pytest.fail(f"no test knows the command {command}")


def reads_arguments(words: list[str], inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `python -m torch_ref` read its arguments, and carry nothing out."""
    words = words[: words.index(">")] if ">" in words else words
    for command in reference.COMMANDS:
        monkeypatch.setattr(command, "run", lambda arguments: 0)
    assert reference.main(words) == 0


def dry_run(words: list[str], inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `train.py` do everything but train; a run that the page has made before stands in nobody's way here."""
    if words[:1] == ["predict"]:
        assert inside("predict", "--help")[0] == 0
        return
    words = list(words)
    for option in ("--resume", "--config", "--dataset", "--data-root", "--test-dataset", "--test-root", "--out-dir"):
        if option in words:
            at = words.index(option)
            del words[at : at + 2]
    words = [word for word in words if word not in ("--download", "--eval-only", "--tensorboard")]
    code, _, err = inside(*words, "--dry-run", "--threads", "1")
    assert code == 0, err


def benchmark_arguments(words: list[str], inside, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.__main__ import arguments

    assert arguments(words)


def names_a_file(words: list[str], inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script or a test file has to be there; a folder for pictures is made."""
    words = words[: words.index("--screenshots")] if "--screenshots" in words else words
    assert all((ROOT / word).exists() for word in words if "/" in word and not word.startswith("-"))


def known_extras(words: list[str], inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `pip install` names in brackets has to be an extra of pyproject.toml."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named = {name for word in words for inner in re.findall(r"\[(.+)\]", word) for name in inner.split(",")}
    assert named <= set(extras), named - set(extras)


def anything(words: list[str], inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to look at."""


KNOWN = {
    "python -m torch_ref": reads_arguments,
    "python -m benchmarks": benchmark_arguments,
    "python -m pytest": names_a_file,
    "python train.py": dry_run,
    "torchrun --standalone --nproc-per-node=2 train.py": dry_run,
    "python": names_a_file,
    "pip install": known_extras,
    ".ci/run": names_a_file,
    "ruff": anything,
    "mypy": anything,
    "source .venv/bin/activate": anything,
    "tensorboard": anything,
    "jupyter notebook": names_a_file,
}
"""The programs that a page may name, the more special one first, and how each is tried."""
