"""The built page in a real browser: the system's Chromium, driven by Playwright, without any network.

Whatever the page writes to its console, any error that it throws, and any request but the one for the file itself
fails the test.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from opening import opened
from windows import Windows

try:
    from playwright.sync_api import Browser, Page, Playwright, sync_playwright
except ImportError:
    sync_playwright = None

from torch_ref.lesson.page import build

CHROMIUMS = "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"
"""Debian's headless shell comes first: without windows it is faster by a third."""
CHROMIUM = next(filter(None, map(shutil.which, CHROMIUMS)), None)

PHONE, SCREEN = 360, 1280


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the pictures be kept."""
    parser.addoption("--screenshots", metavar="DIR", help="keep the pictures of the lesson page in this folder")


def _missing() -> str | None:
    """Say what the tests need and have not."""
    if sync_playwright is None:
        return "needs Playwright: pip install -e '.[browser]'"
    if CHROMIUM is None:
        return f"needs a Chromium, one of {', '.join(CHROMIUMS)} on the PATH"
    return None


def pytest_report_header() -> str:
    """Say which browser it is, or why there is none."""
    return f"SKIPPED, the lesson's page in a browser: {_missing()}" if _missing() else f"browser: {CHROMIUM}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip everything here where there is no browser, or nothing to drive it."""
    reason = _missing()
    for item in items:
        if reason and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """One browser for all tests."""
    sandbox = [] if os.geteuid() else ["--no-sandbox"]  # root has none; the page is our own
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=sandbox)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def data(lesson_data: dict[str, Any]) -> dict[str, Any]:
    """What Python embeds into the page."""
    return lesson_data


@pytest.fixture(scope="session")
def page_file(data: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, built once."""
    file = tmp_path_factory.mktemp("page") / "lesson.html"
    file.write_text(build.page(data), encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def shared_page(browser: Browser, page_file: Path) -> Iterator[tuple[Page, list[str]]]:
    """One page for all tests that only compute on it."""
    with opened(browser, page_file) as both:
        yield both


@pytest.fixture
def lesson(shared_page: tuple[Page, list[str]]) -> Iterator[Callable[..., Any]]:
    """Evaluate JavaScript on the shared page, which must not change it: lesson("(n) => lesson.pass(n)", network)."""
    opened_page, complaints = shared_page
    yield opened_page.evaluate
    found = list(complaints)
    complaints.clear()  # the next test is not to blame
    assert not found, "\n".join(found)


@pytest.fixture(scope="session")
def windows(browser: Browser, page_file: Path) -> Iterator[Windows]:
    """The windows in which the page starts anew for each test."""
    kept = Windows(browser, page_file)
    yield kept
    kept.close()


@pytest.fixture
def fresh_page(windows: Windows) -> Iterator[Callable[..., Page]]:
    """Open the page anew, once or more in a test: fresh_page(viewport={"width": 360, "height": 740}, dark=True).

    ``fragment`` is what stands behind the # of its address. Further settings are those of Playwright's
    ``new_context``: reduced_motion="reduce", accept_downloads=True.
    """
    complaints: list[list[str]] = []
    with ExitStack() as pages:

        def open_page(
            viewport: dict[str, int] | None = None, *, dark: bool = False, fragment: str = "", **settings: Any
        ) -> Page:
            settings |= {"viewport": viewport or {"width": 1280, "height": 800}}
            settings |= {"color_scheme": "dark" if dark else "light"}
            opened_page, its_complaints = pages.enter_context(windows.opened(fragment, **settings))
            complaints.append(its_complaints)
            return opened_page

        yield open_page
    found = [complaint for of_page in complaints for complaint in of_page]
    assert not found, "\n".join(found)


@pytest.fixture
def open_page(fresh_page: Callable[..., Page]) -> Callable[..., Page]:
    """Open the page anew at a width, in light or dark colours, with the clipboard at hand and nothing moving."""

    def opened_at(width: int = SCREEN, scheme: str = "light") -> Page:
        opened_page = fresh_page(
            viewport={"width": width, "height": 900},
            dark=scheme == "dark",
            permissions=["clipboard-read", "clipboard-write"],
            reduced_motion="reduce",
        )
        opened_page.set_default_timeout(15_000)
        return opened_page

    return opened_at


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """The page on a screen of 1280 px, in light colours, as it comes up."""
    return open_page()
