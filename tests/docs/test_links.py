"""Links, anchors, pictures and the files that a page names lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from documents import KINDS, PAGES, anchors, blocks, code_spans, links, name_of, text_of
from places import ROOT

MADE_BY_A_RUN = {
    "config.json", "metrics.jsonl", "last.pt", "best.pt", "curves.png", "confusion.png", "mistakes.png",
    "distorted.png", "photo.png", "student.py", "missing_slope.py", "lesson.html", "test_mine.py",
    "bench-1280-light.png", "mine.py", "mlp.py", "manual_bp/NAME.py", "docs/NAME.md", "points.json", "results.json",
    "marks/index.html",
}  # fmt: skip
"""Names of files that a reader makes, or puts in the place of NAME."""

every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


@every_page
def test_every_link_leads_to_a_page_a_file_or_a_heading(page: Path) -> None:
    for address in links(page):
        if re.match(r"https?://|mailto:", address):
            continue
        path, _, anchor = address.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name_of(page)} links to {address}"
        if anchor:
            assert anchor in anchors(target), f"{name_of(page)} links to {address}; there are {anchors(target)}"


@every_page
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    for span in code_spans(page):
        if span in MADE_BY_A_RUN or not re.fullmatch(r"[\w./-]+\.(?:py|md|js|json|toml|txt|png|html|ipynb)", span):
            continue
        homes = [ROOT / span, page.parent / span, ROOT / "manual_bp" / span]
        assert any(home.is_file() for home in homes), f"{name_of(page)} names {span}"


@every_page
def test_every_block_says_what_it_is(page: Path) -> None:
    assert {block.kind for block in blocks(page)} <= KINDS


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, left = set(), [ROOT / "README.md"]
    while left:
        page = left.pop()
        if page in reached:
            continue
        reached.add(page)
        targets = [(page.parent / address.partition("#")[0]).resolve() for address in links(page) if ":" not in address]
        left += [target for target in targets if target in PAGES]
    assert reached == set(PAGES)


def test_nothing_is_said_twice() -> None:
    """A long line of text stands on one page only; tables have their own heads again."""
    seen: dict[str, str] = {}
    for page in PAGES:
        text = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
        for paragraph in re.split(r"\n\s*\n", text):
            for sentence in re.split(r"(?<=[.:])\s+", " ".join(paragraph.split())):
                if len(sentence) > 60:
                    assert sentence not in seen, f"{name_of(page)} and {seen[sentence]}: {sentence}"
                    seen[sentence] = name_of(page)
