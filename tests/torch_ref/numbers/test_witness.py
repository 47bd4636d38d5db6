"""How far off a tensor, a slice and an entry may be: what is allowed passes, and a little more does not."""

import math

import pytest
import torch
from torch import Tensor

from manual_bp import SquaredError, Tanh, mlp
from torch_ref import check_function, crosscheck
from torch_ref.numbers import witness as witness_module
from torch_ref.numbers.agreement import compare
from torch_ref.numbers.witness import Witness, all_finite, has_float64

EPS = torch.finfo(torch.float32).eps


def off(exact: Tensor, at: tuple, by: float) -> str:
    """Return how a tensor compares that is off by so many units in the last place of float32 at one place."""
    changed = exact.clone()
    changed[at] *= 1 + by * EPS
    return compare(changed, Witness.exactly(exact)).status


def test_a_row_may_be_off_by_twice_as_much_as_the_whole_and_no_more() -> None:
    exact = torch.ones(30, 30)
    for at in ((3,), (slice(None), 3)):
        assert off(exact, at, 7) == "rounding"
        assert off(exact, at, 10) == "wrong"


def test_a_row_of_a_block_counts_too() -> None:
    exact = torch.ones(6, 6, 30)
    assert off(exact, (1, 2), 7) == "rounding"
    assert off(exact, (1, 2), 10) == "wrong"


def test_an_entry_may_be_off_by_ten_times_as_much_and_no_more() -> None:
    exact = torch.ones(60, 60)
    assert off(exact, (3, 4), 30) == "rounding"
    assert off(exact, (3, 4), 60) == "wrong"


def test_what_is_wrong_counts_the_entries_that_are_off_and_no_others() -> None:
    exact = torch.ones(30, 30)
    changed = exact.clone()
    changed[3] *= 1 + 6 * EPS
    changed[4, 5] *= 1 + 60 * EPS
    found = compare(changed, Witness.exactly(exact))
    assert (found.status, found.off) == ("wrong", 1)
    changed[4, 5] = 1 + 30 * EPS
    found = compare(changed, Witness.exactly(exact))
    assert (found.status, found.off) == ("rounding", 0)
    small = torch.ones(6, 4).double()
    small[2] = 1e-6
    changed = small.clone()
    changed[2] += 1e-12
    found = compare(changed, Witness.exactly(small))
    assert (found.status, found.off) == ("wrong", 4)


@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize(
    ("of_norm", "dtype"), [(1e-8, torch.float64), (1e-5, torch.float32), (1e-8, torch.float32), (1e-15, torch.float32)]
)
def test_a_small_row_or_column_that_is_doubled_is_wrong(of_norm: float, dtype: torch.dtype, dim: int) -> None:
    """The norm of the whole cannot see it; that of the slice does."""
    exact = torch.randn(8, 5, dtype=dtype)
    exact.select(dim, 2).mul_(of_norm)
    wrong = exact.clone()
    wrong.select(dim, 2).mul_(2)
    assert compare(wrong, Witness.exactly(exact)).status == "wrong"


def test_complex_numbers_have_the_same_least_as_float64() -> None:
    exact = torch.randn(5, 5, dtype=torch.complex128)
    assert compare(exact * (1 + 5e-12), Witness.exactly(exact)).status == "rounding"
    assert compare(exact * (1 + 5e-11), Witness.exactly(exact)).status == "wrong"


def test_in_float64_a_hundred_thousand_millionth_of_its_row_is_allowed() -> None:
    exact = torch.ones(4, 4, 8).double()
    for share, status in ((5e-12, "rounding"), (5e-11, "wrong")):
        changed = exact.clone()
        changed[1, 2, 3] += share * math.sqrt(8)
        assert compare(changed, Witness.exactly(exact)).status == status
    changed = exact.clone()
    changed[1] += 5e-12
    changed[2, :, 4] += 5e-12
    assert compare(changed, Witness.exactly(exact)).status == "rounding"


@pytest.mark.parametrize("size", [1.0, 0.1])
@pytest.mark.parametrize("shape", [(6, 4), (6, 100)])
def test_in_float64_what_is_allowed_is_relative_to_the_row(size: float, shape: tuple[int, int]) -> None:
    exact = torch.ones(shape).double()
    exact[2] *= size
    for share, status in ((8e-12, "rounding"), (1.2e-11, "wrong")):
        changed = exact.clone()
        changed[2] *= 1 + share
        assert compare(changed, Witness.exactly(exact)).status == status
    changed = exact.clone()
    changed[2, 1] += 8e-12 * float(exact[2].norm())
    assert compare(changed, Witness.exactly(exact)).status == "rounding"


