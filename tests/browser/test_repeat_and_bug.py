""" "Just repeat" and "Spot the bug" on the page."""

from __future__ import annotations

import re

import pytest
import torch
from settings import in_manual_bp, sample

from manual_bp import GradientDescent, lecture
from torch_ref import crosscheck
from torch_ref.known.faults import FAULTS
from torch_ref.lesson.walk.quantities import pass_by_hand


@pytest.fixture
def repeat(page):
    page.click("#tab-repeat")
    return page


@pytest.fixture
def bug(page):
    page.click("#tab-bug")
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


def pretty(tensor: str) -> str:
    """Write a tensor's name as the page does: ∂L/∂W²."""
    return re.sub(r"\^(\d)", lambda match: "⁰¹²³⁴"[int(match[1])], tensor)


def on_page(quantity: str) -> str:
    """The page calls the network's output y; the checker distinguishes x^L and what the loss makes of it."""
    return "y" if quantity == "x^2" else quantity


def test_a_bug_is_found_by_accusing_the_formula_that_crosscheck_blames(bug) -> None:
    for _ in range(5):
        bug.get_by_role("button", name="Plant a bug").click()
        view = bug.evaluate(
            """(({ fault, network, wrong }) =>
                 ({ name: fault.name, l: fault.l, network, wrong: [...wrong] }))(lesson.view())"""
        )
        x, t = sample(view["network"])[:2]
        report = crosscheck(FAULTS[view["name"]].plant(in_manual_bp(view["network"]), view["l"]), x, t)
        (guilty,) = [on_page(row.quantity) for row in report.guilty]
        for wrong in {name.split("_")[0] for name in view["wrong"] if "after" not in name} - {guilty}:
            bug.get_by_label(f"The formula of {pretty(wrong)} is wrong", exact=True).click()
            assert "was given wrong numbers" in bug.inner_text("#bug-outcome")
        bug.get_by_label(f"The formula of {pretty(guilty)} is wrong", exact=True).click()
        assert bug.inner_text("#bug-outcome").startswith("Right.")
    assert "A bug is planted" in bug.inner_text("#bench-state")


def plant(page, name: str) -> None:
    """Plant a fault in layer 1."""
    page.evaluate(
        "name => lesson.change({ fault: lesson.plant(lesson.FAULTS.find(one => one.name === name), 1) })", name
    )


def test_an_innocent_formula_is_called_right(bug) -> None:
    plant(bug, "sigmoid-error-no-slope")
    bug.get_by_label("The formula of net¹ is wrong", exact=True).click()
    assert bug.inner_text("#bug-outcome") == "net¹ is right."
    bug.get_by_role("button", name="A hint").click()
    assert bug.inner_text("#bug-outcome") == "Count the factors of the formula."
    bug.get_by_role("button", name="Show me").click()
    assert bug.inner_text("#bug-outcome") == "It is this one. δ¹ (E16): σ′ is left out: δ = e."


def test_a_bug_goes_with_the_network_it_is_in(bug) -> None:
    bug.get_by_role("button", name="Plant a bug").click()
    bug.get_by_role("button", name="Remove it").click()
    assert bug.evaluate("lesson.view().fault") is None
    assert bug.locator("#suspects tr").count() == 0
    bug.get_by_role("button", name="Plant a bug").click()
    bug.evaluate("lesson.change({ start: lesson.DATA.x1.network })")
    assert bug.evaluate("[lesson.view().fault, lesson.view().wrong.size]") == [None, 0]
    assert "bug" not in bug.inner_text("#bench-state")
    assert bug.locator("#bug-outcome").inner_text() == ""


def test_every_fault_can_be_planted_when_the_network_then_changes(bug) -> None:
    changes = (
        "[name=biases]",
        '[data-do="more"][data-layer="1"]',
        '[data-do="fewer"][data-layer="1"]',
        "[data-do=remove-layer]",
    )
    planted = bug.evaluate(
        """changes => lesson.FAULTS.flatMap(fault => changes.map(change => {
             const activation = ["tanh", "relu"].includes(fault.of) ? fault.of : "sigmoid";
             const loss = fault.of === "entropy" ? "cross-entropy" : "squared-error";
             lesson.change({ start: { ...lesson.DATA.x1.network, activation, loss } });
             lesson.change({ fault: lesson.plant(fault, fault.layers(lesson.view().network).at(-1)) });
             document.querySelector(change).click();
             return [lesson.view().fault, document.querySelector("#bench").classList.contains("with-bug")];
           }))""",
        list(changes),
    )
    assert len(planted) > 150
    assert all(one == [None, False] for one in planted)


def test_a_bug_counts_once_as_found_and_not_after_it_was_shown(bug) -> None:
    score = lambda: bug.inner_text("#bug-outcome").rpartition("Found: ")[2]  # noqa: E731
    guilty = "lesson.spoiled(lesson.view().network, lesson.view().fault)[0].replace(/_.*/, '')"
    accuse = lambda: bug.evaluate(f"document.querySelector(`[data-tensor='${{{guilty}}}']`).click()")  # noqa: E731
    bug.click("#plant")
    accuse()
    accuse()
    assert score() == "1 of 1."
    bug.click("#plant")
    bug.click("#give-up")
    accuse()
    assert score() == "1 of 2."


def test_where_no_mistake_would_show_none_is_planted(bug) -> None:
    bug.evaluate(
        """lesson.change({ start: { sizes: [1, 1], activation: "relu", loss: "squared-error", weights: [[[1]]],
             biases: null, x: [0], t: [0], lr: 1 } })"""
    )
    bug.click("#plant")
    assert bug.inner_text("#bug-outcome") == "No mistake would show in these numbers: change the network."
    assert bug.evaluate("lesson.view().fault") is None


def test_with_a_bug_the_panel_marks_what_is_wrong(bug) -> None:
    plant(bug, "sigmoid-error-x-alone")
    bug.evaluate("lesson.change({ step: 'δ^1_1' })")
    bug.click("#tab-walk")
    assert bug.locator("#step .bad dd").inner_text().startswith("off by ")
    planted = FAULTS["sigmoid-error-x-alone"].plant(lecture.x2_network(), l=1)
    x, t = (torch.tensor([row], dtype=torch.float64) for row in (lecture.X2_INPUT, lecture.X2_TARGET))
    wrong = pass_by_hand(planted, x, t, 1.0)["δ^1"][0, 0].item()
    assert float(bug.inner_text("#step .hand dd").replace("−", "-")) == pytest.approx(wrong, rel=1e-14)
    assert bug.locator(".drawing .wrong").count() > 0
