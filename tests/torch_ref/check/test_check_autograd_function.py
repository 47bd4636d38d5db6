"""A torch.autograd.Function against a reference, however it gets its inputs."""

import pytest
import torch
from cases import blamed
from torch import Tensor

from torch_ref import (
    check_autograd_function,
)


class Product(torch.autograd.Function):
    """x w with what can go wrong: ``wrong`` chooses."""

    wrong = ""

    @staticmethod
    def forward(ctx, x, w, k=1.0):
        ctx.save_for_backward(x, w)
        ctx.k = k
        if Product.wrong == "strides":
            x = torch.as_strided(x, x.shape, (x.shape[1], 1))
        return k * x * w, x.sum(1)

    @staticmethod
    def backward(ctx, d_y, d_s):
        x, w = ctx.saved_tensors
        if Product.wrong == "upstream strides":
            d_y = torch.as_strided(d_y, d_y.shape, (d_y.shape[1], 1))
        if Product.wrong == "needs":
            d_w = (ctx.k * d_y * x).sum(0) if ctx.needs_input_grad[0] else torch.zeros_like(w)
            return ctx.k * d_y * w + d_s[:, None], d_w, None
        if Product.wrong == "second output":
            return ctx.k * d_y * w, (ctx.k * d_y * x).sum(0), None
        return ctx.k * d_y * w + d_s[:, None], (ctx.k * d_y * x).sum(0), None


def product(x: Tensor, w: Tensor, k: float = 1.0) -> tuple[Tensor, Tensor]:
    return k * x * w, x.sum(1)


@pytest.mark.long(but=2)
@pytest.mark.parametrize(
    ("wrong", "quantity", "cause"),
    [
        ("strides", "output 0", "wrong for inputs that are not contiguous"),
        ("upstream strides", "gradient of x", "wrong for upstream gradients that are not contiguous"),
        ("needs", "gradient of w", "wrong where only w needs a gradient"),
        ("second output", "gradient of x", ""),
    ],
)
def test_what_must_not_matter_to_an_autograd_function(monkeypatch, wrong: str, quantity: str, cause: str) -> None:
    inputs = [torch.randn(4, 5), torch.randn(5), 2.0]
    assert check_autograd_function(Product, inputs, product).ok
    monkeypatch.setattr(Product, "wrong", wrong)
    report = check_autograd_function(Product, inputs, product)
    assert blamed(report)[quantity].startswith(cause)


class Keeping(torch.autograd.Function):
    """tanh, which gives its first gradient again where the upstream gradient has one number for all."""

    first = torch.empty(0)

    @staticmethod
    def forward(ctx, x):
        y = torch.tanh(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, d_y):
        (y,) = ctx.saved_tensors
        if 0 in d_y.stride():
            return Keeping.first
        Keeping.first = d_y * (1 - y * y)
        return Keeping.first


def test_what_comes_out_as_before_is_wrong_for_other_numbers() -> None:
    report = check_autograd_function(Keeping, [torch.randn(4, 5)], torch.tanh)
    assert blamed(report)["gradient of x"].startswith("wrong for expanded upstream gradients")


class Flat(torch.autograd.Function):
    """Rows of three, of contiguous tensors alone."""

    @staticmethod
    def forward(ctx, x):
        ctx.shape = x.shape
        return x.view(-1, 3)

    @staticmethod
    def backward(ctx, d_y):
        return d_y.reshape(ctx.shape)


def test_where_a_layout_is_refused_the_report_says_how_to_leave_it_out() -> None:
    report = check_autograd_function(Flat, [torch.randn(4, 6)], lambda x: x.reshape(-1, 3))
    assert blamed(report)["gradient of x"].startswith(
        "wrong for expanded inputs (raises RuntimeError: view size is not"
    )
    assert all(said.endswith("check it with layouts=False") for said in blamed(report).values())
    assert check_autograd_function(Flat, [torch.randn(4, 6)], lambda x: x.reshape(-1, 3), layouts=False).ok
    wrong = check_autograd_function(Keeping, [torch.randn(4, 5)], torch.tanh)
    assert not any("layouts=False" in said for said in blamed(wrong).values()), "numbers that are wrong are no refusal"


