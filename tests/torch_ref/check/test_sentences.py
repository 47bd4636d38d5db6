"""What a report says of kinds of mistakes, in a sentence that leads to the place, and how often it says it."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from torch import Tensor

from manual_bp import Sigmoid
from torch_ref import check_autograd_function, check_function, check_layer
from torch_ref.verdict.report import Report

X, W, B = torch.randn(4, 5), torch.randn(3, 5), torch.randn(3)


def linear(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return x @ w.t() + b


def checked(backward: Any, **options: Any) -> Report:
    return check_function(linear, backward, [X.double(), W.double(), B.double()], power=False, **options)


@pytest.mark.parametrize(
    ("at", "said"),
    [((slice(None), 1), "column 1 by 5.0e-01 of its own"), ((2,), "row 2 by 5.0e-01 of its own")],
    ids=["column", "row"],
)
def test_a_slice_that_is_small_beside_the_whole_is_named(at: Any, said: str) -> None:
    def backward(d: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        d_w = d.t() @ x
        d_w[at] *= 1.5
        return d @ w, d_w

    x, w, d = X.double(), W.double(), torch.randn(4, 3).double()
    (x if at[0] != 2 else d)[:, at[-1]] *= 1e-9
    (row,) = check_function(lambda x, w: x @ w.t(), backward, [x, w], upstream=d).guilty
    assert row.remark.endswith(f"of its norm, {said}")


def test_a_slice_of_three_dimensions_is_named_by_its_dimension_and_one_that_should_be_0_as_that() -> None:
    x = torch.rand(2, 3, 4).double() + 1
    x[:, 2] = 0
    off = torch.zeros(2, 3, 4).double()
    off[0, 2] = 1e-10
    (row,) = check_function(lambda x: x * x, lambda d, x: 2 * d * x + off, [x], power=False).guilty
    assert row.remark.endswith("of its norm, slice 2 of dimension 1 should be 0")


def test_a_tolerance_is_not_rounding() -> None:
    x = X.float()
    report = check_function(torch.sin, lambda d, x: d * x.cos() * 1.01, [x], tolerance={torch.float32: 0.1})
    assert report.outcome == "right, with remarks"
    assert "off by 1.0e-02 of its norm, within the tolerance that was given." in report.verdict
    near = check_function(torch.sin, lambda d, x: d * x.cos(), [x], tolerance={torch.float32: 0.1})
    assert near.outcome == "right"


@pytest.mark.parametrize(
    ("backward", "cause"),
    [
        (lambda d, x, w, b: None, "gives None where a tensor is expected"),
        (lambda d, x, w, b: d.nothing, "raises AttributeError"),
    ],
    ids=["None", "raises"],
)
def test_what_failed_for_every_input_is_said_once(backward: Any, cause: str) -> None:
    report = check_function(linear, backward, [t.clone().requires_grad_() for t in (X, W, B)])
    assert len(report.guilty) == 3
    assert report.verdict.count("Likely cause") == 1
    assert report.verdict.startswith("Wrong: gradient of x, gradient of w, gradient of b, <lambda> at ")
    assert cause in report.verdict


def test_two_formulas_that_are_wrong_in_the_same_way_are_named_each() -> None:
    report = checked(lambda d, x, w, b: (-d @ w, -d.t() @ x, d.sum(0)))
    assert report.verdict.count("Likely cause: the sign is wrong.") == 2


def test_a_reference_that_passes_nothing_on_names_the_option() -> None:
    (row,) = check_function(torch.round, lambda d, x: d, [X]).guilty
    assert (row.code, row.remark) == ("not-the-derivative", "the reference is 0 everywhere")
    assert row.cause.startswith("the reference gives no gradient, since it calls round")
    assert row.cause.endswith("differences=False)")
    (row,) = check_function(lambda x: 0 * x, lambda d, x: d, [X]).guilty
    assert row.code != "not-the-derivative"


def test_of_complex_numbers_the_part_that_differs_is_shown() -> None:
    z = torch.tensor([1 + 2j, 3 - 1j])
    (row,) = check_function(lambda z: z * z, lambda d, z: d * 2 * z, [z], power=False).guilty
    seen = row.isolated
    assert seen.part in ("real part", "imaginary part")
    assert abs(seen.by_hand - seen.reference) > 0.1
    report = check_function(lambda z: z * z, lambda d, z: d * 2 * z, [z], power=False)
    assert f"gradient of z at {list(seen.worst)}, {seen.part}: by hand " in report.verdict


def test_a_factor_near_1_has_the_digits_that_tell_it_from_1() -> None:
    report = check_function(torch.exp, lambda d, x: d * x.exp() * (1 + 1e-7), [X.double()], strict=True)
    assert "Likely cause: a constant factor of 1.0000001." in report.verdict


def test_strict_names_a_loss_whose_backward_ignores_its_upstream_gradient() -> None:
    def loss(y: Tensor) -> Tensor:
        return (y * y).sum() / 2

    (row,) = check_function(loss, lambda d, y: y, [X], strict=True).guilty
    assert row.code == "upstream-ignored"
    assert check_function(loss, lambda d, y: y, [X]).ok
    (row,) = check_function(loss, lambda d, y: 2 * y, [X], strict=True).guilty
    assert row.code != "upstream-ignored"


def test_a_gradient_that_is_right_for_the_wrong_forward_is_not_called_right_by_itself() -> None:
    report = check_layer(Sigmoid(), X, torch.tanh)
    assert "Right for the forward formula that is wrong: error of x." in report.verdict
    assert "each right by itself" not in report.verdict


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_where_nothing_is_finite_on_both_sides_float64_decides(dtype: torch.dtype) -> None:
    x = torch.full((4, 3), torch.finfo(dtype).max ** 0.75).to(dtype)

    def cube(x: Tensor) -> Tensor:
        return x**3

    right = check_function(cube, lambda d, x: 3 * d * x * x, [x], power=False, differences=False)
    assert right.ok
    assert all(row.isolated.reason == "not-finite" for row in right.rows)
    name = str(dtype).removeprefix("torch.")
    assert f"gradient of x: right in float64; in {name} no entry is finite, on both sides alike." in right.verdict
    wrong = check_function(cube, lambda d, x: 4 * d * x * x, [x], power=False, differences=False)
    assert [row.quantity for row in wrong.guilty] == ["gradient of x"]
    assert wrong.guilty[0].remark.endswith(f"in float64; nothing is finite in {name}")


def test_an_error_that_grows_like_an_exponential_of_rounding_hides_nothing() -> None:
    z = (1e4 * torch.randn(6, 5)).bfloat16()

    def of(sign: float) -> Report:
        def backward(d: Tensor, z: Tensor) -> Tensor:
            return sign * d[:, None] * torch.softmax(z, 1)

        return check_function(lambda z: torch.logsumexp(z, 1), backward, [z], power=False)

    assert of(1.0).ok
    assert [row.quantity for row in of(-1.0).guilty] == ["gradient of z"]


class ReadsAsItLies(torch.autograd.Function):
    """Its mistake is small: x is small, and tanh′ near 1."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.tanh(x)

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        as_it_lies = x.as_strided(x.shape, (x.shape[1], 1))
        return d * (1 - torch.tanh(as_it_lies) ** 2)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_float64_shows_a_small_mistake_at_another_layout_too(dtype: torch.dtype) -> None:
    report = check_autograd_function(ReadsAsItLies, [(0.01 * torch.randn(6, 5)).to(dtype)], torch.tanh)
    (row,) = report.guilty
    assert row.code == "wrong-for-layout"
    assert "unstable" not in row.cause


