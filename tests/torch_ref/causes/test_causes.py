"""One mistake in one operation of the reference is the cause, whatever the code is called and made of."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as fn

import torch_ref
from tests.torch_ref.causes.unreadable import unreadable

Backward = Callable[..., Any]


def code_of(forward: Callable[..., Tensor], backward: Backward, *inputs: Tensor, of: str | None = None) -> str:
    report = torch_ref.check_function(forward, backward, [*inputs], power=False)
    assert not report.ok
    rows = [row for row in report.guilty if of is None or row.quantity == f"gradient of {of}"]
    return rows[0].code


def draw(*shape: int) -> Tensor:
    return torch.randn(shape)


def gated(x: Tensor, g: Tensor) -> Tensor:
    return torch.tanh(x) * torch.sigmoid(2 * g)


def of_gated(slope: Callable[[Tensor, Tensor], Tensor]) -> Backward:
    def backward(d: Tensor, x: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        s = torch.sigmoid(2 * g)
        return d * s * slope(x, d * s), 2 * d * torch.tanh(x) * s * (1 - s)

    return backward


@pytest.mark.long(but=3)
@pytest.mark.parametrize(
    ("slope", "code"),
    [
        (lambda x, d: torch.ones_like(x), "slope-missing"),
        (lambda x, d: (1 - x.tanh() ** 2) ** 2, "slope-twice"),
        (lambda x, d: 1 - x.tanh().tanh() ** 2, "slope-at-output"),
        (lambda x, d: 1 - x**2, "slope-at-input"),
        (lambda x, d: 1 - d**2, "slope-at-upstream"),
        (lambda x, d: 1 - x.tanh(), "slope-miswritten"),
        (lambda x, d: x.sigmoid() * (1 - x.sigmoid()), "slope-of-another-function"),
        (lambda x, d: 1 - (2 * x).tanh() ** 2, "wrong-argument"),
        (lambda x, d: 1 / (1 - x.tanh() ** 2), "slope-divided"),
        (
            lambda x, d: (1 - x.tanh() ** 2) + 1 / d * (1 - x.tanh() ** 2) * 0 + (1 - x.tanh() ** 2) * (d - 1),
            "upstream-twice",
        ),
    ],
)
def test_the_slope_of_one_operation(slope: Callable[[Tensor, Tensor], Tensor], code: str) -> None:
    assert code_of(gated, of_gated(slope), draw(6, 5), draw(6, 5), of="x") == code


def normed(x: Tensor) -> Tensor:
    return x / x.square().sum(1, keepdim=True).sqrt()


@pytest.mark.long(but=3)
@pytest.mark.parametrize(
    ("backward", "code"),
    [
        (lambda d, y, n: d / n, "projection-missing"),
        (lambda d, y, n: (d + y * (d * y).sum(1, keepdim=True)) / n, "plus-for-minus"),
        (lambda d, y, n: (d - y * (d * y).mean(1, keepdim=True)) / n, "mean-for-sum"),
        (lambda d, y, n: (d - y * (d * y).sum(0, keepdim=True)) / n, "another-axis"),
        (lambda d, y, n: (d - y * (d * y)) / n, "projection-missing"),
        (lambda d, y, n: d - y * (d * y).sum(1, keepdim=True), "term-missing"),
        (lambda d, y, n: (d - y * (d * y).sum(1, keepdim=True)) / n**2, "wrong-power"),
    ],
)
def test_the_projection_of_a_norm(backward: Callable[..., Tensor], code: str) -> None:
    def whole(d: Tensor, x: Tensor) -> Tensor:
        n = x.square().sum(1, keepdim=True).sqrt()
        return backward(d, x / n, n)

    assert code_of(normed, whole, draw(6, 5)) == code


@pytest.mark.parametrize(
    ("backward", "code"),
    [
        (lambda d, p: p * d, "projection-missing"),
        (lambda d, p: d, "softmax-not-differentiated"),
        (lambda d, p: d * p * (1 - p), "softmax-not-differentiated"),
        (lambda d, p: p * (d + (d * p).sum(1, keepdim=True)), "plus-for-minus"),
        (lambda d, p: p * (d - (d * p).mean(1, keepdim=True)), "mean-for-sum"),
        (lambda d, p: p * (d - (d * p).sum(0, keepdim=True)), "another-axis"),
        (lambda d, p: d - (d * p).sum(1, keepdim=True), "term-missing"),
    ],
)
@pytest.mark.long(but=3)
def test_a_softmax(backward: Callable[..., Tensor], code: str) -> None:
    def scaled(x: Tensor) -> Tensor:
        return torch.softmax(x.exp(), 1)

    def whole(d: Tensor, x: Tensor) -> Tensor:
        return backward(d, torch.softmax(x.exp(), 1)) * x.exp()

    assert code_of(scaled, whole, draw(6, 5)) == code


def two_layers(x: Tensor, w: Tensor, v: Tensor) -> Tensor:
    return torch.tanh(x @ w) @ v


def of_two_layers(change: Callable[..., tuple[Tensor, Tensor]]) -> Backward:
    """Return a backward whose gradient of what goes into tanh, and of w, is made by ``change``."""

    def backward(d: Tensor, x: Tensor, w: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = torch.tanh(x @ w)
        dz = (d @ v.t()) * (1 - h * h)
        dx, dw = change(d, x, w, v, h, dz)
        return dx, dw, h.t() @ d

    return backward


@pytest.mark.long(but=4)
@pytest.mark.parametrize(
    ("change", "of", "code"),
    [
        (lambda d, x, w, v, h, dz: (dz @ w, x.t() @ dz), "x", "transposed-weights"),
        (lambda d, x, w, v, h, dz: (dz, x.t() @ dz), "x", "weights-missing"),
        (lambda d, x, w, v, h, dz: (dz @ w.t().abs(), x.t() @ dz), "x", "weights-without-sign"),
        (lambda d, x, w, v, h, dz: (dz @ (w - 0.1 * x.t() @ dz).t(), x.t() @ dz), "x", "stale-weights"),
        (lambda d, x, w, v, h, dz: (dz @ w.t(), h.t() @ dz), "w", "another-tensor"),
        (lambda d, x, w, v, h, dz: (dz @ w.t(), dz.t() @ x), "w", "transposed"),
        (lambda d, x, w, v, h, dz: (dz @ w.t(), x[:-1].t() @ dz[:-1]), "w", "sample-missing"),
        (lambda d, x, w, v, h, dz: (dz @ w.t(), x[:1].t() @ dz[:1]), "w", "one-sample"),
        (lambda d, x, w, v, h, dz: (dz @ w.t(), x.roll(1, 0).t() @ dz), "w", "wrong-sample"),
        (lambda d, x, w, v, h, dz: (dz @ w.t(), x.sum(0)[:, None] * dz.sum(0)), "w", "broadcast-over-batch"),
        (lambda d, x, w, v, h, dz: (dz @ w.t(), torch.ones_like(x).t() @ dz), "w", "input-missing"),
        (lambda d, x, w, v, h, dz: (dz @ w.t(), (x * x).t() @ dz), "w", "input-too-often"),
        (lambda d, x, w, v, h, dz: (dz @ w.t(), x.t() @ (d @ v.t())), "w", "slope-missing"),
    ],
)
def test_a_network_in_one_backward(change: Any, of: str, code: str) -> None:
    inputs = draw(7, 4), draw(4, 4), draw(4, 3)
    assert code_of(two_layers, of_two_layers(change), *inputs, of=of) == code


def test_a_way_that_is_left_out_or_there_twice() -> None:
    def skip(x: Tensor, w: Tensor) -> Tensor:
        return x + torch.tanh(x @ w)

    def backward(times: float) -> Backward:
        def run(d: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
            dz = d * (1 - torch.tanh(x @ w) ** 2)
            return times * d + dz @ w.t(), x.t() @ dz

        return run

    codes = {times: code_of(skip, backward(times), draw(6, 4), draw(4, 4), of="x") for times in (0, 2, -1)}
    assert codes == {0: "part-missing", 2: "part-twice", -1: "plus-for-minus"}


@pytest.mark.parametrize(
    ("d_b", "code"),
    [
        (lambda d, x: d[0], "one-sample"),
        (lambda d, x: d[:-1].sum(0), "sample-missing"),
        (lambda d, x: (d * x).sum(0), "input-too-often"),
        (lambda d, x: d.square().sum(0), "upstream-twice"),
        (lambda d, x: torch.full_like(d[0], len(d)), "upstream-ignored"),
    ],
)
def test_what_was_broadcast_is_summed(d_b: Callable[[Tensor, Tensor], Tensor], code: str) -> None:
    def shifted(x: Tensor, b: Tensor) -> Tensor:
        return x + b

    assert code_of(shifted, lambda d, x, b: (d, d_b(d, x)), draw(6, 5), draw(5), of="b") == code


def test_entries_that_are_looked_up_several_times() -> None:
    rows = torch.tensor([0, 2, 2, 1, 2])

    def backward(d: Tensor, table: Tensor, i: Tensor) -> tuple[Tensor, None]:
        found = torch.zeros_like(table)
        found[i] = d
        return found, None

    assert code_of(lambda table, i: table[i], backward, draw(4, 3), rows) == "duplicates-overwritten"


def test_the_gradient_of_another_input() -> None:
    def backward(d: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return d * a, d * b

    assert code_of(lambda a, b: a * b, backward, draw(5), draw(5)) == "another-gradient"


def test_the_gradient_of_another_value_where_something_was_broadcast() -> None:
    def scaled(x: Tensor, g: Tensor) -> Tensor:
        return torch.sin(x * g) * x

    def backward(d: Tensor, x: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        dx = d * (torch.cos(x * g) * x * g + torch.sin(x * g))
        return dx, (dx * x).sum((0, 2), keepdim=True)[0]  # d cos(x g) x is meant, not dx

    assert code_of(scaled, backward, draw(4, 3, 5), draw(3, 1), of="g") == "another-gradient"


@pytest.mark.parametrize(("rows", "columns"), [(4, 4), (5, 4)])
def test_weights_that_are_the_first_operand_and_were_updated_already(rows: int, columns: int) -> None:
    def backward(d: Tensor, w: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        dw = d @ x.t()
        return dw, (w - 0.1 * dw).t() @ d

    inputs = draw(rows, columns), draw(columns, 6)
    assert code_of(lambda w, x: w @ x, backward, *inputs, of="x") == "stale-weights"


@pytest.mark.parametrize(
    ("d_w", "d_x", "code"),
    [
        (lambda d, w, x: torch.outer(d, torch.ones_like(x)), lambda d, w, x: w.t() @ d, "input-missing"),
        (lambda d, w, x: torch.outer(d, x * x), lambda d, w, x: w.t() @ d, "input-too-often"),
        (lambda d, w, x: torch.outer(d, x), lambda d, w, x: w @ d, "transposed-weights"),
        (lambda d, w, x: torch.outer(d, x), lambda d, w, x: (w - 0.1 * torch.outer(d, x)).t() @ d, "stale-weights"),
    ],
)
def test_a_matrix_and_a_vector(d_w: Any, d_x: Any, code: str) -> None:
    inputs = draw(4, 4), draw(4)
    assert code_of(lambda w, x: w @ x, lambda d, w, x: (d_w(d, w, x), d_x(d, w, x)), *inputs) == code


@pytest.mark.parametrize(
    ("mask", "code"),
    [(lambda x, d: x <= 0, "wrong-mask"), (lambda x, d: d > 0, "wrong-mask"), (lambda x, d: x > 1, "wrong-mask")],
)
def test_the_mask_of_a_choice(mask: Callable[[Tensor, Tensor], Tensor], code: str) -> None:
    def chosen(x: Tensor) -> Tensor:
        return torch.where(x > 0, x.square(), torch.sin(x))

    def backward(d: Tensor, x: Tensor) -> Tensor:
        return d * torch.where(mask(x, d), 2 * x, torch.cos(x))

    assert code_of(chosen, backward, draw(8, 5)) == code


@pytest.mark.long
def test_in_a_loop_the_same_mistake_in_every_step() -> None:
    def run(xs: Tensor, w: Tensor, u: Tensor) -> Tensor:
        h = torch.zeros(len(xs[0]), 3, dtype=xs.dtype)
        for x in xs:
            h = torch.tanh(x @ w + h @ u)
        return h

    def backward(d: Tensor, xs: Tensor, w: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hs = [torch.zeros(len(xs[0]), 3, dtype=xs.dtype)]
        for x in xs:
            hs.append(torch.tanh(x @ w + hs[-1] @ u))
        d_xs, d_w, d_u = torch.zeros_like(xs), torch.zeros_like(w), torch.zeros_like(u)
        for t in reversed(range(len(xs))):
            dz = d  # times 1 − h² is missing
            d_w, d_u = d_w + xs[t].t() @ dz, d_u + hs[t].t() @ dz
            d_xs[t] = dz @ w.t()
            d = dz @ u.t()
        return d_xs, d_w, d_u

    report = torch_ref.check_function(run, backward, [draw(4, 5, 2), draw(2, 3), draw(3, 3)], power=False)
    causes = {row.quantity: row.why for row in report.guilty}
    why = causes["gradient of w"]
    assert why is not None
    assert (why.code, why.text.endswith("in every step")) == ("slope-missing", True)


def test_what_no_mistake_explains_is_not_explained() -> None:
    def backward(d: Tensor, x: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        s = torch.sigmoid(2 * g)
        noise = torch.sin(37 * x + 11 * g)
        return d * s * (1 - x.tanh() ** 2) + noise, 2 * d * torch.tanh(x) * s * (1 - s)

    assert code_of(gated, unreadable(backward), draw(6, 5), draw(6, 5)) == "no-pattern"


def test_a_place_is_not_claimed_where_a_value_explains_it() -> None:
    x = torch.tensor([[1.0, 2.0], [-3.0, 1.0], [2.0, 2.0], [-1.0, -2.0], [0.5, 3.0], [-2.0, -1.0]])

    def of_rows(x: Tensor) -> Tensor:
        return (x.sum(1) * 1.0).relu()[:, None] + x.cos()

    def backward(d: Tensor, x: Tensor) -> Tensor:
        on = (x.sum(1, keepdim=True) > 0).to(x.dtype)
        return d.sum(1, keepdim=True) * on * (1 + torch.sin(9 * x)) - d * x.sin()

    report = torch_ref.check_function(of_rows, unreadable(backward), [x], power=False)
    assert report.guilty[0].code == "no-pattern"
    assert "lies on one side of 0" in report.guilty[0].cause


def test_a_function_of_somebody_s_own_inside_is_not_called_by_the_search() -> None:
    calls = []

    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return 2 * x

        @staticmethod
        def backward(ctx: Any, d: Tensor) -> Tensor:
            calls.append(d.shape)
            return 2 * d

    def forward(x: Tensor) -> Tensor:
        return fn.softplus(Double.apply(x))

    def backward(d: Tensor, x: Tensor) -> Tensor:
        return d * torch.sigmoid(2 * x) + torch.sin(99 * x)

    assert code_of(forward, unreadable(backward), draw(3, 4)) == "no-pattern"
    assert set(calls) == {torch.Size([3, 4])}


def test_a_function_of_somebody_s_own_that_refuses_other_gradients_leaves_the_verdict() -> None:
    class Picky(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return 2 * x

        @staticmethod
        def backward(ctx: Any, d: Tensor) -> Tensor:
            if bool((d == 0).all()) or bool((d == 1).all()):
                raise RuntimeError("no such gradient was expected")
            return 2 * d

    def forward(x: Tensor) -> Tensor:
        return torch.tanh(Picky.apply(x))

    assert code_of(forward, lambda d, x: 2 * d + torch.sin(99 * x), draw(3, 4)) == "no-pattern"
