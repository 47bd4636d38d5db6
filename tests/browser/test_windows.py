"""In every usual window drawing, formula and stepper are on screen together; caption, tabs and contents take a line."""

from __future__ import annotations

from typing import Any

import pytest

SIZES = [(1280, 720), (1024, 768), (1920, 1080), (853, 480), (640, 360), (360, 740)]
"""A projector, an old one, a screen, the projector at 150 % and 200 %, a telephone."""

STEPS = ("net^1_1", "L", "δ^1_1", "∂L/∂W^1_11", "W^2_12 after")

FOUR = """lesson.change({ start: { ...lesson.DATA.x2.network, sizes: [4, 4, 4, 4], x: Array(4).fill(0.5),
    t: Array(4).fill(0.5), weights: [0, 0, 0].map(() => Array(4).fill(Array(4).fill(-0.1234))) } })"""


def out_of_sight(page: Any) -> list[str]:
    """Return what of a step is not wholly between the top of the window and the stepper."""
    found: list[str] = page.evaluate(
        """() => {
             const end = document.querySelector("#stepper").getBoundingClientRect().top;
             return ["#drawing svg", "#step .phase", "#step .symbols", "#step .numbers"].filter((what) => {
               const { top, bottom } = document.querySelector(what).getBoundingClientRect();
               return top < -1 || bottom > end + 1;
             });
           }"""
    )
    return found


@pytest.mark.parametrize("size", SIZES)
def test_drawing_formula_and_stepper_are_on_screen_together(fresh_page, size: tuple[int, int]) -> None:
    width, height = size
    page = fresh_page(viewport={"width": width, "height": height}, reduced_motion="reduce")
    for what in ("#drawing-caption", ".tabs", ".contents"):
        assert page.locator(what).bounding_box()["height"] < 48, f"{what} takes more than a line"
    caption = page.locator("#drawing-caption")
    assert caption.evaluate("one => one.scrollWidth <= one.clientWidth")
    for step in STEPS:
        page.evaluate("step => lesson.change({ step })", step)
        assert out_of_sight(page) == [], step
        stepper = page.locator("#stepper").bounding_box()
        assert stepper["y"] + stepper["height"] <= height + 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if height >= 720 and width >= 1024:
        assert_largest_network_is_on_screen(page)


def assert_largest_network_is_on_screen(page: Any) -> None:
    page.evaluate(FOUR)
    page.evaluate("document.querySelector('#bench').scrollIntoView()")
    for step in ("net^1_1", "δ^1_1"):
        page.evaluate("step => lesson.change({ step })", step)
        assert out_of_sight(page) == [], f"4-4-4-4, {step}"
