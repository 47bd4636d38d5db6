"""The parts of a witness: scale, growth, levels, rounded runs, and what is made of them."""

import math

import pytest
import torch
from torch import Tensor

from torch_ref.numbers.witness import Witness, doubled, levels, sums_of, witnesses

EPS = torch.finfo(torch.float32).eps


def test_many_terms_may_be_off_by_more() -> None:
    exact = torch.ones(4)

    def of_terms(terms: int) -> Witness:
        return Witness(exact, exact.double, (lambda: (exact.double(), terms), lambda: (exact.double(), 1)))

    assert Witness.exactly(exact).terms == Witness.exactly(exact, others=[exact]).terms == 1
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


def test_a_large_quantity_has_fewer_roundings_at_random() -> None:
    def runs(size: int, **more: bool) -> int:
        return len(witnesses(lambda g, f: {"y": g["x"]}, {"x": torch.zeros(size)}, {}, **more)["y"].rounded)

    assert (runs(4), runs(4, again=True)) == (4, 4)
    assert (runs(1 << 17), runs(1 << 17, again=True)) == (4, 4)
    assert (runs((1 << 17) + 1), runs((1 << 17) + 1, again=True)) == (2, 1)


# ------------------------------------------------------------------------------------------------------ made of others


def of(value: Tensor, *runs: Tensor) -> tuple[Witness, list[int]]:
    """Return a witness with rounded runs, and a list that grows by one whenever its float64 values are computed."""
    calls: list[int] = []

    def exact() -> Tensor:
        calls.append(1)
        return value.double()

    return Witness(value, exact, tuple(lambda run=run: (run, 7) for run in runs)), calls


def test_finer_arithmetic_at_the_same_numbers_is_off_by_so_much_less() -> None:
    value = torch.tensor([1.0, 2.0, 3.0], dtype=torch.bfloat16)
    witness, calls = of(value, value.double() * 1.01)
    of_32 = witness.in_arithmetic_of(torch.float32)
    of_64 = of_32.in_arithmetic_of(torch.float64)
    for fine, unit in ((of_32, 2.0**-23), (of_64, 2.0**-52)):
        assert torch.equal(fine.value, value.double())
        assert fine.value.dtype == torch.float64
        assert torch.equal(fine.exact, value.double())
        assert (fine.eps, fine.finer) == (unit, unit / 2.0**-7)
        assert fine.squares.sqrt().tolist() == pytest.approx((witness.squares.sqrt() * unit / 2.0**-7).tolist())
        assert fine.terms == 7
    assert calls == [1]


def test_some_rows_have_the_rows_of_everything_and_one_rounded_run() -> None:
    value = torch.randn(7, 3)
    witness, _ = of(value, value.double() + 1, value.double() + 2)
    some = witness.of_rows(3)
    assert torch.equal(some.value, value[[0, 3, 6]])
    assert torch.equal(some.exact, value.double()[[0, 3, 6]])
    [(run, terms)] = [run() for run in some.rounded]
    assert torch.equal(run, value.double()[[0, 3, 6]] + 1)
    assert terms == 7


def test_where_something_is_not_finite_everything_is_zero() -> None:
    value, finite = torch.ones(3), torch.tensor([True, False, True])
    witness, _ = of(value, 2 * value.double(), 3 * value.double())
    masked = witness.where(finite)
    assert masked.value.tolist() == masked.exact.tolist() == [1, 0, 1]
    assert [run()[0].tolist() for run in masked.rounded] == [[2, 0, 2], [3, 0, 3]]
    assert masked.terms == 7


def test_errors_of_complex_numbers_are_sizes() -> None:
    exact = torch.tensor([3.0 + 4j, 1.0j], dtype=torch.complex128)
    witness = Witness.exactly(exact, others=[exact + 0.03j, exact - 0.04])
    assert (witness.squares.sqrt() * witness.scale).tolist() == pytest.approx([0.05 / math.sqrt(2)] * 2)
    assert witness.distance(exact + 0.5j) * witness.scale == pytest.approx(0.5 * math.sqrt(2))


# ----------------------------------------------------------------------------------------------------- of a reference


def test_a_reference_is_computed_in_float64_too_what_is_given_and_what_is_fixed() -> None:
    x, t = torch.rand(50) + 1, torch.rand(50) + 1
    found = witnesses(lambda g, f: {"y": g["x"] / f["t"]}, {"x": x}, {"t": t})["y"]
    assert torch.equal(found.value, x / t)
    assert torch.equal(found.exact, x.double() / t.double())
    runs = [run()[0] for run in found.rounded]
    assert len(runs) == 4
    assert all(run.dtype == torch.float64 for run in runs)
    assert not torch.equal(runs[0], runs[1])
    off = max(float((run / found.exact - 1).abs().max()) for run in runs)
    assert EPS < off < 2.01 * EPS, "x and the quotient are rounded, t is not"


def test_a_reference_for_one_dtype_only_has_its_own_numbers_for_exact_ones() -> None:
    def evaluate(g: dict[str, Tensor], f: dict[str, Tensor]) -> dict[str, Tensor]:
        if any(t.dtype != torch.float32 for t in (*g.values(), *f.values())):
            raise TypeError
        return {"y": (g["x"] * f["t"]).sum()}

    x, t = torch.rand(64), torch.rand(64)
    found = witnesses(evaluate, {"x": x}, {"t": t})["y"]
    assert torch.equal(found.exact, (x * t).sum().double())
    assert found.exact.dtype == torch.float64
    assert {run()[0].dtype for run in found.rounded} == {torch.float32}
    assert found.terms == 64
    off = max(float((run()[0] / found.exact - 1).abs()) for run in found.rounded)
    assert 0 < off < 10 * EPS


def test_the_coarsest_number_that_is_given_says_how_exact_arithmetic_is() -> None:
    def off(given: dict[str, Tensor]) -> float:
        found = witnesses(lambda g, f: {"y": f["t"] * 3}, given, {"t": torch.ones(9).double()})["y"]
        return max(float((run()[0] / 3 - 1).abs().max()) for run in found.rounded)

    fine, coarse, index = torch.ones(2).double(), torch.ones(2), torch.arange(2)
    assert off({"x": fine, "y": coarse, "i": index}) == pytest.approx(EPS)
    assert off({"x": coarse, "y": fine}) == pytest.approx(EPS)
    assert off({"x": fine}) == off({"i": index}) == pytest.approx(2.0**-36)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_what_arithmetic_is_off_by_is_a_unit_of_its_own_dtype(dtype: torch.dtype) -> None:
    """In float64 the rounded runs move by more, and a share of that counts."""
    found = witnesses(lambda g, f: {"y": g["x"] * 3}, {"x": torch.ones(400, dtype=dtype)}, {})["y"]
    eps = torch.finfo(dtype).eps
    assert eps < float(found.squares.sqrt().mean()) < 2 * eps * 3**0.5


def test_numbers_with_a_fraction_are_taken_in_float64_and_others_as_they_are() -> None:
    kinds = {torch.float32: torch.float64, torch.float16: torch.float64, torch.complex64: torch.complex128}
    kinds |= {dtype: dtype for dtype in (torch.int32, torch.bool, torch.float64, torch.complex128)}
    for before, after in kinds.items():
        assert doubled({"t": torch.ones(2, dtype=before)})["t"].dtype == after
