"""The page as a whole: it needs no other file, fits every width, can be read, printed and used by everybody."""

from __future__ import annotations

import re

import pytest
from accessibility import CONTRAST, violations
from conftest import PHONE, SCREEN

from manual_bp import lecture

TABS = ("walk", "table", "repeat", "bug")
PRINTED = [
    number.printed.replace("-", "−") for numbers in (lecture.X2_NUMBERS, *lecture.X1_NUMBERS) for number in numbers
]


def test_the_file_is_small_and_needs_no_other(page_file) -> None:
    html = page_file.read_text(encoding="utf-8")
    assert len(html.encode()) < 500_000
    assert not re.search(r'(?:src|href)="(?!#|data:)', html)
    assert not re.search(r"@import|url\((?!#)|fetch\(|XMLHttpRequest|<img|<link rel=\"style", html)


def test_every_printed_number_of_x1_and_x2_is_on_the_page(page) -> None:
    text = page.evaluate("document.body.innerText")
    for number in PRINTED:
        assert re.search(rf"(?<![\d.−]){re.escape(number)}(?![\d.])", text), number


def test_every_exact_number_of_x2_is_in_the_table(page) -> None:
    page.click("#tab-table")
    text = page.inner_text("#numbers")
    for number in lecture.X2_NUMBERS:
        assert number.exact.replace("-", "−") in text


@pytest.mark.parametrize("width", [PHONE, 480, 768, 1060, SCREEN, 1920])
def test_nothing_is_wider_than_the_window(open_page, width: int) -> None:
    page = open_page(width)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    for start in ("lesson.DATA.x2.network", "lesson.DATA.x1.network"):
        page.evaluate(f"lesson.change({{ start: {start}, updates: 20, step: 'δ^1_2' }})")
        for tab in TABS:
            page.click(f"#tab-{tab}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (tab, start)


@pytest.mark.parametrize(("scheme", "rules"), [("light", None), ("dark", [CONTRAST])], ids=["light", "dark"])
def test_a_checker_of_accessibility_finds_nothing(open_page, scheme: str, rules: list[str] | None) -> None:
    page = open_page(scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert violations(page, "html", rules=rules) == []
    for tab in TABS[1:]:
        page.click(f"#tab-{tab}")
        if tab == "bug":
            page.click("#plant")
        assert violations(page, f"#{tab}", rules=rules) == [], tab


def test_the_whole_page_can_be_reached_with_the_tab_key(page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the network"
    reached = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"theme", "forward", "play", "slider", "tab-walk", "SUMMARY", "INPUT", "BUTTON"} <= reached


def test_every_link_of_the_contents_arrives_and_no_id_is_used_twice(page) -> None:
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(ids) == len(set(ids))
    for link in page.locator(".contents a").all():
        link.click()
        target = page.locator(link.get_attribute("href"))
        assert target.locator("h2").count() == 1
        assert (
            abs(target.evaluate("one => one.getBoundingClientRect().top")) < 120 or link.inner_text() == "A real digit"
        )


def test_light_and_dark_follow_the_system_and_the_button(open_page) -> None:
    background = lambda page: page.evaluate("getComputedStyle(document.body).backgroundColor")  # noqa: E731
    light, dark = open_page(scheme="light"), open_page(scheme="dark")
    colours = background(light), background(dark)
    assert colours[0] != colours[1]
    light.click("#theme")
    assert background(light) == colours[1]
    light.click("#theme")
    assert background(light) == colours[0]


def test_paper_gets_the_step_the_whole_pass_and_the_chapters_without_controls(open_page) -> None:
    page = open_page(scheme="dark")
    page.emulate_media(media="print")
    for there in ("#drawing", "#step", "#numbers", "#backward-pass", "#digit"):
        assert page.locator(there).is_visible(), there
    for gone in (".stepper", ".tabs", "#theme", "#settings", "#bug", ".contents"):
        assert not page.locator(gone).is_visible(), gone
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_what_is_said_to_a_screen_reader(page) -> None:
    page.evaluate("lesson.change({ step: 'e^1_2' })")
    assert page.get_by_role("math", name="e^1_2 = W^2_12 δ^2_1").count() == 1
    assert page.get_by_role("math", name="e^1_2 = 0.9·(−0.040681) = −0.036613").count() == 1
    name = page.locator("#drawing svg").get_attribute("aria-label")
    assert name == "Network 2-2-1, sigmoid, squared error. Step: What reaches unit 2 of layer 1."
    heard = page.locator("#heard")
    assert heard.get_attribute("aria-live") == "polite"
    assert heard.text_content() == "What reaches unit 2 of layer 1. It is −0.036613, the same by autograd."
    assert page.locator("#step[aria-live], #step [aria-live]").count() == 0
    assert page.locator("#slider").get_attribute("aria-valuetext") == "e¹₂, step 12 of 25"


def test_long_formulas_break_in_a_narrow_column(open_page) -> None:
    page = open_page(PHONE)
    too_wide = page.evaluate(
        """lesson.view().walk.map(({ name }) => name).filter((step) => {
             lesson.change({ step });
             const { clientWidth, scrollWidth } = document.querySelector("#step");
             return scrollWidth > clientWidth;
           })"""
    )
    assert too_wide == []
    assert page.evaluate("lesson.view().at") == 24
