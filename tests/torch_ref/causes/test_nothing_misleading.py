"""A cause that is wrong is worse than none: what fits by chance, or says too much, is not claimed."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as fn

import torch_ref
from tests.torch_ref.causes.unreadable import unreadable
from torch_ref.verdict.row import Row


def rows(forward: Callable[..., Tensor], backward: Callable[..., Any], *inputs: Tensor) -> dict[str, Row]:
    report = torch_ref.check_function(forward, backward, [*inputs], power=False)
    return {row.quantity.removeprefix("gradient of "): row for row in report.guilty}


def draw(*shape: int) -> Tensor:
    return torch.randn(shape).double()


def test_two_gradients_in_each_others_place_are_exchanged_whatever_else_gives_one_of_them() -> None:
    def backward(d: Tensor, a: Tensor, x: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        slope = d * (1 - torch.tanh(a @ x + b) ** 2)
        return torch.outer(slope, x), slope, a.t() @ slope

    found = rows(lambda a, x, b: torch.tanh(a @ x + b), backward, draw(4, 4), draw(4), draw(4))
    assert {name: row.code for name, row in found.items()} == {"x": "another-gradient", "b": "another-gradient"}
    assert found["x"].cause == "it is the gradient of b, whose own is that of x: they are exchanged"


def test_a_wrong_sign_of_both_is_no_exchange() -> None:
    found = rows(lambda y, t: (y - t).square().sum() / 2, lambda d, y, t: (d * (t - y), d * (y - t)), draw(6), draw(6))
    assert {row.code for row in found.values()} == {"wrong-sign"}


def test_a_mistake_that_would_move_what_is_right_gives_way_to_one_that_does_not() -> None:
    def backward(d: Tensor, x: Tensor, u: Tensor, v: Tensor, w: Tensor) -> tuple[Tensor, ...]:
        low = torch.tanh(x @ u)
        d_high = d @ w.t()
        d_low = (d_high @ v.t()) * (1 - low * low)
        return d_low @ u.t(), x.t() @ d_low, low.t() @ d_high, low.t() @ d  # (low @ v).t() is meant

    def forward(x: Tensor, u: Tensor, v: Tensor, w: Tensor) -> Tensor:
        return torch.tanh(x @ u) @ v @ w

    found = rows(forward, backward, draw(6, 5), draw(5, 5), draw(5, 5), draw(5, 3))
    assert {name: row.code for name, row in found.items()} == {"w": "another-tensor"}


def scaled(x: Tensor) -> Tensor:
    return x * torch.rsqrt((x * x).mean(1, keepdim=True))


@pytest.mark.parametrize("share", [1 / 2, 3 / 2, 2 / 3])
def test_half_of_a_square_is_a_factor_and_no_part_that_is_missing(share: float) -> None:
    def backward(d: Tensor, x: Tensor) -> Tensor:
        y = scaled(x)
        return y / x * (d - share * y * (d * y).mean(1, keepdim=True))

    (row,) = rows(scaled, backward, draw(4, 3)).values()
    assert row.code == "factor"
    assert "missing" not in row.cause


def test_a_condition_that_the_inputs_never_meet_is_no_state_that_is_kept() -> None:
    def backward(d: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        came = d * ((x @ w > 0) & (x @ w < 200))
        return came @ w.t(), x.t() @ came

    x, w = torch.tensor([[5.0, 20.0], [2.0, 1.0], [2.0, 1.0]]), torch.tensor([[10.0, 9.0, 8.0], [1.0, 2.0, 3.0]])
    found = rows(lambda x, w: torch.relu(x @ w), backward, x.double(), w.double())
    assert found
    assert "keeps-state" not in {row.code for row in found.values()}
    assert all(row.cause.startswith("right at the inputs given, wrong at others") for row in found.values())


@pytest.mark.parametrize(
    ("factor", "code"),
    [
        (lambda x, v: v, "input-too-often"),
        (lambda x, v: 1 / v, "no-pattern"),
        (lambda x, v: torch.sin(v), "no-pattern"),
    ],
)
def test_what_is_multiplied_in_is_an_input_or_no_known_pattern(
    factor: Callable[[Tensor, Tensor], Tensor], code: str
) -> None:
    def forward(x: Tensor, v: Tensor) -> Tensor:
        return torch.sin(v) + 2 * x

    def backward(d: Tensor, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            x, v = x.detach().requires_grad_(), v.detach().requires_grad_()
            d_x, d_v = torch.autograd.grad(forward(x, v), (x, v), d)
        return d_x * factor(x, v), d_v

    (row,) = rows(forward, unreadable(backward), draw(6, 5), draw(6, 5)).values()
    assert row.code == code, row.cause


def test_one_of_several_products_of_a_number_is_a_part_and_no_step() -> None:
    def forward(p: Tensor) -> Tensor:
        x, y, z = p.unbind(1)
        return torch.stack([x * y, x * z, y * z], 1) ** 3

    def backward(d: Tensor, p: Tensor) -> Tensor:
        x, y, z = p.unbind(1)
        a, b, c = (3 * torch.stack([x * y, x * z, y * z], 1) ** 2 * d).unbind(1)
        return torch.stack([a * y, a * x + c * z, b * x + c * y], 1)  # of x, + b * z is left out

    (row,) = rows(forward, unreadable(backward), draw(6, 3)).values()
    assert (row.code, row.cause) == ("part-missing", "the part that comes through the unbind before the mul is missing")


def test_the_first_step_of_a_loop_is_a_step_and_no_projection() -> None:
    def forward(e: Tensor, a: Tensor) -> Tensor:
        h = e[0]
        for step in e[1:]:
            h = torch.logsumexp(h[:, None] + a, 0) + step
        return torch.logsumexp(h, 0)

    def backward(d: Tensor, e: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            e, a = e.detach().requires_grad_(), a.detach().requires_grad_()
            d_e, d_a = torch.autograd.grad(forward(e, a), (e, a), d)
        d_e[0] = 0
        return d_e, d_a

    (row,) = rows(forward, unreadable(backward), draw(5, 4), draw(4, 4)).values()
    assert row.code == "step-missing"


def test_a_factor_of_a_sum_is_a_factor_and_no_slope() -> None:
    def forward(x: Tensor, v: Tensor, k: Tensor) -> Tensor:
        return (x + 0.3 * v) - k * v

    def backward(d: Tensor, x: Tensor, v: Tensor, k: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return d, d - k * d, -(d * v).sum()

    (row,) = rows(forward, unreadable(backward), draw(6), draw(6), draw()).values()
    assert row.code == "factor", row.cause


def test_what_makes_all_weights_equal_is_no_input_that_is_left_out() -> None:
    def forward(x: Tensor, r: Tensor) -> Tensor:
        return (r * x).exp().mean(1).log() / r

    def backward(d: Tensor, x: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
        p, y = torch.softmax(r * x, 1), forward(x, r)
        return (d / x.shape[1])[:, None].expand_as(x).clone(), (d * ((p * x).sum(1) - y) / r).sum()

    (row,) = rows(forward, unreadable(backward), draw(6, 5), torch.tensor(1.3).double()).values()
    assert "left out" not in row.cause, row.cause


def test_one_change_that_explains_two_gradients_is_said_of_both() -> None:
    """That of t has just the other sign here, as all residuals of a row have the same."""

    def forward(y: Tensor, t: Tensor) -> Tensor:
        q = torch.tensor([0.1, 0.5, 0.9]).to(y)
        r = t[:, None] - y
        return torch.maximum(q * r, (q - 1) * r).sum(1).mean()

    def backward(d: Tensor, y: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        q = torch.tensor([0.1, 0.5, 0.9]).to(y)
        r = t[:, None] - y
        d_r = d * torch.where(r < 0, q, q - 1) / len(y)
        return -d_r, d_r.sum(1)

    y = draw(6, 1) + torch.tensor([-0.1, 0.0, 0.1]).double()
    t = y[:, 1] + torch.tensor([3.0, -3.0, 3.0, -3.0, 3.0, 3.0])
    found = rows(forward, backward, y, t)
    changes = [row.why.numbers.get("old") for row in found.values() if row.why]
    assert changes == ["torch.where(r < 0, q, q - 1)"] * 2
    assert found["t"].code == "wrong-mask"
    assert "sign" not in found["t"].cause


def test_what_is_divided_by_the_square_of_a_factor_is_another_power_of_it() -> None:
    def forward(x: Tensor, w: Tensor) -> Tensor:
        v = x.square().mean(1, keepdim=True)
        return x * (v + 0.1).rsqrt() * w

    def backward(d: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        s = (x.square().mean(1, keepdim=True) + 0.1).rsqrt()
        y = x * s
        return (d * w - y * (d * w * y).mean(1, keepdim=True)) / s, (d * y).sum(0)  # * s is meant

    (row,) = rows(forward, backward, draw(6, 5), draw(5)).values()
    assert row.code == "wrong-power"


def test_a_number_in_a_factor_is_a_factor_and_no_other_tensor() -> None:
    def backward(d: Tensor, x: Tensor) -> Tensor:
        s = torch.sigmoid(1.7 * x)
        return d * (s + 1.7 * 1.7 * x * s * (1 - s))

    (row,) = rows(lambda x: x * torch.sigmoid(1.7 * x), unreadable(backward), draw(6, 4)).values()
    assert (row.code, row.cause) == ("factor", "a factor of 1.7 in one of its factors")


def test_another_tensor_in_a_factor_is_named_with_what_it_differs_by() -> None:
    def forward(v: Tensor, g: Tensor) -> Tensor:
        return v / v.norm(dim=0) * g

    def backward(d: Tensor, v: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        n = v.norm(dim=0)
        return g / n * (d - v / n * (d * v / n).sum(0)), (d * v).sum(0)

    (row,) = rows(forward, backward, draw(4, 3), draw(3)).values()
    assert (row.code, "differ by one of shape 3" in row.cause) == ("another-tensor", True)


def test_a_log_softmax_without_its_probabilities_is_not_left_out() -> None:
    def mixture(z: Tensor) -> Tensor:
        return torch.logsumexp(fn.log_softmax(z, 0) + torch.arange(3), 0)

    (row,) = rows(mixture, lambda d, z: d * torch.softmax(z + torch.arange(3), 0), draw(3)).values()
    assert row.code == "term-missing"


def test_what_is_missing_in_a_product_is_a_factor_and_no_derivative() -> None:
    def loss(z: Tensor, t: Tensor) -> Tensor:
        return t.sum(1) * torch.logsumexp(z, 1) - (t * z).sum(1)

    def backward(d: Tensor, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        return d[:, None] * (torch.softmax(z, 1) - t), d[:, None] * (torch.logsumexp(z, 1, keepdim=True) - z)

    (row,) = rows(loss, backward, draw(5, 4), draw(5, 4)).values()
    assert (row.code, row.cause) == ("term-missing", "of a product one factor is missing")


def test_of_an_entry_that_is_picked_there_is_no_sum_to_be_missing() -> None:
    t = torch.tensor([0, 2, 1, 3])

    def margins(z: Tensor) -> Tensor:
        return (z - z.gather(1, t[:, None]) + 1).clamp(min=0).sum()

    def backward(d: Tensor, z: Tensor) -> Tensor:
        others = torch.ones_like(z).scatter(1, t[:, None], 0.0)
        return d * others * (z - z.gather(1, t[:, None]) + 1 > 0)

    (row,) = rows(margins, backward, draw(4, 5)).values()
    assert row.code != "projection-missing"


class TestPlaces:
    def test_one_number_alone_has_no_place(self) -> None:
        (row,) = rows(lambda x: torch.tanh(x), lambda d, x: d * (1 - torch.tanh(x) ** 3), draw(1, 1)).values()
        assert row.code == "no-pattern"

    def test_rows_are_named_unless_a_threshold_tells_which_entries_are_wrong(self) -> None:
        x = torch.rand(4, 5).double()
        x[2, :2] = torch.tensor([3.0, 4.0])

        def by_value(d: Tensor, x: Tensor) -> Tensor:
            return d * torch.cos(x) * torch.where(x > 2, 1.3, 1.0)

        def in_a_row(d: Tensor, x: Tensor) -> Tensor:
            return d * torch.cos(x) * torch.tensor([1.0, 1.0, 1.3, 1.0])[:, None]

        wrong = unreadable(by_value), unreadable(in_a_row)
        (thresholded,), (placed,) = (rows(torch.sin, backward, x).values() for backward in wrong)
        assert thresholded.code == "no-pattern"
        assert (placed.code, placed.cause) == ("only-some", "only row 2 of 4")


def test_a_reversed_mask_is_no_argument_with_the_wrong_sign() -> None:
    def forward(x: Tensor, a: Tensor) -> Tensor:
        return torch.where(x > 0, x, a * x)

    def backward(d: Tensor, x: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        return d * torch.where(x < 0, 1.0, a), (d * torch.where(x > 0, 0.0, x)).sum(0)

    found = rows(forward, unreadable(backward), draw(6, 3), draw(3))
    assert (found["x"].code, found["x"].cause) == ("wrong-mask", "the mask is reversed")


def test_a_factor_of_two_thirds_is_no_mean_over_one_less_where_nothing_has_three_terms() -> None:
    def forward(y: Tensor) -> Tensor:
        return torch.where(y.abs() <= 1.5, 0.5 * y * y, 1.5 * (y.abs() - 0.75)).mean()

    def backward(d: Tensor, y: Tensor) -> Tensor:
        return d * torch.where(y.abs() <= 1.5, y, y.sign()) / y.numel()

    (row,) = rows(forward, backward, 2 * draw(8, 3)).values()
    assert row.cause == "the factor 1.5 of the mul is left out, in the derivative"


def test_the_rows_of_a_kernel_are_no_samples() -> None:
    kernels = draw(2, 1, 3, 3)

    def forward(x: Tensor) -> Tensor:
        return fn.conv2d(x, kernels).pow(2).sum(1)

    def backward(d: Tensor, x: Tensor) -> Tensor:
        e = 2 * d[:, None] * fn.conv2d(x, kernels)
        return fn.conv_transpose2d(e, kernels.flip(0))

    (row,) = rows(forward, backward, draw(3, 1, 6, 6)).values()
    assert row.code == "shifted"
    assert row.cause.startswith("the rows of an operand of the conv2d are exchanged")


def test_coefficients_are_no_batch() -> None:
    def forward(c: Tensor, x: Tensor) -> Tensor:
        return c[0] + x * (c[1] + x * c[2])

    def backward(d: Tensor, c: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.stack([d.sum()] * 3), d * (c[1] + 2 * c[2] * x)

    (row,) = rows(forward, backward, draw(3), draw(10)).values()
    assert "batch" not in row.cause


def test_what_comes_from_one_of_two_outputs_is_no_derivative_that_is_missing() -> None:
    def forward(m: Tensor, s: Tensor, e: Tensor) -> tuple[Tensor, Tensor]:
        return m + s * e, (m * m + s * s).sum() / 2

    def backward(d: Tensor, d_l: Tensor, m: Tensor, s: Tensor, e: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return d, d * e + d_l * s, d * s

    (row,) = rows(forward, backward, draw(4, 3), draw(4, 3), draw(4, 3)).values()
    assert row.code == "part-missing"
