"""The page's digit: every number of 784-30-10 against manual_bp on the same weights, before and after a step.

Both sides calculate in float64 from the same float32 weights and differ only in the order of their sums, 784 terms
at most: some 1e-13 of a vector's length. An error of 0.05 % in any formula is a billion times as much.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from digit_network import embedded_digit, embedded_network
from playwright.sync_api import Page
from torch import Tensor

from manual_bp import GradientDescent, Network
from torch_ref.lesson.walk.quantities import pass_by_hand

ROUNDING = 1e-11
Numbers = dict[str, list[float]]

READ = """() => {
  const values = (selector) => [...document.querySelectorAll(selector)].map((one) => Number(one.value));
  const units = [...document.querySelectorAll("#digit-units button")].map((button) => {
    button.dispatchEvent(new PointerEvent("pointerenter"));
    return values("#digit-unit-numbers data");
  });
  const outputs = [...document.querySelectorAll("#digit-outputs tr")].map((row) =>
    [...row.querySelectorAll("data")].map((one) => Number(one.value)));
  const column = (rows, at) => rows.map((row) => row[at]);
  return {
    "net^1": column(units, 0), "x^1": column(units, 1),
    "e^1": column(units, 2), "σ′": column(units, 3), "δ^1": column(units, 4),
    "y": column(outputs, 0), "δ^2": column(outputs, 1), "L": values("#digit-loss"),
    "norms": values("#digit-norms data"), "effect": values("#digit-effect data"),
  };
}"""


def pick(page: Page, n: int) -> None:
    page.locator("#digit-samples button").nth(n).click()


def aim(page: Page, target: int) -> None:
    page.locator("#digit-targets button").nth(target).click()


def take_step(page: Page, lr: str) -> None:
    page.select_option("#digit-rate", lr)
    page.click("#digit-step")


def expected(network: Network, digit: dict[str, Any], target: int | None = None) -> dict[str, Tensor]:
    """Return what manual_bp computes, by the names under which ``READ`` finds it on the page."""
    x, t = embedded_digit(digit, target)
    of = pass_by_hand(network, x, t, 1.0)
    numbers = {name: of[name].flatten() for name in ("net^1", "x^1", "e^1", "δ^1", "y", "δ^2", "L")}
    norms = [of[name].norm() for name in ("δ^2", "e^1", "δ^1")]
    return numbers | {"σ′": numbers["x^1"] * (1 - numbers["x^1"]), "norms": torch.stack(norms)}


def updated(network: Network, digit: dict[str, Any], lr: float, target: int | None = None) -> Network:
    """Return the network after one update by manual_bp (E9)."""
    own = Network(network.layers, network.loss_function)
    x, t = embedded_digit(digit, target)
    trace = own.forward(x)
    own.loss(trace, t)
    GradientDescent(own, lr=lr).update(own.backward(trace))
    return own


def percent(length: str) -> float:
    return float(length.removesuffix("%"))


def assert_same(shown: Numbers, wanted: dict[str, Tensor]) -> None:
    for name, tensor in wanted.items():
        difference = torch.tensor(shown[name], dtype=torch.float64) - tensor
        assert difference.norm() <= ROUNDING * tensor.norm(), name


def test_every_number_of_every_digit_is_manual_bp_s(page, data) -> None:
    network = embedded_network(data["digit"])
    for n, digit in enumerate(data["digit"]["digits"]):
        pick(page, n)
        wanted = expected(network, digit)
        assert_same(page.evaluate(READ), wanted)
        total = float(page.locator("#digit-sum data").get_attribute("value"))
        assert total == pytest.approx(wanted["y"].sum().item(), rel=ROUNDING)


def test_the_reader_s_target_goes_through_the_backward_pass(page, data) -> None:
    first = data["digit"]["digits"][data["digit"]["first"]]
    for target in (0, 3):
        aim(page, target)
        assert_same(page.evaluate(READ), expected(embedded_network(data["digit"]), first, target))
        assert page.locator("#digit-outputs tr:has(.aim) th").inner_text().startswith(f"{target} ")
    pick(page, 2)
    assert page.inner_text("#digit-targets [aria-pressed=true]") == "2"
    assert page.inner_text("#digit-meant") == "Target: the label is 2"


def test_one_step_of_descent_is_manual_bp_s(page, data) -> None:
    """The weights are seen through what they do: net^1 and y, of this digit and of another one."""
    for lr in ("0.1", "0.3", "1", "3"):
        assert_one_step_right(page, data, lr)
        page.click("#digit-again")


def assert_one_step_right(page: Page, data: dict[str, Any], lr: str) -> None:
    digits, before = data["digit"]["digits"], embedded_network(data["digit"])
    pick(page, 10)
    take_step(page, lr)
    after = updated(before, digits[10], float(lr))
    shown = page.evaluate(READ)
    assert_same(shown, expected(after, digits[10]))
    then, now = expected(before, digits[10]), expected(after, digits[10])
    label = digits[10]["label"]
    assert_same(shown, {"effect": torch.stack([then["L"][0], now["L"][0], then["y"][label], now["y"][label]])})
    pick(page, 3)
    assert_same(page.evaluate(READ), expected(after, digits[3]))


def test_a_step_goes_towards_the_reader_s_target(page, data) -> None:
    digit, before = data["digit"]["digits"][4], embedded_network(data["digit"])
    pick(page, 4)
    aim(page, 8)
    take_step(page, "3")
    assert_same(page.evaluate(READ), expected(updated(before, digit, 3.0, 8), digit, 8))


def test_a_step_moves_each_layer_s_weights_as_far_as_manual_bp_does(page, data) -> None:
    """Against the change itself: what a step adds to net^1 and net^2 is small beside them."""
    first = data["digit"]["digits"][10]
    before = embedded_network(data["digit"])
    pick(page, 10)
    old = page.evaluate(READ)
    take_step(page, "0.1")
    new = page.evaluate(READ)
    then, now = expected(before, first), expected(updated(before, first, 0.1), first)
    for name in ("net^1", "y", "L"):
        moved = torch.tensor(new[name], dtype=torch.float64) - torch.tensor(old[name], dtype=torch.float64)
        wanted = now[name] - then[name]
        assert (moved - wanted).norm() <= 1e-8 * wanted.norm(), name


def test_steps_add_up_and_start_again_takes_all_of_them_back(page, data) -> None:
    digit, network = data["digit"]["digits"][data["digit"]["first"]], embedded_network(data["digit"])
    start = page.evaluate(READ)
    assert page.is_disabled("#digit-again")
    for lr in ("1", "0.3"):
        take_step(page, lr)
        network = updated(network, digit, float(lr))
    shown = page.evaluate(READ)
    assert_same(shown, expected(network, digit))
    assert shown["L"] < start["L"]
    said = page.inner_text("#digit-stepped")
    losses = f"from {start['L'][0]:.6f} to {shown['L'][0]:.6f};"
    assert said.startswith(f"After 2 steps (on this digit or on others) the loss of this digit falls {losses}")
    page.click("#digit-again")
    assert page.evaluate(READ) == start
    assert page.inner_text("#digit-stepped") == ""


def test_bars_are_as_long_as_their_numbers(page) -> None:
    pick(page, 10)
    before = page.evaluate(READ)
    take_step(page, "1")
    shown = page.evaluate(READ)
    bars = page.evaluate(
        """() => [...document.querySelectorAll("#digit-outputs tr")].map((row) => {
          const [y, delta] = row.querySelectorAll(".bar b");
          return [y.style.width, row.querySelector(".ghost").style.left, delta.style.width, delta.className];
        })"""
    )
    most = max(map(abs, shown["δ^1"] + shown["δ^2"]))
    for k, (y, ghost, delta, side) in enumerate(bars):
        assert percent(y) == pytest.approx(100 * shown["y"][k], abs=0.006)
        assert percent(ghost) == pytest.approx(100 * before["y"][k], abs=0.006)
        assert percent(delta) == pytest.approx(50 * abs(shown["δ^2"][k]) / most, abs=0.006)
        assert side == ("negative" if shown["δ^2"][k] < 0 else "positive")


def test_the_units_that_react_and_the_most_responsible_one_are_marked(page) -> None:
    for n in (0, 7, 11):
        pick(page, n)
        assert (
            page.locator("#digit-unit-title").inner_text()
            == page.inner_text("#digit-reading").split(" is ")[0] + " of the hidden layer"
        )
        shown = page.evaluate(READ)
        marked = page.evaluate(
            """(name) => [...document.querySelectorAll("#digit-units button")].flatMap((one, i) =>
              one.classList.contains(name) ? [i] : [])""",
            "reacts",
        )
        assert marked == [i for i, x in enumerate(shown["x^1"]) if x > 0.9]
        most = max(range(30), key=lambda i: abs(shown["δ^1"][i]))
        assert page.locator("#digit-units button").nth(most).get_attribute("class").endswith("responsible")
        assert f"Unit {most + 1} is" in page.inner_text("#digit-reading")
        share = 100 * shown["norms"][2] / shown["norms"][1]
        assert f"here {share:.1f} %" in page.inner_text("#digit-reading")


def test_the_verdict_says_answer_label_confidence_and_the_next_best(page, data) -> None:
    network = embedded_network(data["digit"])
    for n, verdict in ((4, "right"), (10, "wrong: the label is 7")):
        pick(page, n)
        digit = data["digit"]["digits"][n]
        y = expected(network, digit)["y"].tolist()
        answer, second = sorted(range(10), key=y.__getitem__, reverse=True)[:2]
        assert page.locator("#digit-outcome p").all_text_contents() == [
            f"The network says {answer}{verdict}",
            f"confidence: {y[answer]:.6f}",
            f"next best {second}: {written(y[second])}",
        ]
        bars = page.locator("#digit-outcome .bar b").evaluate_all("(all) => all.map((one) => one.style.width)")
        assert [percent(bar) for bar in bars] == pytest.approx([100 * y[answer], 100 * y[second]], abs=0.006)
        assert page.inner_text("#digit-aim").startswith(f"For the target {digit['label']} the loss L is ")
    assert page.locator("#digit-outcome").get_attribute("aria-live") == "polite"
    assert f"Of 1,000 others it gets {data['digit']['test']['right']} right." in page.inner_text("#digit-training")


def written(value: float) -> str:
    """Write a confidence as the page does."""
    return f"{value:.6f}" if value >= 1e-4 else f"{value:.3e}".replace("e-0", "e−")
