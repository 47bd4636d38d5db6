"""How far off a tensor, a slice and an entry may be: what is allowed passes, and a little more does not."""

import math

import pytest
import torch
from torch import Tensor

from torch_ref.numbers.agreement import compare
from torch_ref.numbers.witness import LARGE, Witness, levels, sums_of, witnesses

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
    found = compare(exact.clone().index_fill_(0, torch.tensor([3]), 1 + 7 * EPS), Witness.exactly(exact))
    assert found.off == 0, "nothing is wrong there"


@pytest.mark.parametrize("of_norm", [1e-5, 1e-8])
def test_a_column_as_small_as_rounding_of_the_others_that_is_doubled_is_wrong(of_norm: float) -> None:
    """The norm of the whole cannot see it; that of the column does."""
    for dtype in (torch.float32, torch.float64):
        exact = torch.randn(8, 5, dtype=dtype)
        exact[:, 2] *= of_norm
        wrong = exact.clone()
        wrong[:, 2] *= 2
        assert compare(wrong, Witness.exactly(exact)).status == "wrong", dtype


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


# ---------------------------------------------------------------------------------------------------------- its parts


def test_many_terms_may_be_off_by_more() -> None:
    exact = torch.ones(4)

    def of_terms(terms: int) -> Witness:
        return Witness(exact, exact.double, (lambda: (exact.double(), terms), lambda: (exact.double(), 1)))

    assert Witness.exactly(exact).terms == 1
    assert [of_terms(terms).growth for terms in (1, 16, 64, 1600)] == [4.0, 4.0, 8.0, 40.0]
    assert of_terms(64).bound == pytest.approx(8 * EPS)


@pytest.mark.parametrize(
    ("exact", "runs", "scale"),
    [
        ([-3.0, math.inf, 2.0], [], 3.0),
        ([0.0, 0.0], [[-5.0, math.nan], [1.0, 0.0]], 5.0),
        ([math.inf], [[5.0]], 5.0),
        ([0.0, 0.0], [], 1.0),
        ([], [[]], 1.0),
    ],
)
def test_norms_are_taken_in_units_of_the_largest_finite_number(exact: list, runs: list, scale: float) -> None:
    value = torch.tensor(exact, dtype=torch.float64)
    others = [torch.tensor(run, dtype=torch.float64) for run in runs]
    assert Witness.exactly(value, others=others).scale == scale


def test_what_is_not_finite_counts_as_nothing() -> None:
    witness = Witness.exactly(torch.tensor([3.0, math.nan, -4.0]))
    assert witness.in_units(torch.tensor([2.0, math.inf, math.nan])).tolist() == [0.5, 0.0, 0.0]
    assert witness.in_units(torch.tensor([1.0])).dtype == torch.float64
    assert witness.norm == 1.25


def test_a_norm_is_zero_below_a_thousand_roundings_of_its_terms_in_float64() -> None:
    def tiny(size: float) -> Witness:
        t = torch.tensor([size], dtype=torch.float64)
        return Witness.exactly(t.float(), exact=t, others=[t + EPS])

    assert tiny(0.0).is_zero
    assert tiny(1e-13).is_zero
    assert not tiny(1e-12).is_zero
    assert not Witness.exactly(torch.ones(3)).is_zero


def test_what_is_counted_has_no_bound_and_no_numbers_have_none_either() -> None:
    assert Witness.exactly(torch.tensor([1, 2])).bound == 0.0
    zeros = torch.zeros(2).double()
    beside = Witness.exactly(zeros.float(), exact=zeros, others=[zeros + 2.0])
    assert beside.bound == pytest.approx(4 * math.sqrt(2)), "in units of the noise, 2"


def test_the_levels_are_the_whole_its_slices_its_rows_and_its_entries() -> None:
    t = torch.arange(24.0).view(2, 3, 4)
    found = {name: (norms, factor) for name, norms, factor in sums_of(t)}
    assert list(found) == ["tensor", "slice 0", "slice 1", "slice 2", "row", "entry"]
    assert [factor for _, factor in found.values()] == [1.0, 2.0, 2.0, 2.0, 2.0, 10.0]
    assert found["tensor"][0] == 276
    assert found["slice 0"][0].tolist() == [66, 210]
    assert found["slice 1"][0].tolist() == [60, 92, 124]
    assert found["slice 2"][0].tolist() == [60, 66, 72, 78]
    assert found["row"][0].tolist() == [[6, 22, 38], [54, 70, 86]]
    assert torch.equal(found["entry"][0], t)
    assert [level.name for level in levels(t[0])] == ["tensor", "slice 0", "slice 1", "entry"]
    assert [level.name for level in levels(t[0, 0])] == ["tensor", "entry"]


def test_a_large_quantity_and_a_second_time_have_fewer_roundings_at_random() -> None:
    def runs(size: int, **more: bool) -> int:
        return len(witnesses(lambda g, f: {"y": g["x"]}, {"x": torch.zeros(size)}, {}, **more)["y"].rounded)

    assert (runs(4), runs(4, again=True)) == (4, 2)
    assert (runs(LARGE // 2), runs(LARGE // 2, again=True)) == (4, 2)
    assert (runs(LARGE // 2 + 1), runs(LARGE // 2 + 1, again=True)) == (2, 1)