class InFloat32(torch.autograd.Function):
    """A kernel: float32 inside, whatever comes in."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.float().sin().to(x.dtype)

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return (d.float() * x.float().cos()).to(x.dtype)


def test_gradcheck_computes_no_whole_jacobian(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 3,000 numbers it has nine million."""
    module = sys.modules[torch.autograd.gradcheck.__module__]
    monkeypatch.setattr(module, "_run_slow_mode_and_get_error", lambda *_: pytest.fail("it computed one"))
    report = check_autograd_function(InFloat32, [torch.randn(60, 50)], lambda x: torch.sin(x.float()).to(x.dtype))
    assert report.ok
    assert not report.note


@pytest.mark.long(but=1)
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_layer_norm_of_one_number_has_no_gradient_whatever_a_kernel_leaves_of_it(
    seed: int, dtype: torch.dtype
) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, w = (torch.randn(shape, generator=generator).to(dtype) for shape in ((5, 1), (1,)))

    def forward(x: Tensor, w: Tensor) -> Tensor:
        return torch.nn.functional.layer_norm(x, (1,), w)

    assert check_function(forward, lambda d, x, w: (torch.zeros_like(x), torch.zeros_like(w)), [x, w]).ok
    wrong = check_function(forward, lambda d, x, w: (torch.zeros_like(x), 1e-3 * (d * x).sum().view(1)), [x, w])
    assert [row.quantity for row in wrong.guilty] == ["gradient of w"]


def test_a_large_input_in_half_precision_beside_weights_in_float32_hides_no_term() -> None:
    """Of many columns the term that is missing is 3 %."""
    x, w = torch.randn(72, 1024).bfloat16(), torch.rand(1024) + 0.5

    def forward(x: Tensor, w: Tensor) -> Tensor:
        h = x.float()
        return (h * (h.pow(2).mean(-1, keepdim=True) + 1e-6).rsqrt() * w).to(x.dtype)

    def backward(d: Tensor, x: Tensor, w: Tensor, term: float = 1.0) -> tuple[Tensor, Tensor]:
        h, k = x.float(), d.float() * w
        r = (h.pow(2).mean(-1, keepdim=True) + 1e-6).rsqrt()
        d_x = r * k - term * r**3 * h * (k * h).mean(-1, keepdim=True)
        return d_x.to(x.dtype), (d.float() * h * r).sum(0)

    assert check_function(forward, backward, [x, w], power=False).ok
    wrong = check_function(forward, lambda d, x, w: backward(d, x, w, 0.0), [x, w], power=False)
    assert [(row.quantity, row.code != "wrong-for-choice") for row in wrong.guilty] == [("gradient of x", True)]
