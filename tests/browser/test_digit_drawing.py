"""The pictures of the page's digit, the digit that the reader draws, and how the chapter is reached and read."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
import torch
from accessibility import violations
from digit_network import embedded_digit, embedded_network
from playwright.sync_api import Page

from manual_bp import Network
from torch_ref.lesson.walk.quantities import pass_by_hand

Points = list[tuple[float, float]]

INK = """() => {
  const ink = Array(784).fill(0);
  for (const one of document.querySelectorAll("#digit-picture rect")) {
    ink[28 * one.getAttribute("y") + Number(one.getAttribute("x"))] = Number(one.getAttribute("fill-opacity"));
  }
  return ink;
}"""
OUTPUT = """() => [...document.querySelectorAll("#digit-outputs tr")].map(
  (row) => Number(row.querySelector("data").value))"""

# On the pad, from 0 to 1 across and down.
BAR: list[Points] = [[(0.5, 0.15), (0.49, 0.85)]]
RING: list[Points] = [[(0.5 + 0.25 * math.sin(a / 4), 0.5 - 0.36 * math.cos(a / 4)) for a in range(26)]]
SEVEN: list[Points] = [[(0.25, 0.2), (0.75, 0.2), (0.45, 0.85)]]
CROSS: list[Points] = [[(0.2, 0.5), (0.8, 0.5)], [(0.5, 0.2), (0.5, 0.8)]]


def draw(page: Page, strokes: Iterable[Points], *, size: float = 1.0, dx: float = 0.0, dy: float = 0.0) -> None:
    """Draw strokes with the mouse."""
    page.locator("#digit-pad").scroll_into_view_if_needed()
    box = page.locator("#digit-pad").bounding_box()
    for stroke in strokes:
        places = [
            (box["x"] + (x * size + dx) * box["width"], box["y"] + (y * size + dy) * box["height"]) for x, y in stroke
        ]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=4 if len(places) < 10 else 1)  # a ring has points enough
        page.mouse.up()


def drawn(page: Page, strokes: Iterable[Points], **where: float) -> torch.Tensor:
    """Return the ink of a drawing on a clear pad, (28, 28)."""
    if page.is_enabled("#digit-clear"):
        page.click("#digit-clear")
    draw(page, strokes, **where)
    return torch.tensor(page.evaluate(INK), dtype=torch.float64).view(28, 28)


def mean(page: Page, target: int) -> None:
    """Say what the drawing is meant to be."""
    page.locator("#digit-targets button").nth(target).click()


def targets(page: Page) -> list[str]:
    return page.locator("#digit-targets [aria-pressed=true]").all_inner_texts()


def centre(ink: torch.Tensor) -> tuple[float, float]:
    middle = torch.arange(28, dtype=torch.float64) + 0.5
    return float((ink.sum(0) * middle).sum() / ink.sum()), float((ink.sum(1) * middle).sum() / ink.sum())


def confidences(network: Network, ink: torch.Tensor) -> list[float]:
    return network.forward(ink.reshape(1, 784)).y[0].tolist()


# ------------------------------------------------------------------------------------------------------- the pictures


def test_the_picture_shows_every_pixel_of_the_digit(page, data) -> None:
    for n in (0, 13):
        page.locator("#digit-samples button").nth(n).click()
        x, _ = embedded_digit(data["digit"]["digits"][n])
        assert page.evaluate(INK) == pytest.approx(x[0].tolist(), abs=5.1e-4)  # three decimals


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_weights_are_blue_above_0_and_orange_below_as_strong_as_they_are(open_page, data, scheme: str) -> None:
    weights = embedded_network(data["digit"]).layers[0].weight
    most = weights.abs().max() / 2
    page = open_page(scheme=scheme)
    for unit in (0, 17, 29):
        pixels = page.evaluate(
            """(unit) => [...document.querySelectorAll("#digit-units canvas")[unit]
              .getContext("2d").getImageData(0, 0, 28, 28).data]""",
            unit,
        )
        red, _, blue, alpha = torch.tensor(pixels, dtype=torch.float64).view(784, 4).unbind(1)
        assert (alpha - 255 * (weights[unit].abs() / most).clamp(max=1)).abs().max() <= 0.51
        seen = alpha > 20  # below it a canvas keeps little of the colour
        assert torch.equal(blue[seen] > red[seen], weights[unit][seen] > 0)


def test_the_unit_that_is_pointed_to_or_reached_by_key_is_enlarged(page) -> None:
    page.locator("#digit-units button").nth(3).hover()
    assert page.inner_text("#digit-unit-title") == "Unit 4 of the hidden layer"
    page.locator("#digit-units button").nth(8).click()
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#digit-unit-title") == "Unit 10 of the hidden layer"
    picture = "(canvas) => canvas.toDataURL()"
    large = page.locator("#digit-unit-weights canvas").evaluate(picture)
    small = page.locator("#digit-units canvas").nth(9).evaluate(picture)
    assert large == small
    label = page.locator("#digit-units button").nth(9).get_attribute("aria-label")
    shown = page.locator("#digit-unit-numbers data").all_inner_texts()
    assert label == f"Unit 10: net {shown[0]}, x {shown[1]}, δ {shown[4]}"


# ---------------------------------------------------------------------------------------------------- the reader's own


def test_what_the_reader_draws_goes_through_the_network(page, data) -> None:
    before = page.evaluate(OUTPUT)
    ink = drawn(page, SEVEN)
    shown = page.evaluate(OUTPUT)
    assert shown != before
    assert shown == pytest.approx(
        confidences(embedded_network(data["digit"]), ink), rel=0.05, abs=1e-3
    )  # ink of 3 decimals
    assert page.locator("#digit-samples [aria-pressed=true]").count() == 0
    assert "label" not in page.inner_text("#digit-outcome")


def test_the_network_reads_a_plain_drawing(page) -> None:
    for strokes, answer in ((BAR, 1), (RING, 0), (SEVEN, 7)):
        drawn(page, strokes)
        assert page.inner_text("#digit-outcome strong") == str(answer)


def test_a_drawing_is_centred_by_its_mass_in_a_box_of_20_pixels(page) -> None:
    ink = drawn(page, SEVEN)
    assert centre(ink) == pytest.approx((14, 14), abs=0.1)  # after the last shift pixels are cut anew
    rows, columns = (ink.amax(1) > 0.5).nonzero(), (ink.amax(0) > 0.5).nonzero()
    extent = max(int(rows.max() - rows.min()), int(columns.max() - columns.min())) + 1
    assert 19 <= extent <= 21
    assert ink.max() == 1


def test_where_and_how_large_one_draws_makes_no_difference(page) -> None:
    whole = drawn(page, SEVEN)
    for where in ({"size": 0.5}, {"size": 0.5, "dx": 0.45, "dy": 0.3}, {"dx": 0.1}):
        assert (drawn(page, SEVEN, **where) - whole).norm() < 0.05 * whole.norm()


def test_strokes_add_up_and_a_click_makes_a_dot(page) -> None:
    both = drawn(page, CROSS)
    one = drawn(page, CROSS[:1])
    assert 1.6 * one.sum() < both.sum() < 2 * one.sum()
    assert torch.allclose(both, both.T, atol=0.1)
    dot = drawn(page, [[(0.8, 0.1)]])
    assert centre(dot) == pytest.approx((14, 14), abs=0.1)
    assert 3 < dot.sum() < 6  # the area of a circle of a stroke's width


def test_a_finger_draws_and_does_not_scroll_the_page(fresh_page) -> None:
    page = fresh_page(has_touch=True)
    before = page.evaluate(OUTPUT)
    assert page.evaluate("getComputedStyle(document.querySelector('#digit-pad')).touchAction") == "none"
    page.tap("#digit-pad")
    assert page.evaluate(OUTPUT) != before


def test_clear_and_picking_a_digit_empty_the_pad(page, data) -> None:
    start = page.evaluate(OUTPUT)
    draw(page, BAR)
    page.click("#digit-clear")
    assert page.evaluate(OUTPUT) == start
    draw(page, BAR)
    page.locator("#digit-samples button").nth(data["digit"]["first"]).click()
    assert page.evaluate(OUTPUT) == start
    assert page.locator("#digit-pad polyline").count() == 0
    assert page.is_disabled("#digit-clear")


def test_a_drawing_keeps_the_target_that_the_reader_chose_for_it(page) -> None:
    draw(page, CROSS[:1])
    mean(page, 4)
    draw(page, CROSS[1:])
    assert targets(page) == ["4"]
    page.click("#digit-clear")
    draw(page, BAR)
    assert targets(page) == []


# ------------------------------------------------------------------------------------- what the drawing is meant to be

ASKED = "What did you mean to draw?"
NUMBERS = "#digit-loss, #digit-norms data, #digit-effect data"


def test_no_target_is_assumed_for_a_drawing(page) -> None:
    """The forward pass is shown; what rests on a target says so, and leads to the question."""
    draw(page, SEVEN)
    assert page.inner_text("#digit-meant") == ASKED
    assert targets(page) == []
    assert page.locator("#digit-outputs data").count() == 10  # confidences, no sensitivities
    assert page.locator("#digit-unit-numbers data").count() == 3  # net, x and σ′, no e and no δ
    assert page.locator("#digit-unit-numbers .missing").all_inner_texts() == ["needs t", "needs t"]
    assert page.locator(f"{NUMBERS}, #digit-outputs .aim, #digit .responsible").count() == 0
    assert page.locator("#digit-units button[aria-label*=δ]").count() == 0
    assert not page.locator("#digit-norms-table, #digit-effect-table").and_(page.locator(":visible")).count()
    assert page.inner_text("#digit-aim") == "Without a target t there is no loss, no backward pass and no step."
    for place in ("#digit-outputs .missing", "#digit-reading", "#digit-stepped"):
        assert page.inner_text(place).replace("\n", " ").endswith(f"needs a target t. {ASKED}")
        page.click(f"{place} a")
        assert page.locator("#digit-targets").evaluate(
            "(one) => one.getBoundingClientRect().top < innerHeight && one.getBoundingClientRect().bottom > 0"
        )


def test_the_step_waits_for_a_target_and_says_why(page) -> None:
    draw(page, SEVEN)
    assert page.is_disabled("#digit-step")
    reason = page.locator("#digit-step").get_attribute("aria-describedby")
    assert page.locator(f"#{reason}").is_visible()
    assert page.inner_text(f"#{reason}").startswith("A step needs a target t.")
    mean(page, 7)
    page.click("#digit-step")
    assert page.inner_text("#digit-stepped").startswith("After 1 step (on this digit or on others) the loss of this")
    page.click("#digit-clear")
    draw(page, BAR)
    assert page.is_disabled("#digit-step")
    assert page.is_enabled("#digit-again")


def test_the_answer_is_the_target_of_loss_and_backward_pass(page, data) -> None:
    ink = drawn(page, SEVEN)
    for target in (7, 2):
        assert_is_the_target(page, data, ink, target)


def assert_is_the_target(page: Page, data: dict[str, Any], ink: torch.Tensor, target: int) -> None:
    mean(page, target)
    assert targets(page) == [str(target)]
    t = torch.zeros(1, 10, dtype=torch.float64)
    t[0, target] = 1
    numbers = pass_by_hand(embedded_network(data["digit"]), ink.reshape(1, 784), t, 1.0)
    delta = page.locator("#digit-outputs td:last-child data").evaluate_all("(all) => all.map((one) => +one.value)")
    assert delta == pytest.approx(numbers["δ^2"][0].tolist(), rel=0.05, abs=1e-4)  # ink of 3 decimals
    loss = float(page.locator("#digit-loss").get_attribute("value"))
    assert loss == pytest.approx(numbers["L"].item(), rel=0.05, abs=1e-4)
    assert page.locator("#digit-norms data").count() == 3
    assert page.locator("#digit .missing").count() == 0
    assert page.locator("#digit-outputs tr:has(.aim) th").inner_text().startswith(f"{target} ")


def test_the_question_is_answered_by_keyboard(page) -> None:
    draw(page, SEVEN)
    buttons = page.locator("#digit-targets button")
    assert buttons.evaluate_all("(all) => all.filter((one) => one.tabIndex === 0).length") == 1
    assert page.get_by_role("toolbar", name=ASKED).count() == 1
    buttons.nth(0).focus()
    for key in ("ArrowRight", "End", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    assert targets(page) == ["8"]
    assert buttons.nth(8).evaluate("(one) => one === document.activeElement")


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1024, 768), (640, 360), (360, 740)])
def test_answer_confidence_and_next_best_are_seen_beside_the_pad(fresh_page, width: int, height: int) -> None:
    """Wherever the whole pad is in the window, at its top or at its bottom; the question too, where the desk fits."""
    page = fresh_page(viewport={"width": width, "height": height})
    draw(page, SEVEN)
    if height > 360:
        assert_seen_at_once(page, height)
    verdict = page.locator("#digit-outcome strong, #digit-outcome data")
    assert verdict.count() == 3
    for edge in ("start", "end"):
        page.locator("#digit-pad").evaluate("(pad, block) => pad.scrollIntoView({ block })", edge)
        pad = page.locator("#digit-pad").bounding_box()
        for one in verdict.all():
            box = one.bounding_box()
            assert pad["x"] + pad["width"] <= box["x"], edge
            assert box["x"] + box["width"] <= width, edge
            assert box["y"] >= 0, edge
            assert box["y"] + box["height"] <= height, edge


def assert_seen_at_once(page: Page, height: int) -> None:
    """Pad, verdict and question."""
    page.locator(".digit-desk").evaluate("(one) => one.scrollIntoView()")
    for place in ("#digit-clear", "#digit-pad", "#digit-outcome", "#digit-meant", "#digit-targets", "#digit-aim"):
        box = page.locator(place).bounding_box()
        assert box["y"] >= -1, place  # scrolled to a whole pixel
        assert box["y"] + box["height"] <= height, place


# -------------------------------------------------------------------------------------------------- reached and read


def test_digits_are_picked_by_keyboard_and_the_small_network_stays_where_it_is(page, data) -> None:
    """One stop of the tab key, then arrows, Home and End; Enter picks."""
    page.set_viewport_size({"width": 1280, "height": 16000})  # both are in sight: the walk listens to arrows, too
    assert page.evaluate("document.getElementById('digit').getBoundingClientRect().bottom <= innerHeight")
    at = page.evaluate("lesson.view().at")
    buttons = page.locator("#digit-samples button")
    assert buttons.evaluate_all("(all) => all.filter((one) => one.tabIndex === 0).length") == 1
    buttons.nth(0).focus()
    for key, n in (
        ("ArrowRight", 1),
        ("ArrowDown", 2),
        ("ArrowLeft", 1),
        ("End", 13),
        ("ArrowRight", 0),
        ("ArrowUp", 13),
        ("Home", 0),
    ):
        page.keyboard.press(key)
        assert buttons.nth(n).evaluate("(one) => one === document.activeElement && one.tabIndex === 0"), key
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    x, _ = embedded_digit(data["digit"]["digits"][1])
    assert page.evaluate(OUTPUT) == pytest.approx(confidences(embedded_network(data["digit"]), x), rel=1e-9)
    assert page.locator("#digit-samples [aria-pressed=true]").get_attribute("aria-label") == "Digit 2 of 14, label 1"
    assert page.evaluate("lesson.view().at") == at


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_the_chapter_fits_its_width_and_a_checker_finds_nothing(open_page, width: int, scheme: str) -> None:
    page = open_page(width=width, scheme=scheme)
    page.locator("#digit-samples button").nth(10).click()
    page.click("#digit-step")
    assert_fits(page)
    if width == 360:
        assert violations(page, "#digit") == []
    draw(page, SEVEN)
    assert_fits(page)
    assert violations(page, "#digit") == []


def assert_fits(page: Page) -> None:
    over = page.evaluate(
        """() => [...document.querySelectorAll("#digit, #digit *")].filter((one) => !one.closest(".off-screen")
          && one.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
          .map((one) => one.outerHTML.slice(0, 80))"""
    )
    assert over == []


def test_numbers_that_change_have_room_at_every_width(open_page) -> None:
    """A bar that is squeezed to nothing says nothing."""
    page = open_page(width=360)
    for width in (360, 700, 1060, 1280, 1800):
        page.set_viewport_size({"width": width, "height": 900})
        widths = page.locator("#digit .bar").evaluate_all("(all) => all.map((one) => one.clientWidth)")
        assert min(widths) >= 20, width


def test_steps_of_a_line_are_bounded_by_what_was_drawn(page) -> None:
    """A line has no gaps: neighbouring points of a fast stroke are joined."""
    ink = drawn(page, [[(0.2, 0.2), (0.8, 0.8)]])
    diagonal = ink.diagonal()
    inked = (diagonal > 0.5).nonzero().flatten().tolist()
    assert all(b - a == 1 for a, b in pairwise(inked))
    assert len(inked) >= 17
