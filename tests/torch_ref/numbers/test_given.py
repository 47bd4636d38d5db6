"""Gradients by hand that are given as numbers beside a witness."""

import pytest
import torch

from torch_ref.numbers.given import agreed, room_of
from torch_ref.numbers.shadow import Shadows


def witness_of(dtype, make=lambda a: a.T @ a):
    a = torch.randn(20, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)
    with (shadows := Shadows(range(4))):
        return shadows.witness(make(a))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_to_the_last_bit_within_rounding_and_wrong(dtype):
    witness = witness_of(dtype)
    assert agreed(witness.value, witness).status == "identical"
    assert agreed(witness.value * (1 + 2 * torch.finfo(dtype).eps), witness).reason in ("", "rounding")
    assert agreed(witness.value * 1.001, witness).status == "wrong"


def test_another_algorithm_agrees_unless_strict():
    witness = witness_of(torch.float64)
    found = agreed(witness.value * (1 + 1e-7), witness)
    assert (found.ok, found.reason) == (True, "algorithm")
    assert not agreed(witness.value * (1 + 1e-7), witness, strict=True).ok
    assert not agreed(witness.value * (1 + 1e-5), witness).ok


def test_a_tolerance_of_ones_own_decides_alone():
    witness = witness_of(torch.float64)
    assert agreed(witness.value * 1.01, witness, 0.02).reason == "tolerance"
    assert not agreed(witness.value * 1.01, witness, 0.005).ok


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_rounding_sums_in_half_or_wrong(dtype):
    witness = witness_of(dtype)
    rounded = witness.exact.to(dtype)
    assert agreed(rounded, witness).reason in ("", "rounding")
    off = rounded * (1 + 3 * torch.finfo(dtype).eps * torch.randn(6, 6, generator=torch.Generator().manual_seed(1)))
    half = agreed(off.to(dtype), witness)
    assert (half.ok, half.reason) == (True, "half")
    assert "as sums in" in half.remark
    wrong = agreed((rounded * 1.5).to(dtype), witness)
    assert (wrong.status, wrong.reason) == ("wrong", "")
    assert wrong.relative == pytest.approx(0.5, rel=0.1)


def test_what_is_not_finite_on_both_sides_is_left_out():
    witness = witness_of(torch.float32, lambda a: torch.where(a > 1, torch.inf, a))
    found = agreed(witness.value.clone(), witness)
    assert (found.ok, found.reason) == (True, "not-finite")
    assert not agreed(torch.where(witness.value.isinf(), 0.0, witness.value), witness).ok


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_room_says_what_is_refused(dtype, strict):
    witness = witness_of(dtype)
    room = room_of(witness.value, witness, None, strict=strict)
    smallest = room.smallest(witness.value)
    assert smallest is not None
    assert not agreed(witness.value * (1 + 2 * smallest), witness, strict=strict).ok
    assert agreed(witness.value * (1 + smallest / 2), witness, strict=strict).ok


def test_the_room_within_a_tolerance():
    witness = witness_of(torch.float64)
    assert room_of(witness.value, witness, 0.01, strict=False).smallest(witness.value) == pytest.approx(0.01, rel=1e-3)


def test_the_room_of_some_rows():
    witness = witness_of(torch.float64)
    whole = room_of(witness.value, witness, None, strict=True).smallest(witness.value)
    some = room_of(witness.value[::2], witness, None, strict=True, every=2).smallest(witness.value[::2])
    assert some == pytest.approx(whole, rel=3)
