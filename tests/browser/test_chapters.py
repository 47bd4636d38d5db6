"""The chapters: their numbers are the lecture's, and what their figures compute is what manual_bp computes."""

from __future__ import annotations

import math
import re

import pytest
import torch
from one_weight import losses_of_one_weight

from manual_bp import GradientDescent, lecture

CHAPTERS = (
    *("three-steps", "unit", "function-set", "goodness", "gradient-descent", "chain-rule", "backward-pass"),
    "implementation",
)
EXACT = {number.quantity: number.exact.replace("-", "−") for number in lecture.X2_NUMBERS}
PRINTED = {number.quantity: number.printed.replace("-", "−") for number in lecture.X2_NUMBERS}
X, T = (torch.tensor([row], dtype=torch.float64) for row in (lecture.X2_INPUT, lecture.X2_TARGET))


def text_of(page, selector: str) -> str:
    return page.locator(selector).inner_text()


def numbers_in(text: str) -> list[float]:
    """Return the numbers of a sentence."""
    return [float(found.replace("−", "-")) for found in re.findall(r"−?\d+\.\d+(?:e[−]?\d+)?", text)]


def test_every_section_of_the_lecture_has_its_chapter_with_its_formulas(page) -> None:
    found = page.locator("section.chapter").evaluate_all("all => all.map(one => one.id)")
    assert tuple(found[:8]) == CHAPTERS
    of_chapters = page.locator("section.chapter:not(#digit) .eq").all_text_contents()
    assert set(filter(None, of_chapters)) == {f"E{n}" for n in range(1, 18)}


def test_the_numbers_of_x2_in_the_text_are_the_lecture_s(page) -> None:
    found = page.locator("[data-x2]").evaluate_all(
        "all => all.map(one => [one.dataset.x2, one.dataset.as, one.textContent])"
    )
    shown = {(name, kind): text for name, kind, text in found}
    for name in PRINTED:
        assert shown.get((name, "slide"), PRINTED[name]) == PRINTED[name]
        assert shown.get((name, "exact"), EXACT[name]) == EXACT[name]
        calculation = lecture.on_paper()[name].text
        assert shown.get((name, "calculation"), calculation) == calculation
    assert {name for name, kind in shown if kind == "slide"} == set(PRINTED)
    assert all(text for _, _, text in found)


def test_the_numbers_after_one_update_are_manual_bp_s(page) -> None:
    network = lecture.x2_network()
    trace = network.forward(X)
    network.loss(trace, T)
    GradientDescent(network, lr=lecture.X2_LEARNING_RATE).update(network.backward(trace))
    after = network.forward(X)
    loss = network.loss(after, T).item()
    shown = dict(
        page.locator("[data-as=next]").evaluate_all("all => all.map(one => [one.dataset.x2, one.textContent])")
    )
    assert shown == {"y_1": f"{after.y.item():.6f}", "L": f"{loss:.6f}"}


def test_the_table_of_x1_has_the_printed_and_the_exact_numbers(page) -> None:
    rows = page.locator("#function-set tbody tr").evaluate_all("all => all.map(row => row.innerText.split('\\t'))")
    expected = [number for numbers in lecture.X1_NUMBERS for number in numbers]
    for (_, _, slide, exact), number in zip(rows, expected, strict=True):
        assert slide == number.printed.replace("-", "−")
        assert exact == f"{float(number.exact):.6f}".replace("-", "−")


UNITS = {
    "sigmoid": (lambda z: 1 / (1 + math.exp(-z)), lambda z: math.exp(-z) / (1 + math.exp(-z)) ** 2),
    "tanh": (math.tanh, lambda z: 1 / math.cosh(z) ** 2),
    "relu": (lambda z: max(z, 0.0), lambda z: float(z > 0)),
}


def test_the_unit_s_output_and_slope_follow_its_slider(page) -> None:
    for name, (output, slope) in UNITS.items():
        page.locator(f"#unit input[value={name}]").check()
        slider = page.get_by_role("slider", name="net", exact=True)
        slider.fill("2")
        slider.focus()
        for key, net in (("ArrowRight", 2.1), ("Home", -5.0), ("ArrowRight", -4.9), ("End", 5.0)):
            page.keyboard.press(key)
            found = numbers_in(text_of(page, "#unit .readout"))
            assert found == pytest.approx([output(net), slope(net)], abs=6e-7), (name, net)


