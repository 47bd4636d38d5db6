"""Every example in Python on a page runs, and prints what stands there."""

from __future__ import annotations

import doctest
from collections.abc import Iterator
from pathlib import Path

import pytest
from documents import PAGES, Block, blocks, name_of
from places import ROOT

WITH_EXAMPLES = [page for page in PAGES if blocks(page, "pycon")]


def examples(block: Block) -> list[doctest.Example]:
    """Return the examples of a block; an empty line inside what is printed belongs to it."""
    lines = block.text.splitlines()
    for i in range(1, len(lines) - 1):
        if not lines[i] and not lines[i + 1].startswith(">>>"):
            lines[i] = "<BLANKLINE>"
    found = doctest.DocTestParser().get_examples("\n".join(lines) + "\n")
    for example in found:
        example.lineno += block.line - 1
    return found


def failures(page: Path) -> tuple[int, list[str]]:
    """Run the examples of a page, one after the other; return how many there are, and what went wrong."""
    found = [example for block in blocks(page, "pycon") for example in examples(block)]
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
    runner.run(doctest.DocTest(found, {"__name__": "page"}, name_of(page), str(page), 0, None), out=said.append)
    return len(found), said


@pytest.fixture(autouse=True)
def known_before() -> Iterator[None]:
    """A page may register a layer with the checker; after the page nobody knows it."""
    from torch_ref.known import FAULTS, KNOWN, codes  # not above: what cannot be imported must fail a test

    tables = KNOWN, FAULTS, codes.CODES
    before = [dict(table) for table in tables]
    yield
    for table, content in zip(tables, before, strict=True):
        table.clear()
        table.update(content)


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=name_of)
def test_every_example_prints_what_the_page_says(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    count, said = failures(page)
    assert count > 0
    assert not said, "".join(said)


def test_an_example_that_prints_something_else_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    monkeypatch.setattr("test_examples.name_of", lambda page: page.name)
    right = "```pycon\n>>> print('a\\n\\nb')\na\n\nb\n\n>>> 1 + 1\n2\n```\n"
    page.write_text(right, encoding="utf-8")
    assert failures(page) == (2, [])
    page.write_text(right.replace("\nb\n", "\nc\n").replace("\n2\n", "\n3\n"), encoding="utf-8")
    assert len(failures(page)[1]) == 2


def test_there_are_examples_for_every_reader() -> None:
    """Fewer examples than before would be a page that is no longer tested."""
    names = {name_of(page) for page in WITH_EXAMPLES}
    assert {"README.md", "docs/formulas.md", "docs/checking.md", "docs/lecture.md", "docs/extending.md"} <= names
    assert sum(len(examples(block)) for page in WITH_EXAMPLES for block in blocks(page, "pycon")) > 60
