"""Every cause has a code, every code an entry in the documentation."""

import ast
import io
import re
import runpy
import sys
from collections.abc import Iterator

import pytest
from places import ROOT

from torch_ref.known import FAULTS, codes
from torch_ref.known.document import document

MENDS = "mends.py", "mends_of_slices.py", "mends_of_statements.py", "other_values.py"
"""Files in which a code stands beside the change that undoes the mistake."""

GIVE_A_CODE = ("Candidate", "Addition", "Cause", "Failure")


def written() -> Iterator[str]:
    """Yield every code that stands in the source: in a cause, a failure, a fault, or a mark of the grader."""
    for path in (ROOT / "torch_ref").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                (path.parent.name == "causes" or path.name in MENDS)
                and isinstance(node, ast.Constant)
                and isinstance(node.value, str)
            ):
                yield from re.findall(r"^[a-z]+(?:-[a-z]+)+$", node.value)
            if not isinstance(node, ast.Call):
                continue
            if (
                isinstance(node.func, ast.Name)
                and node.func.id in GIVE_A_CODE
                and node.args
                and not isinstance(node.args[0], ast.Starred)
            ):
                yield from (part.value for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant))
            yield from (k.value.value for k in node.keywords if k.arg == "code" and isinstance(k.value, ast.Constant))
    yield from (fault.code for fault in FAULTS.values())


def test_every_code_that_a_cause_can_have_has_an_entry_and_the_other_way_round() -> None:
    layouts = {"wrong-for-layout", "wrong-for-choice", "stale-buffer"}  # handed on as a variable
    assert set(written()) | layouts == set(codes.CODES)


def test_codes_are_kebab_case_and_each_is_in_one_group() -> None:
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes.CODES)
    assert sum(map(len, codes.GROUPS.values())) == len(codes.CODES)


@pytest.mark.parametrize("code", codes.CODES.values(), ids=codes.CODES)
def test_an_entry_says_what_it_means_and_how_to_mend_it(code) -> None:
    assert code.meaning.endswith((".", "..."))
    assert code.mend.endswith(".")


def test_the_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "causes.md").read_text(encoding="utf-8")
    assert page == document(), "python -m torch_ref.known.document > docs/causes.md"


def test_the_documented_command_prints_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``python -m`` runs it, into a file where a stream would else have no letters but those of ASCII."""
    printed = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", printed)
    monkeypatch.delitem(sys.modules, "torch_ref.known.document")
    runpy.run_module("torch_ref.known.document", run_name="__main__")
    printed.flush()
    assert printed.buffer.getvalue().decode("utf-8") == document()