def test_in_float64_a_small_row_is_allowed_a_ten_million_millionth_of_the_whole() -> None:
    exact = torch.ones(6, 4).double()
    exact[2] = 1e-6
    norm = float(exact.norm())
    for share, status in ((5e-14, "rounding"), (5e-13, "wrong")):
        changed = exact.clone()
        changed[2, 1] += share * norm
        assert compare(changed, Witness.exactly(exact)).status == status


def test_in_float64_a_small_entry_is_measured_by_its_row() -> None:
    exact = torch.ones(1, 5).double()
    exact[0, 2] = 1e-9
    changed = exact.clone()
    changed[0, 2] += 5e-12
    assert compare(changed, Witness.exactly(exact)).status == "rounding"
    column = exact.t().contiguous()
    assert compare(changed.t().contiguous(), Witness.exactly(column)).status == "wrong", "a row of its own"


def test_a_number_is_measured_by_itself() -> None:
    exact = torch.tensor(-1.0, dtype=torch.float64)
    assert compare(exact * (1 + 5e-12), Witness.exactly(exact)).status == "rounding"
    wrong = compare(exact * (1 + 5e-11), Witness.exactly(exact))
    assert (wrong.status, wrong.off) == ("wrong", 1)


# ------------------------------------------------------------------------------------------------- errors by chance


def noisy(size: tuple[int, ...], quiet: tuple) -> tuple[Tensor, Witness]:
    """Return ones, and a witness that arithmetic is off by 1e-3 everywhere but at a place."""
    exact = torch.ones(size).double()
    run = exact + 1e-3
    run[quiet] = 1.0
    return exact, Witness.exactly(exact.float(), exact=exact, others=[run])


def status(exact: Tensor, witness: Witness, at: tuple, by: float) -> str:
    changed = exact.clone()
    changed[at] += by
    return compare(changed.float(), witness).status


@pytest.mark.parametrize("size", [(10, 10), (6, 6, 6)])
def test_an_entry_whose_roundings_cancel_by_chance_may_be_off_like_its_neighbours(size: tuple[int, ...]) -> None:
    origin = (0,) * len(size)
    exact, witness = noisy(size, origin)
    assert status(exact, witness, origin, 7e-3) == "rounding"
    assert status(exact, witness, origin, 1.5e-2) == "wrong"


def test_a_few_entries_without_an_error_are_chance_and_a_whole_slice_is_not() -> None:
    exact, witness = noisy((6, 6, 6), (slice(None), 0, 0))
    assert status(exact, witness, (0, 0, 0), 5e-3) == "rounding"
    for quiet in ((0,), (slice(None), 0), (slice(None), slice(None), 0)):
        exact, witness = noisy((6, 6, 6), quiet)
        assert status(exact, witness, (0, 0, 0), 1e-4) == "wrong"
    for quiet in ((0,), (slice(None), 0)):
        exact, witness = noisy((6, 6), quiet)
        assert status(exact, witness, (0, 0), 1e-4) == "wrong"


def test_a_device_without_float64_is_refused_where_a_check_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Apple's GPUs are: here the CPU plays one."""
    monkeypatch.setattr(witness_module, "has_float64", lambda device: device.type != "cpu")
    network = mlp([3, 2], activation=Tanh(), loss=SquaredError())
    with pytest.raises(TypeError, match="expects a device that computes in float64, got x on cpu: give it on the CPU"):
        crosscheck(network, torch.rand(4, 3), torch.rand(4, 2))
    with pytest.raises(TypeError, match="got a on cpu"):
        check_function(lambda a: 2 * a, lambda d_y, a: 2 * d_y, {"a": torch.rand(3)})


def test_only_apple_s_gpus_have_no_float64() -> None:
    assert [has_float64(torch.device(name)) for name in ("cpu", "cuda", "mps")] == [True, True, False]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64, torch.complex64], ids=str)
def test_numbers_are_finite_though_their_sum_is_not(dtype: torch.dtype) -> None:
    large = torch.full((4,), 0.9 * torch.finfo(dtype).max, dtype=dtype)
    assert all_finite(large, torch.tensor([1, 2]), torch.empty(0, dtype=dtype))
    for odd in (float("inf"), -float("inf"), float("nan")):
        assert not all_finite(torch.ones(3, dtype=dtype), torch.tensor([1.0, odd], dtype=dtype))
    assert not all_finite(torch.tensor([float("inf"), -float("inf")]))
