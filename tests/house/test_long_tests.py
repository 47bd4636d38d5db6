"""Which long tests are in a run: those that are asked for, those of a file that is named, and the cases that stay."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import pytest_collection_modifyitems

HERE = Path(__file__).parent
FILE = HERE / "test_it.py"


class Case:
    """What the selection reads of a test."""

    path = FILE

    def __init__(self, name: str, *marks: pytest.MarkDecorator) -> None:
        self.name = self.nodeid = name
        self.originalname = name.partition("[")[0]
        self.own_markers = [each.mark for each in marks]

    def get_closest_marker(self, name: str) -> pytest.Mark | None:
        return next((mark for mark in self.own_markers if mark.name == name), None)


def run(items: list[Case], *words: str, long: bool = False) -> list[str]:
    """Return the names of the tests of a run, with a sign where a test is not marked long."""
    left_out: list[str] = []
    hook = SimpleNamespace(pytest_deselected=lambda items: left_out.extend(item.name for item in items))
    place = SimpleNamespace(dir=HERE)
    config = SimpleNamespace(args=words, hook=hook, invocation_params=place, getoption=lambda name: long)
    before = [item.name for item in items]
    pytest_collection_modifyitems(config, items)
    assert sorted([item.name for item in items] + left_out) == sorted(before)
    return [item.name + "+" * (not item.own_markers) for item in items]


def cases(*, but: object = ()) -> list[Case]:
    mark = pytest.mark.long(but=but) if but else pytest.mark.long
    return [Case("test_quick"), *(Case(f"test_many[{word}]", mark) for word in ("ReLU", "Tanh", "RNN", "Linear"))]


def test_they_are_left_out_unless_they_are_asked_for() -> None:
    assert run(cases(), "tests") == ["test_quick+"]
    assert len(run(cases(), "tests", long=True)) == 5


@pytest.mark.parametrize("word", ["test_it.py", "test_it.py::test_many", str(FILE)])
def test_a_file_that_is_named_runs_whole(word: str) -> None:
    assert len(run(cases(), word)) == 5


def test_of_many_cases_some_stay_and_are_long_no_more() -> None:
    quick = ["test_quick+", "test_many[Tanh]+", "test_many[Linear]+"]
    assert run(cases(but=2), "tests") == quick
    assert run(cases(but=("Tanh", "[Lin")), "tests") == quick
    assert run(cases(but=("[Lin",)), "tests", long=True)[1:] == [
        "test_many[ReLU]", "test_many[Tanh]", "test_many[RNN]", "test_many[Linear]+"
    ]  # fmt: skip


def test_a_part_of_an_id_that_no_case_has_is_named() -> None:
    with pytest.raises(pytest.UsageError, match=r"test_many\[ReLU\]: .* expects parts of the ids .*: \['Sinh'\]"):
        run(cases(but=("Tanh", "Sinh")), "tests")
    assert len(run(cases(but=("Sinh",)), "test_it.py::test_many[Tanh]")) == 5  # where a case is named others may lack
