"""Which tests reach a mutant: the marks in a source, what they tell, and the tests that are chosen by it."""

import ast
import builtins
from types import SimpleNamespace

import pytest
from mutation.by_reach import FEW, ByReach
from mutation.mutant import Mutant
from mutation.planting import InOrder
from mutation.reach import MARK, Reached, marked, spans
from mutation.targets import TARGETS

SOURCE = '''\
LIMIT = 3
KEPT = list(range(2))


class Judge:
    most: int = 4

    def judged(self, a, b=5):
        """Tell 1 from 2."""
        if a > LIMIT:
            a = 1
        elif a > b:
            a = 2
        else:
            a = 3
        try:
            return a
        finally:
            self.most = 0


def other():
    return [n for n in KEPT
            if n]
'''


def test_every_block_of_a_function_has_a_mark_and_no_line_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(builtins, MARK, lambda block: seen.append(block[1]), raising=False)
    names: dict = {}
    exec(compile(marked("a.py", SOURCE), "a.py", "exec"), names)
    assert seen == []  # what is done when the file is imported belongs to no test
    assert [names["Judge"]().judged(a) for a in (9, 1)] == [1, 3]
    assert seen == [9, 11, 17, 19, 9, 12, 15, 17, 19]
    assert names["Judge"].judged.__doc__ == "Tell 1 from 2."
    assert names["Judge"].judged.__code__.co_firstlineno == 8
    names["other"]()
    assert seen[-1] == 23


def test_the_span_of_a_block_is_its_lines_and_that_of_a_function_has_its_head() -> None:
    found = {(span.block[1], span.first, span.last) for span in spans("a.py", SOURCE)}
    assert found == {
        (9, 8, 19),
        (11, 11, 11),
        (12, 12, 15),
        (13, 13, 13),
        (15, 15, 15),
        (17, 17, 17),
        (19, 19, 19),
        (23, 22, 24),
    }


USED = "def used():\n    return LIMIT\n"
SOURCES = {
    "a.py": SOURCE,
    "rooms/b.py": f"from house.a import (\n    KEPT,\n    LIMIT,\n)\n{USED}",
    "c.py": f"from house.other import LIMIT\n{USED}",  # another of that name
}


class Target:
    """A package of some files that a test makes up."""

    @staticmethod
    def source(file: str) -> str:
        return SOURCES[file]


@pytest.mark.parametrize(
    ("line", "blocks"),
    [
        (8, {9}),  # a default
        (10, {9}),
        (11, {11}),
        (12, {12}),  # asked where the first condition does not hold
        (13, {13}),
        (24, {23}),
        (1, {9}),  # who names the limit
        (2, {23}),
        (6, {9, 19}),
    ],
)
def test_a_mutant_stands_in_the_least_block_or_in_those_that_name_what_it_sets(line: int, blocks: set[int]) -> None:
    judge = ByReach(Target, ("a.py",), 1)
    assert {block[1] for block in judge._blocks(Mutant("a.py", line, "f", "x -> y", SOURCE))} == blocks


def test_what_a_line_sets_is_reached_where_it_is_imported_and_not_where_another_has_its_name() -> None:
    judge = ByReach(Target, tuple(SOURCES), 1)
    assert judge._blocks(Mutant("a.py", 1, "", "3 -> 4", SOURCE)) == [("a.py", 9), ("rooms/b.py", 6)]


def test_the_quickest_and_narrowest_tests_come_first() -> None:
    found = Reached({("a", 1): {"wide", "slow", "quick"}, ("a", 2): {"wide"}}, {"wide": 0.1, "slow": 0.5, "quick": 0.1})
    assert sorted(found.tests["a", 1], key=found.cost) == ["quick", "wide", "slow"]
    both = found + Reached({("a", 1): {"new"}, ("b", 1): {"new"}}, {"new": 0.1})
    assert both.tests["a", 1] == {"wide", "slow", "quick", "new"}
    assert both.seconds["new"] == 0.1
    assert FEW > 1


def test_the_named_tests_run_in_the_order_of_their_names_and_no_others() -> None:
    items = [SimpleNamespace(nodeid=f"t.py::{name}") for name in ("a", "b", "c")]
    left_out: list[str] = []
    hook = SimpleNamespace(pytest_deselected=lambda items: left_out.extend(item.nodeid for item in items))
    InOrder(["t.py::c", "t.py::a"]).pytest_collection_modifyitems(SimpleNamespace(hook=hook), items)
    assert [item.nodeid for item in items] == ["t.py::c", "t.py::a"]
    assert left_out == ["t.py::b"]


def test_marks_are_calls_of_a_name_that_no_source_has() -> None:
    for target in TARGETS.values():
        for file in target.files:
            assert MARK not in target.source(file)
    assert ast.unparse(marked("a.py", "LIMIT = 3")) == "LIMIT = 3"
