"""When two tensors agree: relative to the norm, by the reference's own rounding, at any size."""

import math

import pytest
import torch
from torch import Tensor

from torch_ref.numbers.agreement import Comparison, compare, relative_difference, ulp_distance
from torch_ref.numbers.witness import Witness, witnesses


def compared(by_hand: Tensor, reference: Tensor, **tolerance: float) -> Comparison:
    """Compare with a reference that has no rounding of its own: four units in the last place are allowed."""
    return compare(by_hand, Witness.exactly(reference), **tolerance)


def test_differences_are_relative_to_the_norm() -> None:
    """Gradients of a trained network are 1e-6: an absolute 1e-5 would pass zeros."""
    tiny = 1e-6 * torch.randn(5, 5).double()
    assert compared(torch.zeros_like(tiny), tiny).status == "wrong"
    assert compared(tiny * (1 + 5e-16), tiny).status == "rounding"
    assert compared(tiny * (1 + 9e-12), tiny).status == "rounding"  # no mistake is as small as 1e-11 of a row
    assert compared(tiny * (1 + 2e-11), tiny).status == "wrong"
    assert compared(tiny.float() * (1 + 2e-7), tiny.float()).status == "rounding"
    assert compared(tiny.float() * (1 + 1e-6), tiny.float()).status == "wrong"
    assert compared(tiny, torch.zeros_like(tiny)).status == "wrong"
    assert compared(torch.zeros(3), torch.zeros(3)).status == "identical"
    assert compared(torch.zeros(0, 3), torch.zeros(0, 3)).status == "identical"


@pytest.mark.parametrize("size", [1e-300, 1e-170, 1e155, 1e300])
def test_no_size_is_too_small_or_too_large(size: float) -> None:
    """Squares of 1e-170 are 0 and squares of 1e155 infinite: norms are taken of the scaled tensors."""
    reference = size * torch.randn(5, 5).double()
    for wrong in (torch.zeros_like(reference), -reference, reference * 1.01):
        assert compared(wrong, reference).status == "wrong"
    assert compared(reference * (1 + 3e-16), reference).status == "rounding"
    assert relative_difference(1.5 * reference, reference) == pytest.approx(0.5)


def test_an_error_may_be_twice_the_reference_s_own_or_four_times_a_rounding_and_no_more() -> None:
    """Twice the reference's own error is the criterion of FlashAttention, against float64."""
    exact = torch.randn(50, 50).double()
    direction = exact.sign() * exact.norm() / 50
    own = Witness.exactly((exact + 1e-3 * direction).float(), exact=exact)
    assert compare((exact + 1.999e-3 * direction).float(), own).status == "rounding"
    assert compare((exact + 2.001e-3 * direction).float(), own).status == "wrong"
    assert compare((exact + 2.001e-3 * direction).float(), own, 3e-3).status == "rounding"
    assert compare((exact + 1.999e-3 * direction).float(), own, 1e-3).status == "wrong"
    rounded = Witness.exactly(exact.float(), exact=exact, others=[exact - 1e-3 * direction])
    assert compare((exact + 3.999e-3 * direction).float(), rounded).status == "rounding"
    assert compare((exact + 4.001e-3 * direction).float(), rounded).status == "wrong"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_noise_is_what_arithmetic_costs_here(dtype: torch.dtype) -> None:
    """1 − x near x = 1 loses digits, whoever computes it; a plain product does not."""
    eps = torch.finfo(dtype).eps

    def evaluate(given, fixed):
        return {"cancelled": fixed["t"] - given["x"], "product": fixed["t"] * given["x"]}

    x = 1 - 1e-4 * torch.rand(100, dtype=dtype)
    found = witnesses(evaluate, {"x": x}, {"t": torch.ones(100, dtype=dtype)})
    assert 1e3 * eps < found["cancelled"].bound < 1e5 * eps
    assert found["product"].bound <= 10 * eps  # √N of 100 rows
    assert found["product"].exact.dtype == torch.float64


def test_never_broadcasts_and_says_what_is_wrong() -> None:
    row = torch.ones(3)
    assert compared(row, row.expand(2, 3)).remark == "of shape (3,), expected (2, 3)"
    assert compared(row, row.double()).remark == "of dtype torch.float32, expected torch.float64"
    assert compared(row, row.to("meta")).remark == "on device cpu, expected meta"
    assert compared(row, row * math.nan).remark == "a number is not finite"
    assert compared(2 * row, row).remark == "off by 1.0e+00 of its norm"


def test_names_the_worst_place_and_both_values_there() -> None:
    reference = torch.randn(4, 5)
    wrong = reference.clone()
    wrong[2, 3] += 1
    wrong[1, 1] += 0.1
    found = compared(wrong, reference)
    assert (found.worst, found.by_hand, found.reference) == ((2, 3), wrong[2, 3].item(), reference[2, 3].item())
    wrong[3, 4] = math.nan
    assert compared(wrong, reference).worst == (3, 4)
    assert compared(torch.tensor(2.0), torch.tensor(1.0)).worst == ()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_ulp_distance_counts_floating_point_numbers(dtype: torch.dtype) -> None:
    info = torch.finfo(dtype)
    one = torch.tensor([1.0], dtype=dtype)
    above = one + info.eps
    assert ulp_distance(one, one).item() == 0
    assert ulp_distance(one, above).item() == ulp_distance(above, one).item() == 1
    assert ulp_distance(-one, -above).item() == 1
    assert ulp_distance(torch.zeros_like(one), -torch.zeros_like(one)).item() == 0
    smallest = torch.tensor([info.smallest_normal], dtype=dtype)
    to_zero = ulp_distance(smallest, torch.zeros_like(one)).item()
    assert ulp_distance(smallest, -smallest).item() == 2 * to_zero == 2 * round(1 / info.eps)
    assert ulp_distance(one, 2 * one).item() == round(1 / info.eps)
    matrix = torch.randn(3, 4).to(dtype)
    assert ulp_distance(matrix.t(), matrix.t()).max() == 0


def test_ulp_distance_of_float64_extremes_does_not_overflow() -> None:
    large = torch.tensor([torch.finfo(torch.float64).max], dtype=torch.float64)
    assert ulp_distance(large, -large).item() == pytest.approx(2 * 0x7FEFFFFFFFFFFFFF)


def test_where_the_reference_overflows_in_half_precision_float64_stands_for_it() -> None:
    exact = torch.tensor([60000.0, 2.0, 1e6]).double()
    overflowed = Witness.exactly(torch.tensor([torch.inf, 2.0, torch.inf]).half(), exact=exact)
    by_hand = torch.tensor([60000.0, 2.0, torch.inf]).half()
    found = compare(by_hand, overflowed, masked=True)
    assert (found.ok, found.skipped) == (True, 1)
    assert not compare(torch.tensor([50000.0, 2.0, torch.inf]).half(), overflowed, masked=True).ok
    assert not compare(torch.tensor([60000.0, 2.0, 6e4]).half(), overflowed, masked=True).ok
    coarse = torch.tensor([torch.inf, 2.0])  # float32 reaches far enough: infinite is infinite
    assert not compare(torch.tensor([60000.0, 2.0]), Witness.exactly(coarse, exact=exact[:2]), masked=True).ok
