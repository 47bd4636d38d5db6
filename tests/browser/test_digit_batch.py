"""One step on a batch of the page's digits: every contribution, sum and loss against manual_bp and autograd.

Both sides calculate in float64 from the same float32 weights and differ only in the order of their sums.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from accessibility import violations
from digit_network import embedded_digit, embedded_network
from playwright.sync_api import Page
from torch import Tensor

from manual_bp import Network, SquaredError

ROUNDING = 1e-10
Weight = tuple[int, int, int]
"""Layer, row and column as the page's fields have them: rows and columns from 0."""

READ = """(id) => [...document.querySelectorAll(`#${id} tbody tr, #${id} tfoot tr`)].map((row) =>
  [...row.querySelectorAll("data")].map((one) => Number(one.value)))"""


class Batch:
    """The first N digits of the page, and what manual_bp makes of them."""

    def __init__(self, data: dict[str, Any], n: int) -> None:
        samples = [embedded_digit(digit) for digit in data["digits"][:n]]
        self.n, self.x, self.t = n, *(torch.cat(parts) for parts in zip(*samples, strict=True))
        self.start = embedded_network(data)

    def passed(self, rows: slice = slice(None)) -> tuple[Tensor, Any, Any]:
        """Return loss, trace and gradients of the sum over some rows (E7)."""
        network = Network(self.start.layers, SquaredError(reduction="sum"))
        trace = network.forward(self.x[rows])
        return network.loss(trace, self.t[rows]), trace, network.backward(trace)

    def stepped(self, lr: float, factor: float, rows: slice = slice(None)) -> dict[str, Tensor]:
        """Return the parameters after θ ← θ − η · factor · Σ_n (E9)."""
        gradients = self.passed(rows)[2]
        return {name: value - lr * factor * gradients[name] for name, value in self.start.parameters().items()}

    def losses(self, parameters: dict[str, Tensor]) -> Tensor:
        """Return each sample's loss (E6) with other parameters, as torch's own operations have it."""
        x1 = torch.sigmoid(self.x @ parameters["0.weight"].T + parameters["0.bias"])
        y = torch.sigmoid(x1 @ parameters["2.weight"].T + parameters["2.bias"])
        return (0.5 * (self.t - y) ** 2).sum(1)


def choose(page: Page, *, n: int, way: str, lr: str = "3", weight: Weight | None = None) -> None:
    page.select_option("#batch-size", str(n))
    page.select_option("#batch-rate", lr)
    page.check(f"[name=way][value={way}]")
    if weight:
        for name, index in zip(("layer", "row", "column"), (weight[0] - 1, *weight[1:]), strict=True):
            page.select_option(f"#batch-{name}", index=index)


def chosen_weight(page: Page) -> Weight:
    layer, row, column = (int(page.input_value(f"#batch-{name}")) for name in ("layer", "row", "column"))
    return layer, row, column


def close(shown: list[float], wanted: Tensor) -> bool:
    return bool((torch.tensor(shown, dtype=torch.float64) - wanted).norm() <= ROUNDING * wanted.norm())


def test_every_contribution_and_its_sum_are_manual_bp_s(page, data) -> None:
    choose(page, n=10, way="mean")
    assert_contributions_right(page, Batch(data["digit"], 10))  # of the weight that comes first
    for weight in ((2, 5, 29), (1, 25, 266)):
        for n in (1, 5, 10, 14):
            choose(page, n=n, way="mean", weight=weight)
            assert chosen_weight(page) == weight
            assert_contributions_right(page, Batch(data["digit"], n))


def assert_contributions_right(page: Page, batch: Batch) -> None:
    n, (l, i, j) = batch.n, chosen_weight(page)
    _, trace, gradients = batch.passed()
    delta, x = gradients.delta(l)[:, i], trace.x(l - 1)[:, j]
    rows = page.evaluate(READ, "digit-shares")
    for at, shown in enumerate((delta, x, -delta * x)):
        assert close([row[at] for row in rows[:n]], shown)
    name = f"{2 * l - 2}.weight"
    total = gradients[name][i, j].item()
    before = batch.start.parameters()[name][i, j].item()
    assert rows[n:] == [pytest.approx([of], rel=1e-9) for of in (total, total / n, before, before - 3 * total / n)]
    losses = page.evaluate(READ, "digit-losses")
    columns = [batch.losses(batch.start.parameters()), batch.losses(batch.stepped(3, 1 / n))]
    for at, wanted in enumerate(columns):
        assert close([row[at] for row in losses], torch.cat([wanted, torch.stack([wanted.sum(), wanted.mean()])]))


def test_the_step_on_the_batch_is_autograd_s(page, data) -> None:
    for weight in ((2, 8, 29), (1, 25, 266)):
        for way in ("mean", "sum"):
            assert_step_is_autograd_s(page, Batch(data["digit"], 10), way, weight)


