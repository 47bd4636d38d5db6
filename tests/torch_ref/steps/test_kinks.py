"""At a kink or a tie any value between the one-sided derivatives is right; beside it, or beyond it, none is."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from torch_ref import check_function
from torch_ref.numbers.agreement import Comparison

X = torch.tensor([[1.0, 0.0, -2.0], [0.0, 3.0, -1.0], [2.0, 1.0, -3.0], [-0.5, 1.5, 0.5]], dtype=torch.float64)


def looked(backward: Callable[..., Any], x: Tensor = X, forward: Callable[..., Any] = torch.relu) -> Comparison:
    """Return how the gradient of x compares."""
    return check_function(forward, backward, [x], differences=False, power=False).rows[-1].isolated


def slope_at_zero(value: float) -> Callable[..., Tensor]:
    return lambda d, x: d * torch.where(x == 0, value, (x > 0).to(x.dtype))


@pytest.mark.long(but=3)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("value", [0.3, 0.5, 1.0])
def test_any_slope_between_those_at_both_sides_is_right(value: float, dtype: torch.dtype) -> None:
    found = looked(slope_at_zero(value), X.to(dtype))
    assert (found.status, found.reason) == ("rounding", "kink")
    assert found.remark.startswith("at a kink: any value from ")
    assert found.remark.endswith(" (and at 1 more)")
    assert "is right at [0, 1], by hand it is " in found.remark


@pytest.mark.long(but=3)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("value", [-0.2, 1.2])
def test_a_slope_beyond_those_at_both_sides_is_wrong(value: float, dtype: torch.dtype) -> None:
    assert looked(slope_at_zero(value), X.to(dtype)).status == "wrong"


@pytest.mark.long(but=2)
@pytest.mark.parametrize("size", [100.0, 1.0, -1.0])
@pytest.mark.parametrize(("beyond", "status"), [(5e-7, "rounding"), (5e-6, "wrong")])
def test_beyond_by_a_millionth_of_the_largest_is_rounding(size: float, beyond: float, status: str) -> None:
    found = looked(lambda d, x: size * slope_at_zero(1 + beyond)(d, x), X, lambda x: size * torch.relu(x).sum())
    assert found.status == status


def test_at_some_kinks_the_formula_may_choose_as_the_reference_does() -> None:
    def one_of_two(d: Tensor, x: Tensor) -> Tensor:
        chosen = torch.zeros_like(x)
        chosen[0, 1] = 0.5
        return d * torch.where(x == 0, chosen, (x > 0).to(x.dtype))

    found = looked(one_of_two)
    assert found.reason == "kink"
    assert "at [0, 1]" in found.remark
    assert "more)" not in found.remark


def test_the_remark_says_what_is_right_and_what_came_and_how_much_that_is() -> None:
    one = X.clone()
    one[1, 0] = -1.0
    found = looked(lambda d, x: slope_at_zero(0.25)(d, x), one, lambda x: torch.relu(x).sum())
    assert found.remark == "at a kink: any value from 0 to 1 is right at [0, 1], by hand it is 0.25"
    assert found.relative == pytest.approx(0.25 / 6**0.5)
    assert (found.max_abs, found.worst) == (0.0, None)


def test_a_mistake_elsewhere_is_not_excused_by_a_kink() -> None:
    def doubled(d: Tensor, x: Tensor) -> Tensor:
        return slope_at_zero(0.5)(d, x) * torch.where(x > 2.5, 2.0, 1.0)

    assert looked(doubled).status == "wrong"


def test_a_mistake_that_is_small_elsewhere_is_not_excused_either() -> None:
    def a_little_off(d: Tensor, x: Tensor) -> Tensor:
        return slope_at_zero(0.5)(d, x) * torch.where(x > 2.5, 1 + 1e-4, 1.0)

    assert looked(a_little_off).status == "wrong"


@pytest.mark.parametrize(("width", "status"), [(3e-9, "rounding"), (3e-8, "wrong"), (1e-3, "wrong")])
def test_a_formula_has_to_be_right_a_hundred_millionth_beside_the_kink(width: float, status: str) -> None:
    """The numbers here are about 1.6 in size."""
    assert looked(lambda d, x: d * torch.where(x.abs() < width, 0.5, (x > 0).to(x.dtype))).status == status


@pytest.mark.parametrize(("width", "status"), [(0.0, "rounding"), (2e-6, "rounding"), (1e-3, "wrong")])
def test_a_formula_for_one_dtype_only_has_to_be_right_a_few_units_beside_the_kink(width: float, status: str) -> None:
    def here_only(d: Tensor, x: Tensor) -> Tensor:
        if x.dtype != torch.float32:
            raise TypeError
        return d * torch.where(x.abs() <= width, 0.5, (x > 0).to(x.dtype))

    assert looked(here_only, X.float()).status == status


def test_what_is_right_beside_a_kink_of_a_reference_for_one_dtype_only_is_not_known() -> None:
    def here_only(x: Tensor) -> Tensor:
        if x.dtype != torch.float32:
            raise TypeError
        return torch.relu(x)

    found = check_function(
        torch.relu, slope_at_zero(0.5), [X.float()], reference=here_only, differences=False, power=False
    )
    assert found.rows[-1].isolated.status == "wrong"


def test_an_output_has_no_kink() -> None:
    def forward(x: Tensor) -> Tensor:
        return torch.sign(x) * x.abs() + torch.where(x == 0, 0.5, 0.0)

    report = check_function(forward, slope_at_zero(0.0), [X], reference=torch.relu, differences=False, power=False)
    assert report.rows[0].isolated.status == "wrong"


def test_where_there_is_no_kink_zero_is_no_excuse() -> None:
    assert looked(lambda d, x: d * torch.where(x == 0, 0.5, 2 * x), X, torch.square).status == "wrong"


# ----------------------------------------------------------------------------------------------------------------- ties

TIES = torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [5.0, 1.0, 0.0], [0.0, 4.0, 4.0]], dtype=torch.float64)


def largest(x: Tensor) -> Tensor:
    return x.amax(1)


def to_all(d: Tensor, x: Tensor) -> Tensor:
    return d[:, None] * (x == x.amax(1, keepdim=True)).to(x.dtype)


def to_one(d: Tensor, x: Tensor) -> Tensor:
    return d[:, None] * torch.nn.functional.one_hot(x.argmax(1), 3).to(x.dtype)


def evenly(d: Tensor, x: Tensor) -> Tensor:
    is_max = (x == x.amax(1, keepdim=True)).to(x.dtype)
    return d[:, None] * is_max / is_max.sum(1, keepdim=True)


@pytest.mark.long
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_ties_at_a_max_are_accepted_however_they_are_shared(dtype: torch.dtype) -> None:
    for backward in (evenly, to_one):
        assert looked(backward, TIES.to(dtype), largest).status != "wrong"
    assert looked(to_one, TIES.to(dtype), largest).reason == "kink"


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_ties_that_are_counted_twice_are_wrong(dtype: torch.dtype) -> None:
    assert looked(to_all, TIES.to(dtype), largest).status == "wrong"
    assert looked(to_all, TIES.to(dtype), lambda x: x.amax(1).sum()).status == "wrong"


def test_ties_that_are_counted_twice_in_one_place_and_never_in_another_are_wrong() -> None:
    """The sum of everything is right; those of the rows are not."""
    x = torch.tensor([[1.0, 1.0, 0.0], [2.0, 2.0, 0.0]], dtype=torch.float64)

    def unfair(d: Tensor, x: Tensor) -> Tensor:
        return d * torch.where(x == x.amax(1, keepdim=True), torch.tensor([[1.0], [0.0]]).to(x.dtype), 0.0)

    assert looked(unfair, x, lambda x: x.amax(1).sum()).status == "wrong"


def shared(first: float, second: float) -> Callable[..., Tensor]:
    """Return the derivative of the largest of three, with shares for the first two where they are equal."""

    def backward(d: Tensor, x: Tensor) -> Tensor:
        one_hot = torch.nn.functional.one_hot(x.argmax(), 3).to(x.dtype)
        return d * (torch.tensor([first, second, 0.0], dtype=x.dtype) if x[0] == x[1] else one_hot)

    return backward


@pytest.mark.long
def test_a_tie_in_a_vector_is_accepted_too() -> None:
    x = torch.tensor([2.0, 2.0, 1.0], dtype=torch.float64)
    for share in (0.0, 0.3, 1.0):
        assert looked(shared(share, 1 - share), x, torch.max).reason == "kink"
    for first, second in ((1.0, 1.0), (0.0, 0.0), (0.5, 0.0), (1.5, -0.5)):
        assert looked(shared(first, second), x, torch.max).status == "wrong"


@pytest.mark.long(but=2)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("factor", [0.0, 2.0])
@pytest.mark.parametrize("here_only", [False, True], ids=["any dtype", "for one dtype only"])
def test_where_half_of_the_numbers_are_at_a_kink_rounding_excuses_neither_zeros_nor_a_factor(
    factor: float, dtype: torch.dtype, here_only: bool
) -> None:
    """One unit in the last place switches units on and off: that is a leap, and no rounding."""
    x = torch.randint(1, 4, (12, 2)).to(dtype)
    x[:6, 1] = x[:6, 0]
    w = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=dtype)

    def backward(d: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        if here_only and x.dtype != dtype:
            raise TypeError
        d = factor * d * (x @ w.t() > 0)
        return d @ w, d.t() @ x

    report = check_function(lambda x, w: torch.relu(x @ w.t()), backward, [x, w], differences=False, power=False)
    assert [row.isolated.status for row in report.rows] == ["identical", "wrong", "wrong"]


# ------------------------------------------------------------------------------------------------- complex numbers


Z = torch.tensor([0j, 1 + 1j, 2 - 1j, 0j], dtype=torch.complex128)


def magnitude_backward(at_zero: complex, by: float = 1.0) -> Any:
    def backward(d: Tensor, z: Tensor) -> Tensor:
        size = z.abs()
        return torch.where(size > 0, by * d * z / size.clamp(min=1e-300), d * at_zero)

    return backward


@pytest.mark.long(but=1)
@pytest.mark.parametrize("dtype", [torch.complex128, torch.complex64])
@pytest.mark.parametrize("at_zero", [0j, 1 + 0j, -1j, 0.6 + 0.6j])
def test_at_a_complex_zero_any_direction_of_length_1_or_less_is_right(at_zero: complex, dtype: torch.dtype) -> None:
    report = check_function(lambda z: z.abs(), magnitude_backward(at_zero), [Z.to(dtype)], power=False)
    assert report.ok, str(report)
    assert at_zero == 0 or "at [0], " in report.rows[-1].isolated.remark
    assert not check_function(lambda z: z.abs(), magnitude_backward(at_zero, 1.02), [Z.to(dtype)], power=False).ok


@pytest.mark.parametrize("at_zero", [1 + 1j, 2 + 0j, -1.2j])
def test_at_a_complex_zero_what_is_longer_is_wrong(at_zero: complex) -> None:
    assert not check_function(lambda z: z.abs(), magnitude_backward(at_zero), [Z], power=False).ok


# ------------------------------------------------------------------------------------------- many equal numbers


def shared_evenly(d: Tensor, x: Tensor) -> Tensor:
    among = (x == x.amax(1, keepdim=True)).to(x.dtype)
    return d[:, None] * among / among.sum(1, keepdim=True)


def first(d: Tensor, x: Tensor) -> Tensor:
    return torch.zeros_like(x).scatter(1, x.argmax(1, keepdim=True), d[:, None])


def in_windows(backward: Any, size: int) -> Any:
    """Return the backward of max pooling over square windows."""

    def pooled(d: Tensor, x: Tensor) -> Tensor:
        n, m = x.shape[0], x.shape[1] // size
        windows = x.view(n, m, size, m, size).transpose(2, 3)
        g = backward(d.flatten(), windows.reshape(-1, size * size))
        return g.view(n, m, m, size, size).transpose(2, 3).reshape(x.shape)

    return pooled


def zeros_and_ones(*shape: int) -> Tensor:
    return torch.randint(0, 2, shape, dtype=torch.float64)


MANY = {
    "amax": (lambda x: x.amax(1), lambda by: by, zeros_and_ones, (2, 110)),
    "pooling": (
        lambda x: torch.nn.functional.max_pool2d(x[:, None], 7)[:, 0],
        lambda by: in_windows(by, 7),
        torch.zeros,
        (1, 14, 14),
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("name", MANY)
def test_ties_of_fifty_numbers_may_be_shared_or_have_one_winner(name: str) -> None:
    forward, wrapped, numbers, shape = MANY[name]
    x = numbers(*shape)
    for right in (first, shared_evenly):
        assert check_function(forward, wrapped(right), [x], differences=False, power=False).ok
    wrong = {
        "all win": lambda d, x: d[:, None] * (x == x.amax(1, keepdim=True)),
        "a factor": lambda d, x: 1.02 * first(d, x),
        "nobody wins in one": lambda d, x: first(d * (torch.arange(len(d)) != 0), x),
    }
    for what, formula in wrong.items():
        assert not check_function(forward, wrapped(formula), [x], differences=False, power=False).ok, what
