"""The README is one screen for everybody: set up and run, the notation, a verdict, and a door for each reader."""

import re

from places import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
DOORS = ("I learn or teach it", "I check my own backward", "I train", "I add a layer")


def commands(kind: str) -> list[str]:
    """Return the commands of all blocks of this kind that hold nothing but lines of commands."""
    found = re.findall(rf"^```{kind}\n(.+?)\n```$", README, flags=re.MULTILINE | re.DOTALL)
    return [line for block in found for line in block.splitlines()]


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 120


def test_there_are_two_commands_to_set_up() -> None:
    """`.ci/run` runs them as they stand here."""
    assert len(re.findall(r"^```sh\n.+\n```$", README, flags=re.MULTILINE)) == 2


def test_one_sets_up_and_trains_and_the_other_tests() -> None:
    train, test = commands("sh")
    assert train.endswith(".venv/bin/python train.py")
    assert test.endswith(".venv/bin/python -m pytest -n auto --dist worksteal")


def test_windows_does_the_same() -> None:
    """The same words after the names that differ: the launcher, the folder of programs, the separator."""
    there = [
        line.replace("python3 ", "py -3 ").replace(".venv/bin/", ".venv\\Scripts\\").replace(" &&", ";")
        for line in commands("sh")
    ]
    assert commands("powershell") == there


def test_there_is_a_door_for_each_reader_with_a_page_behind_it() -> None:
    for door in DOORS:
        (row,) = [line for line in README.splitlines() if line.startswith(f"| **{door}** |")]
        assert "](docs/" in row