def assert_step_is_autograd_s(page: Page, batch: Batch, way: str, weight: Weight) -> None:
    choose(page, n=10, way=way, lr="0.3", weight=weight)
    parameters = {name: value.clone().requires_grad_() for name, value in batch.start.parameters().items()}
    losses = batch.losses(parameters)
    (losses.mean() if way == "mean" else losses.sum()).backward()
    after = {name: (value - 0.3 * value.grad).detach() for name, value in parameters.items()}
    assert close([row[1] for row in page.evaluate(READ, "digit-losses")[:10]], batch.losses(after))
    l, i, j = weight
    moved = page.evaluate(READ, "digit-shares")[-1][0]
    assert moved == pytest.approx(after[f"{2 * l - 2}.weight"][i, j].item(), rel=1e-12)


def test_one_over_n_left_out_makes_the_step_n_times_as_long(page, data) -> None:
    batch = Batch(data["digit"], 10)
    choose(page, n=10, way="whole")
    *_, before, after, mistaken = (row[0] for row in page.evaluate(READ, "digit-shares"))
    assert mistaken - before == pytest.approx(10 * (after - before), rel=1e-9)
    losses = page.evaluate(READ, "digit-losses")
    assert close([row[2] for row in losses[:10]], batch.losses(batch.stepped(3, 1)))
    start, right, wrong = losses[10]
    assert right < start < wrong
    said = f"C rises from {start:.6f} to {wrong:.6f}; without the mistake it would be {right:.6f}."
    assert page.inner_text("#batch-words") == f"The step is 10 times as long as it should be. {said}"


def test_only_the_last_sample_counts_where_the_sum_is_missing(page, data) -> None:
    batch = Batch(data["digit"], 14)
    choose(page, n=14, way="last")
    rows = page.evaluate(READ, "digit-shares")
    assert rows[16][0] == pytest.approx(rows[13][2] / 14, rel=1e-12)
    *_, before, _, mistaken = (row[0] for row in rows)
    assert before - mistaken == pytest.approx(3 * rows[16][0], rel=1e-6, abs=1e-15)
    losses = page.evaluate(READ, "digit-losses")
    assert close([row[2] for row in losses[:14]], batch.losses(batch.stepped(3, 1 / 14, slice(13, 14))))
    assert page.locator("#digit-shares .lost").count() == 13
    assert page.inner_text("#batch-words").startswith("13 of 14 samples are lost. C falls from ")


def test_a_batch_of_one_cannot_show_a_mistake(page) -> None:
    for way in ("whole", "last"):
        choose(page, n=1, way=way)
        for row in page.evaluate(READ, "digit-losses"):
            assert row[1] == row[2], way
        words = page.inner_text("#batch-words")
        assert words == "With N = 1 the mistake changes nothing: one sample cannot show it.", way


def test_what_the_step_takes_is_marked(page) -> None:
    for way, taken, bad in (("mean", "1/N Σ", 0), ("sum", "Σ", 0), ("whole", "Σ", 1), ("last", "1/N, last alone", 1)):
        choose(page, n=10, way=way)
        assert page.locator("#digit-shares tfoot tr:has(.aim) th").all_inner_texts() == [f"{taken} taken"], way
        assert page.locator("#digit-shares .aim.bad").count() == bad, way


def test_the_sum_at_a_rate_is_the_mean_at_n_times_the_rate(page) -> None:
    """And it is the step of the training: η = 0.3 for the sum over ten."""
    choose(page, n=10, way="mean", lr="3")
    mean = torch.tensor([row[1] for row in page.evaluate(READ, "digit-losses")], dtype=torch.float64)
    choose(page, n=10, way="sum", lr="0.3")
    assert close([row[1] for row in page.evaluate(READ, "digit-losses")], mean)


def test_the_weight_that_comes_first_shows_what_several_samples_add(page) -> None:
    for layer in ("2", "1"):
        page.select_option("#batch-layer", layer)
        shares = [abs(row[2]) for row in page.evaluate(READ, "digit-shares")[:10]]
        assert sum(share >= 1e-3 for share in shares) >= 3
        labels = [page.locator(f"label:has(#batch-{name})").text_content() for name in ("row", "column")]
        ends = ("to unit", "from pixel") if layer == "1" else ("to digit", "from unit")
        assert [label.startswith(end) for label, end in zip(labels, ends, strict=True)] == [True, True]
    name = page.locator("#digit-shares tfoot th").nth(2).inner_text()
    assert name == "W¹₂₆,₂₆₇ before"


def test_steps_on_a_digit_move_the_batch_s_weights_too(page) -> None:
    before = page.evaluate(READ, "digit-losses")
    page.click("#digit-step")
    moved = page.evaluate(READ, "digit-losses")
    assert moved[5][0] < before[5][0]  # the digit that the page begins with
    page.click("#digit-again")
    assert page.evaluate(READ, "digit-losses") == before


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1024, "dark"), (1280, None)])
def test_the_batch_fits_its_width_and_a_checker_finds_nothing(open_page, width: int, scheme: str | None) -> None:
    """The whole page is checked at 1280 px, in test_page.py."""
    page = open_page(width=width, scheme=scheme or "light")
    for way in ("whole", "last"):
        choose(page, n=14, way=way, weight=(1, 25, 266))
        if way == "last" and scheme:
            assert violations(page, "#digit-batch") == []
        over = page.locator("#digit-batch *").evaluate_all(
            "(all) => all.filter((one) => one.getBoundingClientRect().right > innerWidth + 0.5).map((one) => one.id)"
        )
        assert over == []
