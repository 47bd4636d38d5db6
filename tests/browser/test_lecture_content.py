"""What the lecture has beside its formulas: its examples to open, its pictures, its questions, worked through live."""

from __future__ import annotations

import pytest

from manual_bp import lecture


@pytest.mark.parametrize(
    ("name", "x", "outputs"),
    [
        ("Open X1 in the network", [1, -1], ("0.617705", "0.829124")),
        ("Open X1 with the input (0, 0)", [0, 0], ("0.511847", "0.854384")),
    ],
)
def test_x1_opens_in_the_network(page, name: str, x: list[float], outputs: tuple[str, str]) -> None:
    page.get_by_role("button", name=name).click()
    assert page.evaluate("lesson.view().network.x") == x
    assert page.locator("#bench").evaluate("one => Math.abs(one.getBoundingClientRect().top)") < 20
    state = page.locator("#bench-state")
    assert state.inner_text().startswith("The lecture’s example X1 (the target is ours): 2-2-2-2, sigmoid")
    page.click("#tab-table")
    table = page.inner_text("#numbers")
    assert all(output in table for output in outputs)
    page.click("#settings summary")
    page.locator("[data-at='weights.0.0.0']").fill("1.5")
    assert state.inner_text().startswith("Your own numbers")


def test_the_settings_have_x1_too(page) -> None:
    page.click("#settings summary")
    button = page.locator("#settings").get_by_role("button", name="The lecture’s X1")
    button.click()
    assert page.evaluate("lesson.view().network.weights[0]") == [[1, -2], [-1, 1]]
    assert button.is_disabled()
    page.locator("#settings [data-do=lecture]").click()
    assert page.evaluate("lesson.view().network.weights[0]") == lecture.X2_W1
    assert button.is_enabled()
