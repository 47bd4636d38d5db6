"""Windows that stay open between tests: the page starts anew in each, in two thirds of the time of a new window."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opening import heard

try:
    from playwright.sync_api import Error
except ImportError:  # then every test here is skipped
    Error = Exception

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

STATE = r"""() => {
  const all = [window, Math, Date, History.prototype, Storage.prototype, Navigator.prototype].flatMap((one) =>
    Object.entries(Object.getOwnPropertyDescriptors(one)));
  const written = (one) => typeof one === "function" && !/\[native code\]/.test(Function.prototype.toString.call(one));
  return [
    [history.length, localStorage.length, sessionStorage.length, innerWidth, innerHeight, devicePixelRatio],
    ["print", "(prefers-color-scheme: dark)", "(prefers-reduced-motion)"].map((query) => matchMedia(query).matches),
    all.filter(([, { value, get }]) => written(value) || written(get)).map(([name]) => name),
  ];
}"""
"""What a test can leave behind in a window that shows an empty page: history, storage, size, media, and scripts that
start with every page, such as a clock of the test's own: they put functions in the place of the browser's.
A script that hides itself better needs a window of its own, from ``opened``."""


class Window:
    """A window with settings of Playwright's ``new_context``, which is lent to one test at a time."""

    def __init__(self, browser: Browser, file: Path, settings: dict[str, Any]) -> None:
        self.settings = settings
        self._file, self._empty = file.as_uri(), _empty(file).as_uri()
        self._context = browser.new_context(offline=True, **settings)
        self.page = self._context.new_page()
        self.complaints = heard(self._context, self.page, {self._file, self._empty})
        self._session = self._context.new_cdp_session(self.page)
        self._untouched = self._emptied()

    def start(self, fragment: str) -> None:
        """Open the page, with nothing complained of yet."""
        self.complaints.clear()
        self.page.set_default_timeout(30_000)
        self.page.goto(f"{self._file}#{fragment}" if fragment else self._file)

    def is_as_new(self) -> bool:
        """Leave the page, and tell whether nothing of the test is left behind."""
        try:
            return bool(self._emptied() == self._untouched)
        except Error:  # of a storage that a test has taken away, say
            return False

    def close(self) -> None:
        self._context.close()

    def _emptied(self) -> Any:
        """Show an empty page, forget what can be forgotten, and return what is left."""
        self.page.goto(self._empty)
        self.page.mouse.move(0, 0)
        self.page.emulate_media(media="null")
        self.page.evaluate("for (const storage of [localStorage, sessionStorage]) storage.clear()")
        self._session.send("Page.resetNavigationHistory")
        return self.page.evaluate(STATE)


class Windows:
    """The windows of a browser that no test has at present; a few, those that were used last."""

    KEPT = 6

    def __init__(self, browser: Browser, file: Path) -> None:
        self._browser, self._file = browser, file
        self._idle: list[Window] = []
        _empty(file).write_text("<!DOCTYPE html><title>Empty</title>", encoding="utf-8")

    @contextmanager
    def opened(self, fragment: str = "", **settings: Any) -> Iterator[tuple[Page, list[str]]]:
        """Open the page offline; yield it with the list of its complaints, which grows."""
        window = self._lent(settings)
        try:
            window.start(fragment)
            yield window.page, window.complaints
            again = window.is_as_new()
        except BaseException:  # whatever went wrong, the next test gets another window
            window.close()
            raise
        if again:
            self._idle.append(window)
        else:
            window.close()
        while len(self._idle) > self.KEPT:
            self._idle.pop(0).close()

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _lent(self, settings: dict[str, Any]) -> Window:
        for window in self._idle:
            if window.settings == settings:
                self._idle.remove(window)
                return window
        return Window(self._browser, self._file, settings)


def _empty(file: Path) -> Path:
    """Return the empty page beside the page: of the same origin, it sees the same storage."""
    return file.with_name("empty.html")