def test_a_reference_that_cannot_be_called_is_refused() -> None:
    with pytest.raises(TypeError, match=r"expects a reference that can be called, .* got None$"):
        check_autograd_function(Flat, [torch.randn(4, 6)], None)


def test_a_variant_that_the_reference_cannot_take_is_left_out() -> None:
    """With one row for all, a matrix is singular and a spread is zero: that is no fault of the Function."""

    class Inverse(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = torch.linalg.inv(x)
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, d_y):
            (y,) = ctx.saved_tensors
            return -y.t() @ d_y @ y.t()

    class Spread(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x.std(0)
            ctx.save_for_backward(x, y)
            return y

        @staticmethod
        def backward(ctx, d_y):
            x, y = ctx.saved_tensors
            return d_y * (x - x.mean(0)) / y / (len(x) - 1)

    x = torch.eye(4).double() + 0.1 * torch.randn(4, 4).double()
    assert check_autograd_function(Inverse, [x], torch.linalg.inv).ok
    assert check_autograd_function(Spread, [x], lambda x: x.std(0)).ok


def test_numbers_without_dimensions_are_inputs_too() -> None:
    class Times(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, k):
            ctx.save_for_backward(x, k)
            return x * k

        @staticmethod
        def backward(ctx, d_y):
            x, k = ctx.saved_tensors
            return d_y * k, (d_y * x).sum()

    assert check_autograd_function(Times, [torch.randn(3), torch.tensor(2.0)], lambda x, k: x * k).ok


def test_every_input_is_differentiated_whatever_requires_a_gradient() -> None:
    x, w = torch.randn(4, 5), torch.randn(5, requires_grad=True)
    report = check_autograd_function(Product, [x, w], product)
    assert [row.quantity for row in report.rows] == ["output 0", "output 1", "gradient of x", "gradient of w"]
    assert report.ok


def test_torch_s_gradcheck_has_the_last_word() -> None:
    """Undefined upstream gradients are its business: a Function that does not materialise them must cope."""

    class Fussy(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return 2 * x

        @staticmethod
        def backward(ctx, d):
            return 2 * d

    report = check_autograd_function(Fussy, [torch.randn(4, 5)], lambda x: 2 * x)
    assert not report.ok
    assert "gradcheck" in report.verdict


def test_a_kernel_for_float32_only_is_checked_against_float64() -> None:
    class OnlyFloat(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            if x.dtype != torch.float32:
                raise TypeError("float32 only")
            ctx.save_for_backward(x)
            return torch.exp(x)

        @staticmethod
        def backward(ctx, d_y):
            (x,) = ctx.saved_tensors
            return d_y * torch.exp(x) * OnlyFloat.factor

    OnlyFloat.factor = 1
    report = check_autograd_function(OnlyFloat, [torch.randn(4, 5)], torch.exp)
    assert report.ok
    assert report.rows[1].differences is None, "it has no float64, so no finite differences"
    OnlyFloat.factor = 1.0005
    assert blamed(check_autograd_function(OnlyFloat, [torch.randn(4, 5)], torch.exp)) == {
        "gradient of x": "a constant factor of 1.0005"
    }


def test_each_of_several_outputs_is_explained_by_itself() -> None:
    class Two(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return torch.exp(x), 2 * torch.sin(x)

        @staticmethod
        def backward(ctx, d_e, d_s):
            (x,) = ctx.saved_tensors
            return d_e * torch.exp(x) + d_s * torch.cos(x)

    report = check_autograd_function(Two, [torch.randn(4, 5)], lambda x: (torch.exp(x), torch.sin(x)))
    assert blamed(report) == {"output 1": "a factor of 2"}


def test_something_else_than_a_function_is_named() -> None:
    with pytest.raises(TypeError, match=r"a subclass of torch\.autograd\.Function, got exp"):
        check_autograd_function(torch.exp, [torch.ones(2)], torch.exp)


def test_where_a_gradient_is_no_number_on_both_sides_gradcheck_does_not_go_through_all_entries() -> None:
    calls = []

    class Magnitude(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.square().sqrt()

        @staticmethod
        def backward(ctx, d):
            calls.append(1)
            (x,) = ctx.saved_tensors
            return d * x / x.square().sqrt()

    report = check_autograd_function(Magnitude, [torch.arange(300.0)], lambda x: x.square().sqrt())
    assert report.ok
    assert len(calls) < 100
