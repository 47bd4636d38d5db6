"""The pages for readers, and what stands in them: code blocks, commands, headings and links.

How a block of code is marked says how it is tested:

    pycon      an example in Python: runs, and prints what stands there (test_examples)
    console    `$ command` and what it prints: runs too (test_commands)
    bash       commands to type: their arguments are read, or their dry run is made (test_commands)
    sh         the two set-up commands of the README, which `.ci/run` runs
    powershell the same set-up for Windows
    python     a file to save, which the test of its page knows; on the page of causes, lines to read
    text, svg  shown only: long runs and drawings

In an example and in what a command prints, `...` stands for anything. An empty line is an empty line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from places import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
KINDS = {"pycon", "console", "bash", "sh", "powershell", "python", "text"}

_MARKDOWN = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True)
class Block:
    """A fenced block of code: its mark, its text, and the line of the page on which the text begins, from 1."""

    kind: str
    text: str
    line: int


def name_of(page: Path) -> str:
    """Return a page's name for a test's id: 'docs/training.md'."""
    return page.relative_to(ROOT).as_posix()


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, *kinds: str) -> list[Block]:
    """Return the fenced blocks of a page, of these kinds or of all."""
    found = [Block(t.info.strip(), t.content, t.map[0] + 2) for t in _tokens(page) if t.type == "fence" and t.map]
    return [block for block in found if not kinds or block.kind in kinds]


def code_spans(page: Path) -> list[str]:
    """Return what stands between backticks in running text."""
    return [inner.content for inner in _inner(page) if inner.type == "code_inline"]


def links(page: Path) -> list[str]:
    """Return where the links and pictures of a page lead."""
    addresses = [inner.attrGet("href") or inner.attrGet("src") for inner in _inner(page)]
    return [str(address) for address in addresses if address is not None]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, made as GitHub makes them."""
    tokens = _tokens(page)
    headings = [tokens[i + 1].content for i, token in enumerate(tokens) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _tokens(page: Path) -> list[Token]:
    return _parsed(text_of(page))


@cache
def _parsed(text: str) -> list[Token]:
    return _MARKDOWN.parse(text)


def _inner(page: Path) -> Iterator[Token]:
    for token in _tokens(page):
        yield from token.children or []
