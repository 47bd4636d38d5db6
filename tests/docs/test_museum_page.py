"""The museum's table on the page about checking is that of the exhibits, and its sums are right."""

import re

from documents import text_of
from museum.exhibit import exhibits
from museum.table import MISSES, SHORT, TELLS
from places import ROOT

PAGE = text_of(ROOT / "docs" / "checking.md")
PART = PAGE[PAGE.index("## A museum of real mistakes") :]
ROWS = re.findall(r"^\| \[(.+?)\]\[(\d+)\] \|(.+)\|$", PART, flags=re.MULTILINE)
LINKS = dict(re.findall(r"^\[(\w+)\]: (\S+)$", PART, flags=re.MULTILINE))


def marks(cells: str) -> list[str]:
    return [cell.strip() for cell in cells.split("|")]


def test_the_rows_are_the_exhibits_with_their_sources() -> None:
    shown = [(s.card.title, s.card.source) for s in exhibits()]
    assert [(title, LINKS[number]) for title, number, _ in ROWS] == shown, "python tests/museum/table.py --markdown"
    assert f"has {len(shown)} gradient mistakes" in PART


def test_the_last_row_counts_them() -> None:
    (sums,) = re.findall(rf"^\| \*\*of {len(ROWS)}\*\* \|(.+)\|$", PART, flags=re.MULTILINE)
    columns = zip(*(marks(cells) for _, _, cells in ROWS), strict=True)
    assert marks(sums) == [str(column.count(TELLS)) for column in columns]


def test_what_the_checker_finds_is_what_its_test_asks() -> None:
    found = {title: marks(cells)[:2] for title, _, cells in ROWS}
    for shown in exhibits():
        assert found[shown.card.title] == ([MISSES] * 2 if shown.card.not_yet else [TELLS] * 2), shown.name


def test_each_criterion_is_explained_and_has_its_source() -> None:
    for short in SHORT:
        (line,) = re.findall(rf"^\| {short} \|.+\|$", PART, flags=re.MULTILINE)
        assert f"[{short.lower()}]" in line or "this page" in line
        assert short in ("F", "P") or LINKS[short.lower()].startswith("https://")
