"""How the page is opened in a test: offline, and with an ear for every complaint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

try:
    from playwright.sync_api import TimeoutError as TooLong
except ImportError:  # then every test here is skipped
    TooLong = TimeoutError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""Wait until the page has heard of its last scrolling, and has drawn what follows from it."""


@contextmanager
def opened(browser: Browser, file: Path, **settings: Any) -> Iterator[tuple[Page, list[str]]]:
    """Open the page offline; yield it with the list of its complaints, which grows."""
    context = browser.new_context(offline=True, **settings)
    try:
        page = context.new_page()
        complaints = heard(context, page, {file.as_uri()})
        page.goto(file.as_uri())
        yield page, complaints
    finally:
        context.close()


def stop_the_clock(page: Page) -> None:
    """Let time pass on the page by ``page.clock.run_for`` alone, however slow the machine is."""
    page.clock.install(time=0)
    page.clock.pause_at(3600)


READ_ADDRESS = """(fragment) => new Promise((done) => {
  addEventListener("hashchange", done, { once: true });
  location.hash = fragment;
})"""
"""Give the page another address, as one that is typed into its window, and wait until it has read it."""


def scroll(page: Page, action: Callable[[], object], *, tries: int = 5) -> None:
    """Scroll the page by a key or the wheel; fail where it stays where it is, however often one tries.

    A browser on a busy machine has the event reach the page and now and then, about once in a hundred, forgets to
    scroll. The second time it does; a page that keeps the key for itself does so every time.
    """
    before = page.evaluate("scrollY")
    for _ in range(tries):
        action()
        with suppress(TooLong):
            page.wait_for_function("before => scrollY !== before", arg=before, timeout=1_000)
            return
    raise AssertionError(f"expected the page to scroll, and it stays at {before} after {tries} tries")


def heard(context: BrowserContext, page: Page, own: set[str]) -> list[str]:
    """Return the list of complaints, which grows; ``own`` are the addresses that the page may ask for."""
    complaints: list[str] = []
    context.on("request", lambda request: complaints.extend(_foreign(request.url, own)))
    page.on("console", lambda message: complaints.append(f"console, {message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    return complaints


def _foreign(url: str, own: set[str]) -> list[str]:
    """Return the complaint about a request that leaves the page: neither its own file nor what it made itself."""
    allowed = url.split("#")[0] in own or url.startswith(("data:", "blob:", "about:"))
    return [] if allowed else [f"request: {url}"]
