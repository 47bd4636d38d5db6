"""Present: drawing, formula, numbers and stepper, large, and nothing else; with a clicker."""

from __future__ import annotations

import pytest

ALONE = ("#drawing svg", "#step .symbols", "#step .numbers", "#step .compare", "#stepper")
GONE = (
    "h1",
    ".contents",
    ".tabs",
    ".chapter",
    ".practise",
    "footer",
    "#settings",
    ".stepper .hint",
    ".phases",
    ".chains",
)


@pytest.mark.parametrize(("size", "numbers", "formula"), [((1280, 720), 20, 32), ((1920, 1080), 24, 40)])
def test_it_is_all_on_screen_and_large(fresh_page, size, numbers: int, formula: int) -> None:
    page = fresh_page(viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce")
    page.evaluate("document.querySelector('#digit').scrollIntoView()")  # from anywhere on the page
    page.keyboard.press("p")
    for name in page.evaluate("lesson.view().walk.map(step => step.name)"):
        page.evaluate("step => lesson.change({ step })", name)
        boxes = page.evaluate(
            """all => all.map(what => document.querySelector(what).getBoundingClientRect())
                 .map(({ top, bottom, height }) => ({ top, bottom, height }))""",
            ALONE,
        )
        for what, box in zip(ALONE, boxes, strict=True):
            assert box["height"] > 0, (name, what)
            assert -1 <= box["top"] < box["bottom"] <= size[1] + 1, (name, what)
        sizes = page.evaluate(
            """() => {
                 const [svg] = document.querySelectorAll(".drawing svg");
                 const scale = svg.getScreenCTM().a;
                 const px = (one) => parseFloat(getComputedStyle(one).fontSize);
                 return { drawn: scale * Math.min(...[...svg.querySelectorAll(".value text")].map(px)),
                          cells: Math.min(...[...document.querySelectorAll("#step .compare dd")].map(px)),
                          symbols: px(document.querySelector("#step .symbols")) };
               }"""
        )
        assert sizes["drawn"] >= numbers, (name, sizes)
        assert sizes["cells"] >= 20, (name, sizes)
        assert sizes["symbols"] >= formula, (name, sizes)
    for what in GONE:
        assert page.locator(what).first.is_hidden(), what
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_six_digits_and_the_same_to_the_last_bit(page) -> None:
    page.evaluate("lesson.change({ step: 'δ^1_1' })")
    page.keyboard.press("P")
    assert page.locator("#step .compare dd").all_inner_texts() == [
        "−0.002654",
        "−0.002654",
        "same to the last bit",
        "−0.0027",
    ]
    page.keyboard.press("P")
    assert page.locator("#step .hand dd").inner_text() == "−0.002654489030884742"


def test_a_clicker_goes_step_by_step(page) -> None:
    page.click("#present")
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    page.keyboard.press("PageUp")
    assert page.evaluate("lesson.view().at") == 1
    page.keyboard.press("Escape")
    assert page.locator("h1").is_visible()
    page.keyboard.press("PageDown")
    assert page.evaluate("lesson.view().walk[lesson.view().at].phase") == "loss"


def test_the_tab_that_was_open_gives_way_to_the_walk(page) -> None:
    page.click("#tab-repeat")
    page.keyboard.press("p")
    assert page.locator("#step .symbols").is_visible()
    assert page.locator("#repeat").is_hidden()
    page.click("#leave-present")
    assert page.locator("#tab-walk").get_attribute("aria-selected") == "true"
    assert page.locator(".contents").is_visible()


def test_a_p_that_is_typed_into_a_field_is_a_letter(page) -> None:
    page.click("#settings summary")
    page.locator("#fields input[data-at]").first.focus()
    page.keyboard.press("p")
    assert page.locator("h1").is_visible()
