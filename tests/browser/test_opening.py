"""The browser tests' own ear: what a page complains about is heard."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from opening import opened

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
