"""The built page in a real browser: the system's Chromium, driven by Playwright, without any network.

Whatever the page writes to its console, any error that it throws, and any request but the one for the file itself
fails the test.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

try:
    from playwright.sync_api import Browser, Page, Playwright, sync_playwright
except ImportError:
    sync_playwright = None

from torch_ref.lesson.page import build
from torch_ref.lesson.page.data import page_data

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


PHONE, SCREEN = 360, 1280


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the pictures be kept."""
    parser.addoption("--screenshots", metavar="DIR", help="keep the pictures of the lesson page in this folder")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip everything here where there is no browser, or nothing to drive it, and say which."""
    reason = None
    if sync_playwright is None:
        reason = "needs Playwright: pip install -e '.[browser]'"
    elif CHROMIUM is None:
        reason = "needs a Chromium: chromium, chromium-browser or google-chrome on the PATH"
    if reason:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """One browser for all tests; each page has a context of its own."""
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def data() -> dict[str, Any]:
    """What Python embeds into the page."""
    return page_data()


@pytest.fixture(scope="session")
def page_file(data: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, built once."""
    file = tmp_path_factory.mktemp("page") / "lesson.html"
    file.write_text(build.page(data), encoding="utf-8")
    return file


@contextmanager
def opened(browser: Browser, file: Path, **settings: Any) -> Iterator[tuple[Page, list[str]]]:
    """Open the page offline; yield it with the list of its complaints, which grows."""
    context = browser.new_context(offline=True, **settings)
    try:
        complaints: list[str] = []
        context.on("request", lambda request: complaints.extend(_foreign(request.url, file.as_uri())))
        opened_page = context.new_page()
        opened_page.on("console", lambda message: complaints.append(f"console, {message.type}: {message.text}"))
        opened_page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        opened_page.goto(file.as_uri())
        yield opened_page, complaints
    finally:
        context.close()


def _foreign(url: str, own: str) -> list[str]:
    """Return the complaint about a request that leaves the page: neither its own file nor what it made itself."""
    allowed = url.split("#")[0] == own or url.startswith(("data:", "blob:", "about:"))
    return [] if allowed else [f"request: {url}"]


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


@pytest.fixture
def fresh_page(browser: Browser, page_file: Path) -> Iterator[Callable[..., Page]]:
    """Open the page anew, once or more in a test: fresh_page(viewport={"width": 360, "height": 740}, dark=True).

    Further settings are those of Playwright's ``new_context``: reduced_motion="reduce", accept_downloads=True.
    """
    complaints: list[list[str]] = []
    with ExitStack() as pages:

        def open_page(viewport: dict[str, int] | None = None, *, dark: bool = False, **settings: Any) -> Page:
            settings |= {"viewport": viewport or {"width": 1280, "height": 800}}
            settings |= {"color_scheme": "dark" if dark else "light"}
            opened_page, its_complaints = pages.enter_context(opened(browser, page_file, **settings))
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
        opened_page.set_default_timeout(5000)
        return opened_page

    return opened_at


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """The page on a screen of 1280 px, in light colours, as it comes up."""
    return open_page()
