"""What the README shows is what happens."""

import doctest
import re

from places import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_example_prints_what_the_readme_says() -> None:
    outcome = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert outcome.attempted > 25
    assert outcome.failed == 0


def test_there_are_two_commands_to_set_up() -> None:
    """`.ci/run` runs them as they stand here."""
    assert len(re.findall(r"^```sh\n.+\n```$", README, flags=re.MULTILINE)) == 2


def test_every_formula_names_code_that_exists() -> None:
    import manual_bp

    table = README.split("## The formulas")[1].split("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("|")]
    names = re.findall(r"`(\w+)(?:\.(\w+))?`", "\n".join(rows))
    assert len(names) > 14
    for owner, method in names:
        if owner != "layer":
            assert hasattr(getattr(manual_bp, owner), method or "forward"), f"{owner}.{method}"
    equations = {int(n) for n in re.findall(r"E(\d+)", table)}
    assert equations == set(range(1, 18))