def test_both_losses_follow_their_slider(page) -> None:
    slider = page.get_by_role("slider", name="output y")
    for y in (0.01, 0.5, 0.8):
        slider.fill(str(y))
        squared, entropy = numbers_in(text_of(page, "#goodness .readout"))
        assert squared == pytest.approx(0.5 * (0.5 - y) ** 2, abs=6e-7)
        assert entropy == pytest.approx(-math.log(y), abs=6e-7)


def test_the_three_learning_rates_and_the_reader_s_have_manual_bp_s_losses(page) -> None:
    page.locator("#gradient-descent summary").click()
    slider = page.get_by_role("slider", name="learning rate η")
    slider.focus()
    page.keyboard.press("End")
    heads = page.locator("#gradient-descent table.numbers thead th").all_inner_texts()[1:]
    rates = [float(re.findall(r"[\d.]+", head)[0]) for head in heads]
    assert rates == [1, 20, 100, 200]
    rows = page.locator("#gradient-descent table.numbers tbody tr").evaluate_all(
        "all => all.map(row => [...row.querySelectorAll('td')].map(cell => cell.textContent))"
    )
    assert len(rows) == 21
    for column, rate in enumerate(rates):
        shown = [numbers_in(row[column])[0] for row in rows]
        assert shown == pytest.approx(losses_of_one_weight(rate, 20), rel=6e-4, abs=6e-7)


def test_the_three_rates_are_too_small_right_and_too_large() -> None:
    small, right, large = (losses_of_one_weight(rate, 20) for rate in (1, 20, 100))
    assert small == sorted(small, reverse=True)
    assert small[-1] > small[0] / 4
    assert right[-1] < 1e-4 * right[0]
    assert max(large) > large[0]
    assert large[-1] > large[0] / 4


def test_the_chain_s_product_is_its_finite_difference(page) -> None:
    def loss(net: float) -> float:
        return 0.5 * (0.5 - 1 / (1 + math.exp(-net))) ** 2

    slider = page.get_by_role("slider", name="x, which is net²₁")
    for key in ("Home", "ArrowRight", "End"):
        slider.focus()
        page.keyboard.press(key)
        at = numbers_in(slider.get_attribute("aria-valuetext"))[0]
        *factors, product, quotient = numbers_in(text_of(page, "#chain-rule .side:nth-of-type(1) .readout"))
        assert math.prod(factors) == pytest.approx(product, abs=2e-6)
        assert quotient == pytest.approx((loss(at + 1e-5) - loss(at - 1e-5)) / 2e-5, abs=2e-6)
        assert product == pytest.approx(quotient, abs=2e-6)


def test_the_fork_s_sum_is_its_finite_difference(page) -> None:
    (w11, w12), (w21, w22) = lecture.X2_W1
    ((v1, v2),) = lecture.X2_W2

    def net(s: float) -> float:
        hidden = [1 / (1 + math.exp(-(a * lecture.X2_INPUT[0] + b * s))) for a, b in ((w11, w12), (w21, w22))]
        return v1 * hidden[0] + v2 * hidden[1]

    slider = page.get_by_role("slider", name="s, which is the input x⁰₂")
    for key in ("Home", "ArrowRight", "End"):
        slider.focus()
        page.keyboard.press(key)
        at = numbers_in(slider.get_attribute("aria-valuetext"))[0]
        a, b, c, d, total, quotient = numbers_in(text_of(page, "#chain-rule .side:nth-of-type(2) .readout"))
        assert a * b + c * d == pytest.approx(total, abs=2e-6)
        assert quotient == pytest.approx((net(at + 1e-5) - net(at - 1e-5)) / 2e-5, abs=2e-6)
        assert total == pytest.approx(quotient, abs=2e-6)


def test_the_figure_of_the_backward_pass_has_the_numbers_of_x2(page, data) -> None:
    text = page.locator("#backward-pass svg").evaluate(
        "one => [...one.querySelectorAll('text')].map(t => t.textContent).join(' ')"
    )
    by_hand = data["x2"]["byHand"]
    for name in ("e^2_1", "δ^2_1", "e^1_1", "e^1_2", "δ^1_1", "δ^1_2"):
        assert f"{by_hand[name]:.6f}".replace("-", "−") in text
    for output in ("y_1", "x^1_1", "x^1_2"):
        assert f"σ′ = {by_hand[output] * (1 - by_hand[output]):.6f}" in text
