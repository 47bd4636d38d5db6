"""The network and its walk on the page: every step of X2 against the lecture, keys, tabs, the table, CSV."""

from __future__ import annotations

import csv
import io

import pytest
from comparing import numbers_of
from opening import scroll, stop_the_clock

from manual_bp import lecture
from torch_ref.lesson.walk.quantities import pass_by_autograd, pass_by_hand

EQUATIONS = {
    "net": "E1",
    "x": "E2",
    "y": "E2",
    "L": "E6",
    "e^2": "E13, its t − y",
    "δ": "E15, with E16",
    "e^1": "E14, its sum",
    "∂": "E12",
    "W": "E9",
}
PRINTED = {number.quantity: number.printed.replace("-", "−") for number in lecture.X2_NUMBERS}
STARTS = [0, 6, 7, 13, 19]
"""Where the phases begin: forward pass, loss, backward pass, gradients, update."""


def shown_step(page) -> dict[str, str]:
    """Return what the panel of the current step shows."""
    return page.evaluate(
        """() => ({
          name: lesson.view().walk[lesson.view().at].name,
          hand: document.querySelector("#step .hand .in-full").textContent,
          auto: document.querySelector("#step .auto .in-full").textContent,
          difference: document.querySelectorAll("#step .compare dd")[2].textContent,
          slide: document.querySelector("#step .slide dd").textContent,
          chain: [...document.querySelectorAll("#step .chain-slide td:last-child > *")].map(one => one.textContent),
          equation: document.querySelector("#step .citation").textContent.replace(/ (?=its|with)/, ", "),
          numbers: document.querySelector("#step .numbers").getAttribute("aria-label"),
          position: document.querySelector("#position").textContent,
        })"""
    )


def test_the_arrow_key_goes_through_every_number_of_x2(page, data) -> None:
    exact = data["x2"]["byHand"]
    seen = []
    for at in range(25):
        step = shown_step(page)
        name = step["name"]
        seen.append(name)
        assert step["position"] == f"{at + 1} / 25"
        assert float(step["hand"].replace("−", "-")) == float(step["auto"].replace("−", "-")) == exact[name]
        assert step["difference"] == "same to the last bit"
        assert step["slide"] == PRINTED.get(name, "–")
        assert step["equation"] == next(number for start, number in EQUATIONS.items() if name.startswith(start))
        assert step["numbers"].endswith(f"{exact[name]:.6f}".rstrip("0").replace("-", "−"))
        page.keyboard.press("ArrowRight")
    assert set(seen) == set(exact) > set(PRINTED)


def test_the_slide_s_calculation_stands_with_what_it_rounds(page) -> None:
    for name, calculation in lecture.on_paper().items():
        page.evaluate("name => lesson.change({ step: name })", name)
        text, _, outcome, *rounded = shown_step(page)["chain"]
        assert text == calculation.text
        assert (rounded[-1] if rounded else outcome) == PRINTED[name]
        decimals = len(PRINTED[name].split(".")[1])
        assert f"{float(outcome.replace('−', '-')):.{decimals}f}".replace("-", "−") == PRINTED[name]


def test_keys_and_buttons_go_where_they_say(page) -> None:
    at = lambda: page.evaluate("lesson.view().at")  # noqa: E731
    page.click("#bench-title")
    for key, expected in [("End", 24), ("PageUp", 19), ("PageUp", 13), ("ArrowLeft", 12), ("PageUp", 7), ("Home", 0)]:
        page.keyboard.press(key)
        assert at() == expected, key
    for start in STARTS[1:]:
        page.keyboard.press("PageDown")
        assert at() == start
    page.keyboard.press("PageDown")
    assert at() == 24
    for button, expected in [("#first", 0), ("#forward", 1), ("#last", 24), ("#back", 23)]:
        page.click(button)
        assert at() == expected, button
    for start, button in zip(STARTS, page.locator("#phases button").all(), strict=True):
        button.click()
        assert at() == start
    page.locator("#slider").focus()
    page.keyboard.press("ArrowRight")
    assert at() == 20
    assert page.get_attribute("#slider", "aria-valuetext") == "W¹₁₂ after, step 21 of 25"


def test_play_goes_on_by_itself_and_stops_when_told(page) -> None:
    stop_the_clock(page)
    page.click("#play")
    page.clock.run_for(4000)
    assert page.evaluate("lesson.view().at") == 2
    page.click("#play")
    page.clock.run_for(9000)
    assert page.evaluate("lesson.view().at") == 2


def test_what_takes_part_lights_up_and_the_direction_is_seen(page) -> None:
    lit = lambda: set(page.locator(".drawing .on[id]").evaluate_all("all => all.map(one => one.id)"))  # noqa: E731
    page.evaluate("lesson.change({ step: 'net^1_2' })")
    assert lit() == {"unit-0-1", "unit-0-2", "unit-1-2", "edge-1-2-1", "edge-1-2-2"}
    x1, x2 = (float(page.get_attribute("#edge-1-2-1", end)) for end in ("x1", "x2"))
    assert x1 < x2
    page.evaluate("lesson.change({ step: 'e^1_2' })")
    assert lit() == {"unit-2-1", "unit-1-2", "edge-2-1-2"}
    x1, x2 = (float(page.get_attribute("#edge-2-1-2", end)) for end in ("x1", "x2"))
    assert x1 > x2


def test_a_number_in_the_drawing_leads_to_its_step(page) -> None:
    page.evaluate("lesson.change({ step: 'W^2_12 after' })")
    page.locator('.drawing [data-step="y_1"]').click()
    assert shown_step(page)["name"] == "y_1"


