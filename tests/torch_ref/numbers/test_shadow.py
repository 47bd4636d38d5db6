"""A calculation and the same in float64 beside it: exact in one lane, rounded at random in the others."""

import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from torch_ref.numbers.rounding import Rounded
from torch_ref.numbers.shadow import Lane, Shadows, unit_of
from torch_ref.numbers.witness import LEAP

EPS = torch.finfo(torch.float32).eps


def randn(*shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


@pytest.mark.parametrize(
    "operation",
    [
        lambda a: a @ a.T,
        lambda a: (a * 3 + 1).sum(0),
        lambda a: torch.softmax(a, 1),
        lambda a: torch.cat([a, a.new_ones(1, a.shape[1])]).cumsum(0),
        lambda a: a.clone().mul_(2).add_(a),
        lambda a: torch.add(a, a, out=torch.empty_like(a)),
        lambda a: torch.linalg.inv(a.T @ a),
    ],
)
def test_the_exact_lane_computes_the_same_in_float64(operation):
    a = randn(5, 3)
    shadows = Shadows([0])
    with shadows:
        y = operation(a)
    exact, rounded = (lane.of(y) for lane in (shadows.exact, *shadows.rounded))
    expected = operation(a.double())
    assert exact.dtype == torch.float64
    torch.testing.assert_close(exact, expected, rtol=1e-13, atol=1e-13)
    assert torch.equal(y, operation(a))
    assert 0 < float((rounded - exact).norm() / exact.norm()) < 1e3 * EPS


def test_a_dtype_that_is_asked_for_is_float64_in_a_lane():
    a = randn(5, 3)
    with (shadows := Shadows([])):
        y = a.to(torch.bfloat16).to(torch.float32).mean(1, dtype=torch.float32)
    torch.testing.assert_close(shadows.exact.of(y), a.double().mean(1), rtol=1e-14, atol=1e-14)


def test_what_is_written_in_place_is_written_in_every_lane_and_nowhere_else():
    a = randn(4, dtype=torch.float64)
    kept, shadows = a.clone(), Shadows([0])
    with shadows:
        b = a * 1.5
        view = b[:2]
        view += 1
    expected = kept * 1.5
    expected[:2] += 1
    torch.testing.assert_close(shadows.exact.of(b), expected)
    assert torch.equal(a, kept)


@pytest.mark.parametrize("operation", [torch.fmax, torch.fmin])
def test_a_mask_that_an_operation_turns_round_in_place_is_turned_once(operation):
    a, b = (torch.tensor(values, requires_grad=True) for values in ([1.0, 2.0, 3.0], [1.5, 3.0, 1.0]))
    y, d = operation(a, b), torch.tensor([5.0, 6.0, 7.0])
    (right,) = torch.autograd.grad(y, a, d, retain_graph=True)
    with Shadows(range(2)) as shadows:
        (found,) = torch.autograd.grad(y, a, d)
        witness = shadows.witness(found)
    assert torch.equal(found, right)
    assert torch.equal(witness.exact, right.double())


def test_an_input_is_copied_so_that_a_lane_cannot_write_into_it():
    a = randn(4, dtype=torch.float64)
    lane = Lane()
    lane.of(a).zero_()
    assert bool(a.all())


def test_small_whole_numbers_are_meant_as_they_are_and_large_ones_are_not():
    t = torch.tensor([0.0, 1.0, -3.0, 2.5, 2.0**22])
    moved = Lane(Rounded(0.0, 0)).of(t)
    assert moved[:3].tolist() == [0.0, 1.0, -3.0]
    assert bool((moved[3:] != t[3:].double()).all())
    with (shadows := Shadows([0])):
        exponent = t[1:2] + 1
        power = torch.tensor([-1.5]) ** exponent
    assert shadows.rounded[0].of(exponent).item() == 2.0
    assert bool(torch.isfinite(shadows.rounded[0].of(power)).all())


def test_a_kernel_for_one_dtype_has_its_own_result_in_the_lanes():
    @torch.library.custom_op("tests::only_float32", mutates_args=())
    def only_float32(x: torch.Tensor) -> torch.Tensor:
        assert x.dtype == torch.float32
        return x * 2

    a = randn(3)
    with (shadows := Shadows([])):
        y = only_float32(a)
    assert torch.equal(shadows.exact.of(y), (a * 2).double())


def test_nothing_is_computed_in_the_lanes_while_paused():
    a = randn(3)
    with (shadows := Shadows([])):
        with shadows.paused():
            y = a * 2.5
        z = a * 2.5
    assert torch.equal(shadows.exact.of(y), (a * 2.5).double())  # the real result, rounded
    assert not torch.equal(shadows.exact.of(z), (a * 2.5).double())


def test_units_by_dtype_and_no_less_than_a_leap():
    assert unit_of(torch.zeros(1)) == EPS
    assert unit_of(torch.zeros(1, dtype=torch.bfloat16)) == torch.finfo(torch.bfloat16).eps
    assert unit_of(torch.zeros(1, dtype=torch.float64)) == LEAP


# ---------------------------------------------------------------------------------------- witnesses


def test_a_witness_has_the_value_its_float64_and_the_runs():
    a = randn(40, 30)
    with (shadows := Shadows(range(4))):
        y = a.T @ a
        witness = shadows.witness(y)
    assert torch.equal(witness.value, a.T @ a)
    torch.testing.assert_close(witness.exact, a.double().T @ a.double())
    assert len(witness.rounded) == 4
    assert witness.terms >= 30
    assert EPS < witness.bound < 100 * EPS
    assert witness.given == EPS


def test_the_terms_are_those_of_what_a_tensor_was_made_of():
    long, short = randn(10_000), randn(3)
    with (shadows := Shadows([0])):
        total = long.sum()
        of_long, of_short = shadows.witness(total * 1.5), shadows.witness(short * 1.5)
    assert of_long.terms >= 1_000
    assert of_short.terms == 1


@pytest.mark.parametrize(("dtype", "finer"), [(torch.float64, 2.0**-52 / LEAP), (torch.float32, 1.0)])
def test_in_float64_only_a_share_of_a_leap_counts(dtype, finer):
    with (shadows := Shadows([0])):
        y = randn(5, dtype=dtype) * 1.5
        assert shadows.witness(y).finer == finer


def test_in_float64_that_was_float32_before_all_of_it_counts():
    with (shadows := Shadows([0])):
        y = (randn(5) * 1.5).double() * 1.5
        assert shadows.witness(y).finer == 1.0


def test_the_reference_s_own_error_is_known_without_another_forward_pass():
    """Where a kernel cancels in float32, float64 says how much it lost there."""
    z = torch.tensor([[14.0, 0.0, -3.0]], requires_grad=True)
    loss = cross_entropy(z, torch.tensor([0]))
    with (shadows := Shadows(range(4))):
        (d_z,) = torch.autograd.grad(loss, z)
        witness = shadows.witness(d_z)
    by_hand = torch.softmax(z.detach(), 1) - one_hot(torch.tensor([0]), 3)
    assert float(witness.own.max()) > 0
    assert witness.beyond(by_hand) == ""
    assert witness.beyond(by_hand * 1.5)


@pytest.mark.parametrize("seed", range(20))
def test_what_cancels_inside_of_a_kernel_is_known_entry_by_entry(seed):
    """p − 1 of a confident answer, and 1 − h² of a saturated unit, lose digits by hand and in no kernel."""
    generator = torch.Generator().manual_seed(seed)
    z = (8 * torch.randn(6, 4, generator=generator)).requires_grad_()
    t = z.detach().argmax(1)
    loss = cross_entropy(z, t)
    saturated = torch.tanh(z)
    with (shadows := Shadows(range(4))):
        (d_z,) = torch.autograd.grad(loss, z)
        (slope,) = torch.autograd.grad(saturated.sum(), z)
        of_softmax, of_tanh = shadows.witness(d_z), shadows.witness(slope)
    with torch.no_grad():
        assert not of_softmax.beyond((torch.softmax(z, 1) - one_hot(t, 4)) / 6)
        assert not of_tanh.beyond(1 - saturated**2)
        assert of_softmax.beyond((torch.softmax(z, 1) - one_hot(t, 4)) / 5)
