"""The browser tests' own ear: what a page complains about is heard."""

from __future__ import annotations

from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from opening import opened
from windows import Windows

NOISY = {
    "console.log('here')": "console, log: here",
    "console.error('bad')": "console, error: bad",
    "throw new Error('thrown')": "error: thrown",
    "Promise.reject(new Error('late'))": "error: late",
    "fetch('https://example.org/font.woff2').catch(() => {})": "request: https://example.org/font.woff2",
    "new Image().src = 'picture.png'": "/picture.png",
}


@pytest.mark.parametrize("script", NOISY)
def test_a_page_that_complains_or_asks_for_more_is_heard(browser, tmp_path, script) -> None:
    file = tmp_path / "noisy.html"
    file.write_text(f"<!DOCTYPE html><title>Noisy</title><script>{script}</script>", encoding="utf-8")
    with opened(browser, file) as (page, complaints):
        for _ in range(100):  # at most 10 s; a promise that was rejected is told of last
            if complaints:
                break
            page.wait_for_timeout(100)
    assert any(NOISY[script] in complaint for complaint in complaints)


def test_the_lesson_itself_is_quiet(fresh_page) -> None:
    page = fresh_page(viewport={"width": 360, "height": 740}, dark=True)
    assert page.evaluate("() => [innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]") == [360, True]
    assert fresh_page().evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches") is False


def test_a_page_is_opened_without_a_network(browser, tmp_path) -> None:
    """A server that a page of the same browser reaches is out of reach; ``navigator.onLine`` may say otherwise."""
    file = tmp_path / "page.html"
    file.write_text("<!DOCTYPE html><title>Page</title>", encoding="utf-8")
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    Thread(target=server.serve_forever, daemon=True).start()
    ask = "(url) => fetch(url, { mode: 'no-cors' }).then(() => 'reached', () => 'out of reach')"
    url = f"http://127.0.0.1:{server.server_port}/"
    try:
        with opened(browser, file) as (page, _):
            assert page.evaluate(ask, url) == "out of reach"
        page = browser.new_page()
        page.goto(file.as_uri())
        assert page.evaluate(ask, url) == "reached"
        page.close()
    finally:
        server.shutdown()
        server.server_close()


LEFT_BEHIND = {
    "nothing": (lambda page: page.evaluate("document.title"), True),
    "storage": (lambda page: page.evaluate("localStorage.setItem('a', '1'); sessionStorage.setItem('b', '2')"), True),
    "history": (lambda page: page.evaluate("history.pushState({}, '', '#a')"), True),
    "mouse": (lambda page: page.hover("#play"), True),
    "size": (lambda page: page.set_viewport_size({"width": 500, "height": 500}), False),
    "media": (lambda page: page.emulate_media(media="print"), True),
    "colours": (lambda page: page.emulate_media(color_scheme="dark"), False),
    "clock": (lambda page: page.clock.install(), False),
    "script": (lambda page: page.context.add_init_script("Math.random = () => 0.5"), False),
}


FOUND = """() => [history.length, location.hash, localStorage.length, sessionStorage.length,
  innerWidth, innerHeight, matchMedia("print").matches, matchMedia("(prefers-color-scheme: dark)").matches,
  [...document.querySelectorAll(":hover")].map((one) => one.id), document.activeElement.tagName, scrollY,
  Math.random() === 0.5, /native code/.test(Date)]"""


@pytest.fixture
def small_file(tmp_path):
    file = tmp_path / "page.html"
    file.write_text("<!DOCTYPE html><title>Page</title><button id='play'>Play</button>", encoding="utf-8")
    return file


@pytest.mark.parametrize("left", LEFT_BEHIND)
def test_a_test_finds_nothing_that_another_left_in_its_window(browser, small_file, left: str) -> None:
    leave, is_kept = LEFT_BEHIND[left]
    with closing(Windows(browser, small_file)) as windows:
        with windows.opened(viewport={"width": 1280, "height": 900}) as (page, _):
            first, before = page, page.evaluate(FOUND)
            leave(page)
        with windows.opened(viewport={"width": 1280, "height": 900}) as (page, _):
            assert page.evaluate(FOUND) == before
            assert (page is first) == is_kept


def test_a_window_hears_its_own_test_alone(browser, small_file) -> None:
    with closing(Windows(browser, small_file)) as windows:
        with windows.opened() as (_, complaints):
            assert complaints == []
        with windows.opened() as (page, complaints):
            page.evaluate("console.log('here')")
        assert complaints == ["console, log: here"]
        with windows.opened() as (_, complaints):
            assert complaints == []


def test_two_windows_of_one_test_are_two(browser, small_file) -> None:
    with closing(Windows(browser, small_file)) as windows, windows.opened() as (one, _), windows.opened() as (other, _):
        assert one is not other
