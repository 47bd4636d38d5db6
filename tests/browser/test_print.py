"""On paper, and in a browser that runs no script."""

from __future__ import annotations

import re
import zlib

import pytest

from manual_bp import lecture


@pytest.fixture
def silent_page(fresh_page):
    """The page where JavaScript is off."""

    def opened_at(width: int):
        return fresh_page(viewport={"width": width, "height": 740}, java_script_enabled=False)

    return opened_at


@pytest.mark.parametrize("width", [360, 1280])
def test_without_javascript_the_notice_stands_on_top_with_every_number_of_x2(silent_page, data, width: int) -> None:
    page = silent_page(width)
    notice = page.locator(".noscript")
    assert "Switch JavaScript on" in notice.inner_text()
    assert notice.bounding_box()["y"] < 200
    rows = [row.inner_text().split("\t") for row in page.locator("noscript table tr").all()]
    assert rows[0] == ["quantity", "formula", "by hand", "autograd", "slide"]
    found = {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows[1:]}
    assert found.keys() == data["x2"]["byHand"].keys()
    for name, (formula, by_hand, autograd, slide) in found.items():
        assert by_hand == f"{data['x2']['byHand'][name]:.6f}".replace("-", "−")
        assert autograd == f"{data['x2']['autograd'][name]:.6f}".replace("-", "−")
        assert slide == data["x2"]["slides"].get(name, {"printed": ""})["printed"]
        assert re.search(r"\(E\d+\)$", formula)
    assert found["δ^1_1"][0].replace("\xa0", " ") == "x^1_1 (1 − x^1_1) e^1_1 (E15)"
    assert len([name for name in found if found[name][3]]) == len(lecture.X2_NUMBERS)


def test_without_javascript_nothing_is_shown_that_does_not_work(silent_page) -> None:
    page = silent_page(1280)
    assert page.locator("button:visible, input:visible, select:visible").count() == 0
    assert page.locator("#backward-pass .equation").first.is_visible()
    assert page.locator("body").bounding_box()["width"] <= 1280


def test_with_javascript_the_notice_is_gone(page) -> None:
    assert page.locator(".noscript").count() == 0


def test_paper_has_no_controls_and_a_last_page_with_something_on_it(page) -> None:
    page.locator("[data-tour=backward]").click()
    page.emulate_media(media="print")
    controls = ".return, #copy-link, .tour, .start-tour, .dial, .chapter fieldset, #digit-target, summary"
    assert page.locator(controls).locator("visible=true").count() == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    *_, last = texts = texts_of_pages(page.pdf(format="A4"))
    assert len(texts) <= 16
    assert last > 0.4 * sum(texts) / len(texts)


def texts_of_pages(pdf: bytes) -> list[int]:
    """Return how many pieces of text each page has."""
    objects = dict(re.findall(rb"^(\d+) 0 obj\n(.*?)\nendobj", pdf, flags=re.MULTILINE | re.DOTALL))
    pages = [text for text in objects.values() if re.search(rb"/Type /Page\b", text)]
    contents = [objects[re.search(rb"/Contents (\d+) 0 R", text)[1]] for text in pages]
    streams = [zlib.decompress(text.partition(b"stream\n")[2]) for text in contents]
    return [len(re.findall(rb"\bT[jJ]\b", stream)) for stream in streams]
