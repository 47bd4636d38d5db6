"""How the page is opened in a test: offline, and with an ear for every complaint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@contextmanager
def opened(browser: Browser, file: Path, **settings: Any) -> Iterator[tuple[Page, list[str]]]:
    """Open the page offline; yield it with the list of its complaints, which grows."""
    context = browser.new_context(offline=True, **settings)
    try:
        complaints: list[str] = []
        context.on("request", lambda request: complaints.extend(_foreign(request.url, file.as_uri())))
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"console, {message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.goto(file.as_uri())
        yield page, complaints
    finally:
        context.close()


def _foreign(url: str, own: str) -> list[str]:
    """Return the complaint about a request that leaves the page: neither its own file nor what it made itself."""
    allowed = url.split("#")[0] == own or url.startswith(("data:", "blob:", "about:"))
    return [] if allowed else [f"request: {url}"]