def test_tabs_go_by_arrow_keys(page) -> None:
    page.locator("#tab-walk").focus()
    for panel in ("table", "repeat", "bug", "walk"):
        page.keyboard.press("ArrowRight")
        assert page.locator("[role=tabpanel]:visible").get_attribute("id") == panel
    assert page.evaluate("lesson.view().at") == 0


def test_the_table_has_the_whole_pass(page, data) -> None:
    page.click("#tab-table")
    rows = page.locator("#numbers tbody tr").evaluate_all(
        "all => all.map(row => [row.querySelector('button').dataset.step, ...[...row.cells].map(c => c.textContent)])"
    )
    assert len(rows) == 25
    for name, _, _, hand, auto, difference, slide in rows:
        assert hand == auto == f"{data['x2']['byHand'][name]:.6f}".replace("-", "−")
        assert (difference, slide) == ("0 ulp", PRINTED.get(name, ""))
    page.locator("#numbers button", has_text="δ²₁").click()
    assert shown_step(page)["name"] == "δ^2_1"
    assert page.locator("#walk").is_visible()


def test_csv_on_the_clipboard_has_every_number_in_full(page, data) -> None:
    page.click("#tab-table")
    page.click("#copy-csv")
    page.wait_for_function("document.querySelector('#copied').textContent.startsWith('25 numbers')")
    rows = list(csv.DictReader(io.StringIO(page.evaluate("navigator.clipboard.readText()"))))
    assert {row["quantity"]: float(row["by hand"]) for row in rows} == data["x2"]["byHand"]
    assert {row["quantity"]: float(row["autograd"]) for row in rows} == data["x2"]["autograd"]
    assert {row["quantity"]: row["slide"].replace("-", "−") for row in rows if row["slide"]} == PRINTED
    page.evaluate("lesson.change({ updates: 1 })")
    assert page.locator("#copied").text_content() == ""


def test_buttons_in_the_text_show_their_step(page) -> None:
    for button in page.locator(".show-step").all():
        button.click()
        assert shown_step(page)["name"] == button.get_attribute("data-step")
        assert page.locator("#bench").evaluate("bench => bench.getBoundingClientRect().top < 60")


@pytest.mark.parametrize("engine", [pass_by_hand, pass_by_autograd])
def test_every_number_of_the_walk_is_one_of_python_s(lesson, data, engine) -> None:
    names = lesson("() => lesson.view().walk.map(step => step.name)")
    assert sorted(names) == sorted(numbers_of(engine, data["x2"]["network"]))


SIZES = [(1280, 720), (1024, 768), (1920, 1080), (360, 740), (853, 480)]
"""Of windows: a projector, an old one, a screen, a telephone, and the projector at 150 %."""


@pytest.mark.parametrize("size", SIZES)
def test_keys_are_the_walk_s_on_a_fresh_page(fresh_page, size: tuple[int, int]) -> None:
    page = fresh_page(viewport=dict(zip(("width", "height"), size, strict=True)), reduced_motion="reduce")
    at = lambda: page.evaluate("lesson.view().at")  # noqa: E731
    for key, expected in [("ArrowRight", 1), ("PageDown", 6), ("End", 24), ("PageUp", 19), ("Home", 0)]:
        page.keyboard.press(key)
        assert (at(), page.evaluate("scrollY")) == (expected, 0), key
    page.keyboard.press("Space")
    assert page.get_attribute("#play", "aria-pressed") == "true"
    page.keyboard.press("Space")
    assert page.get_attribute("#play", "aria-pressed") == "false"
    assert page.evaluate("scrollY") == 0


def test_after_a_click_on_a_tab_the_arrow_keys_are_the_walk_s(page) -> None:
    page.click("#tab-table")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("lesson.view().at") == 1
    assert page.locator("#table").is_visible()


def test_at_its_end_and_out_of_sight_keys_scroll_the_page(page) -> None:
    page.keyboard.press("End")
    assert page.evaluate("[lesson.view().at, scrollY]") == [24, 0]
    scroll(page, lambda: page.keyboard.press("End"))
    assert page.evaluate("lesson.view().at") == 24
    for key in ("ArrowLeft", "Home"):
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.keyboard.press(key)
        assert page.evaluate("lesson.view().at") == 24, key


def test_the_focus_survives_the_last_step_and_a_phase(page) -> None:
    for control in ("#last", "#first", "#phases button:nth-child(3)"):
        page.locator(control).focus()
        page.keyboard.press("Enter")
        assert page.evaluate("control => document.activeElement.matches(control)", control)
    assert page.locator("#phases [aria-current=step]").inner_text() == "Backward"


@pytest.mark.parametrize("width", [360, 1280])
def test_no_weight_is_hidden_by_a_unit(open_page, width: int) -> None:
    hidden = open_page(width).evaluate(
        """networks => networks.map(sizes => {
             lesson.change({ start: {
               ...lesson.DATA.x2.network, sizes, x: Array(sizes[0]).fill(0.5), t: Array(sizes.at(-1)).fill(0.5),
               weights: sizes.slice(1).map((n, l) => Array(n).fill(Array(sizes[l]).fill(-0.1234))) } });
             const boxes = selector => [...document.querySelectorAll(selector)].map(one => one.getBoundingClientRect());
             const apart = (a, b) => a.right <= b.left + 0.5 || b.right <= a.left + 0.5
               || a.bottom <= b.top + 0.5 || b.bottom <= a.top + 0.5;
             const units = boxes(".drawing .unit rect");
             const labels = boxes(".drawing .weight:not(.bias) text");
             return [sizes, labels.filter(label => units.some(unit => !apart(label, unit))).length];
           })""",
        [[2, 2, 1], [2, 3, 1], [3, 3, 2], [4, 4, 4, 4]],
    )
    assert [sizes for sizes, labels in hidden if labels] == []
