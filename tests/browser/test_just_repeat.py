""" "Just repeat" on the page."""

from __future__ import annotations

import pytest
from settings import in_manual_bp, sample

from manual_bp import GradientDescent


@pytest.fixture
def repeat(page):
    page.click("#tab-repeat")
    return page


def test_updates_are_those_of_gradient_descent(repeat, data) -> None:
    given = data["x2"]["network"]
    network, (x, t) = in_manual_bp(given), sample(given)[:2]
    descent, losses = GradientDescent(network, lr=given["lr"]), []
    for _ in range(12):
        trace = network.forward(x)
        losses.append(network.loss(trace, t).item())
        descent.update(network.backward(trace))
    for button in ("10 updates", "1 update"):
        repeat.get_by_role("button", name=button, exact=True).click()
    view = repeat.evaluate(
        "(({ updates, history, byHand }) => ({ updates, size: history.length, L: byHand.get('L') }))(lesson.view())"
    )
    assert (view["updates"], view["size"]) == (11, 12)
    assert view["L"] == pytest.approx(losses[11], rel=1e-13)
    assert f"{losses[11]:.6f}" in repeat.inner_text("#repeat-outcome")
    cells = repeat.locator("#weights-table tbody tr").evaluate_all(
        "all => all.map(row => [row.cells[0].textContent, row.cells[1].textContent])"
    )
    assert cells == [[str(k), f"{losses[k]:.6f}"] for k in range(12)]
    assert "after 11 updates" in repeat.inner_text("#bench-state")


def test_the_slider_goes_back_and_the_drawing_with_it(repeat) -> None:
    repeat.get_by_role("button", name="100 updates").click()
    weight = lambda: repeat.locator("#edge-2-1-1 ~ .weight title, .weight title").all_text_contents()  # noqa: E731
    after = weight()
    repeat.locator("#updates").fill("0")
    assert weight() != after
    assert repeat.evaluate("lesson.view().lectures")
    assert repeat.locator("#step .slide dd").text_content() == "–"
    repeat.click("#start-again")
    assert repeat.evaluate("lesson.view().history.length") == 1


def test_no_more_than_2000_updates_are_made(repeat) -> None:
    repeat.evaluate("lesson.change({ updates: 1950 })")
    repeat.get_by_role("button", name="100 updates").click()
    assert "2000 updates and no more" in repeat.inner_text("#repeat-outcome")


def test_buttons_curves_and_weights_are_on_one_screen(fresh_page) -> None:
    page = fresh_page(viewport={"width": 1280, "height": 720}, reduced_motion="reduce")
    page.click("#tab-repeat")
    page.evaluate("document.querySelector('#bench').scrollIntoView()")
    page.get_by_role("button", name="100 updates").click()
    end = page.evaluate("document.querySelector('#stepper').getBoundingClientRect().top")
    for what in (".repeat", "#start-again", "#repeat-outcome", "#loss-curve svg", "#weight-curves svg", "#drawing svg"):
        box = page.locator(what).first.bounding_box()
        assert box["y"] >= -1, what
        assert box["y"] + box["height"] <= end + 1, what


def test_the_drawing_shows_the_weights_that_move_whatever_it_showed_before(repeat) -> None:
    repeat.evaluate("lesson.change({ step: '∂L/∂W^1_22' })")
    repeat.get_by_role("button", name="10 updates").click()
    weights = [weight for rows in repeat.evaluate("lesson.view().network.weights") for row in rows for weight in row]
    shown = repeat.locator("#drawing .weight text").all_text_contents()
    assert sorted(map(float, shown)) == pytest.approx(sorted(weights), abs=1e-6)


def test_each_weight_has_a_curve_that_ends_where_it_is_now(repeat) -> None:
    repeat.get_by_role("button", name="10 updates").click()
    curves = repeat.locator("#weight-curves .series").evaluate_all("all => all.map(one => one.dataset.name)")
    assert curves == ["W¹₁₁", "W¹₁₂", "W¹₂₁", "W¹₂₂", "W²₁₁", "W²₁₂"]
    assert repeat.locator("#weight-curves .marker").count() == 6


def test_the_lecture_s_own_rate_is_not_called_too_small(page) -> None:
    assert "too small" not in page.inner_text("main")
    assert page.get_by_text("η = 1, the lecture’s", exact=True).count() == 1
