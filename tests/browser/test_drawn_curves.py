"""What the figures draw is where its numbers say: each point is read back through the ticks of its axes."""

from __future__ import annotations

import math

import pytest
from one_weight import loss_at, losses_of_one_weight, walk_of_one_weight

READ_BACK = """
svg => {
  const ticks = (axis) => [...svg.querySelectorAll(`.ticks-${axis} [data-at]`)].map((tick) => [
    Number(tick.dataset.value), Number(tick.dataset.at), tick.querySelector("text").textContent]);
  const places = (run) => run.getAttribute("points").split(" ").map((place) => place.split(",").map(Number));
  const series = [...svg.querySelectorAll(".series")].map((one) => [
    one.dataset.name, [...one.querySelectorAll("polyline")].flatMap(places)]);
  return { x: ticks("x"), y: ticks("y"), series: Object.fromEntries(series) };
}
"""


DESCENT = "gradient-descent [data-figure=descent]"


class Plot:
    """A plot as drawn: its series in the units of its axes."""

    def __init__(self, locator, *, log: bool = False) -> None:
        self.drawn = locator.evaluate(READ_BACK)
        self.log = log

    def __getitem__(self, name: str) -> list[tuple[float, float]]:
        x, y = self._axis("x", log=False), self._axis("y", log=self.log)
        return [(x(across), y(up)) for across, up in self.drawn["series"][name]]

    def _axis(self, which: str, *, log: bool):
        """Return what takes a place to the value there, a straight line through the outermost ticks."""
        (low, start, _), *_, (high, end, _) = self.drawn[which]
        if log:
            low, high = math.log10(low), math.log10(high)
        along = lambda at: low + (at - start) / (end - start) * (high - low)  # noqa: E731
        return (lambda at: 10 ** along(at)) if log else along


def plot(page, figure: str, index: int = 0, *, log: bool = False) -> Plot:
    return Plot(page.locator(f"#{figure} svg.plot").nth(index), log=log)


def assert_drawn(points: list[tuple[float, float]], function) -> None:
    """Fail where a point is off the function by more than the rounding of its place."""
    assert len(points) > 20
    for x, y in points:
        assert y == pytest.approx(function(x), rel=1e-9, abs=1e-9)


CURVES = {
    "sigmoid": (lambda z: 1 / (1 + math.exp(-z)), lambda z: math.exp(-z) / (1 + math.exp(-z)) ** 2),
    "tanh": (math.tanh, lambda z: 1 / math.cosh(z) ** 2),
    "ReLU": (lambda z: max(z, 0.0), lambda z: float(z > 1e-9)),
}


def test_an_activation_and_its_derivative_are_drawn(page) -> None:
    for name, (output, slope) in CURVES.items():
        page.locator("#unit").get_by_label(name, exact=True).check()
        drawn = plot(page, "unit")
        assert_drawn(drawn[f"σ: {name}"], output)
        assert_drawn(drawn["its derivative σ′"], slope)


def test_both_losses_are_drawn(page) -> None:
    assert_drawn(plot(page, "goodness", 0)["½(t − y)² with t = 0.5"], lambda y: 0.5 * (0.5 - y) ** 2)
    assert_drawn(plot(page, "goodness", 1)["−ln y, y for the right class"], lambda y: -math.log(y))


def test_the_valley_and_the_reader_s_steps_on_it_are_drawn(page) -> None:
    page.get_by_role("slider", name="learning rate η").press("End")
    drawn = plot(page, DESCENT)
    assert_drawn(drawn["L over W²₁₂"], loss_at)
    for place, expected in zip(drawn["the steps with η = 200"], walk_of_one_weight(200, 20), strict=True):
        assert place == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_the_losses_of_three_learning_rates_are_drawn(page) -> None:
    for log in (False, True):
        page.get_by_label("loss over updates on a logarithmic scale").set_checked(log)
        drawn = plot(page, DESCENT, 1, log=log)
        for name, rate in (("η = 1, the lecture’s", 1), ("η = 20, faster", 20), ("η = 100, too large", 100)):
            updates, losses = zip(*drawn[name], strict=True)
            assert updates == pytest.approx(range(21), abs=1e-9)
            expected = losses_of_one_weight(rate, 20)
            assert losses == pytest.approx(expected, rel=1e-6, abs=0 if log else 1e-12), (name, log)


def test_the_logarithmic_axis_names_its_powers_of_ten(page) -> None:
    page.get_by_label("loss over updates on a logarithmic scale").check()
    ticks = plot(page, DESCENT, 1, log=True).drawn["y"]
    superscripts = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    assert len(ticks) >= 3
    for value, _, text in ticks:
        assert value == pytest.approx(10 ** int(text.removeprefix("10").translate(superscripts)))


def test_ticks_are_named_by_their_values(page) -> None:
    places = (("unit", 0), ("goodness", 0), ("goodness", 1), (DESCENT, 0))
    for chapter, index in (*places, ("three-steps", 0), ("function-set", 0), ("gradient-descent", 0)):
        drawn = plot(page, chapter, index).drawn
        for value, _, text in drawn["x"] + drawn["y"]:
            assert float(text.replace("−", "-")) == pytest.approx(value, abs=1e-12)
