"""The catalogue of functions: every right backward is right in float64, every fault is one, and the draws are wide."""

from collections import Counter

import pytest
import torch

from torch_ref.trial.functions import FAMILIES, KINDS, Draw, Kind
from torch_ref.trial.functions.truth import CHANGED, wrong_gradients
from torch_ref.trial.functions.written import function_of
from torch_ref.trial.of_functions import plan, random_function

FAULTS = [(kind, fault) for kind in KINDS.values() for fault in kind.faults]


def drawn(kind: Kind, seed: int, **how):
    wide = torch.complex128 if kind.dtypes[0].is_complex else torch.float64
    return kind.draw(Draw(torch.Generator().manual_seed(seed), wide, **how))


@pytest.mark.long(but=30)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_right_backward_is_right_in_float64(kind: Kind) -> None:
    for seed, (rows, columns) in enumerate([(6, 5), (2, 9), (11, 6)]):
        assert wrong_gradients(kind, kind.backward, drawn(kind, seed, rows=rows, columns=columns)) == ()


@pytest.mark.long(but=160)
@pytest.mark.parametrize(("kind", "fault"), FAULTS, ids=[f"{k.name}: {f}" for k, f in FAULTS])
def test_float64_shows_every_fault(kind: Kind, fault: str) -> None:
    assert any(wrong_gradients(kind, kind.faults[fault].made(), drawn(kind, seed)) for seed in range(4))


def test_the_catalogue_is_as_large_as_it_says() -> None:
    assert len(KINDS) == sum(len(family.KINDS) for family in FAMILIES), "two kinds have one name"
    assert len(KINDS) >= 25
    assert len(FAULTS) >= 300
    assert sum(len(kind.own) for kind in KINDS.values()) >= 300, "faults that are made for one kind"
    assert all(len(kind.faults) >= 3 for kind in KINDS.values())


def test_faults_are_planted_once_in_one_of_two_dtypes_or_in_all_at_three_scales() -> None:
    quick, whole = plan(), plan(whole=True)
    assert {(k, f) for k, f, *_ in quick} == {(k.name, f) for k, f in FAULTS}
    assert max(Counter((k, f) for k, f, *_ in quick).values()) == 1
    for kind in KINDS.values():
        assert {dtype for k, _, dtype, _ in quick if k == kind.name} == {*kind.dtypes[1:3]}
    where = {(k, f, dtype, scale) for k, f, dtype, scale in whole}
    assert {(k, f, dtype, scale) for k, f, dtype, scale in quick} <= where
    assert {dtype for *_, dtype, _ in whole} == {dtype for kind in KINDS.values() for dtype in kind.dtypes}
    assert (min(scale for *_, scale in whole), max(scale for *_, scale in whole)) == (1e-8, 1e6)


def test_right_functions_cover_kinds_dtypes_scales_sizes_zeros_and_ties() -> None:
    made = [random_function(seed) for seed in range(2000)]
    assert {kind.name for kind, *_ in made} == set(KINDS)
    draws = [draw for _, draw, _ in made]
    assert {d.dtype for d in draws} == {dtype for kind in KINDS.values() for dtype in kind.dtypes}
    assert min(d.scale for d in draws) == 1e-8
    assert max(d.scale for d in draws) == 1e6
    assert max(d.rows for d in draws) > 1500
    assert max(d.columns for d in draws) > 1500
    assert {d.zeros for d in draws} == {d.ties for d in draws} == {True, False}
    assert not any(d.zeros or d.ties for kind, d, _ in made if kind.smooth)
    assert 12_000 < max(d.rows * d.columns for d in draws) <= 20_000
    assert max(d.rows * d.columns for kind, d, _ in made if kind.as_function) <= 12_000
    assert max(d.rows for kind, d, _ in made if kind.widest == 12) <= 12


@pytest.mark.parametrize("seed", range(0, 92, 7))
def test_the_same_seed_draws_the_same_function(seed: int) -> None:
    (kind, one, what), (_, other, same) = random_function(seed), random_function(seed)
    first, second = kind.draw(one), kind.draw(other)
    assert what == same
    for a, b in zip(torch.utils._pytree.tree_leaves(first), torch.utils._pytree.tree_leaves(second), strict=True):
        assert torch.equal(a, b)
        assert not (a.is_floating_point() or a.is_complex()) or torch.isfinite(a).all()


def test_zeros_and_ties_are_drawn() -> None:
    plain = Draw(torch.Generator().manual_seed(0)).normal(40, 40)
    assert not (plain == 0).any()
    zeros = Draw(torch.Generator().manual_seed(0), zeros=True).normal(40, 40)
    assert 0.1 < (zeros == 0).double().mean() < 0.3
    ties = Draw(torch.Generator().manual_seed(0), scale=4.0, ties=True).normal(40, 40)
    assert torch.equal(ties % 2, torch.zeros_like(ties))


def linear(backward) -> Kind:
    return Kind("linear", "tests", lambda x, w: x @ w, backward, lambda g: [g.normal(4, 3), g.normal(3, 2)])


RIGHT = linear(lambda d, x, w: (d @ w.mT, x.mT @ d))


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (lambda d, x, w: (d @ w.mT, x.mT @ d * (1 + 2e-6)), ("w",)),
        (lambda d, x, w: (d @ w.mT * (1 + 5e-7), x.mT @ d), ()),
        (lambda d, x, w: (2 * d @ w.mT, -x.mT @ d), ("x", "w")),
        (lambda d, x, w: (d @ w.mT, (x.mT @ d)[:, :1]), ("w",)),
        (lambda d, x, w: (d @ w.mT, x.mT @ d * float("nan")), ("w",)),
        (lambda d, x, w: (d @ w.mT, (x.mT @ d, d.mul_(2))[0]), (CHANGED,)),
        (lambda d, x, w: (d @ w.mT, x.mT @ d, w.zero_())[:2], (CHANGED,)),
    ],
    ids=["2e-6 off", "5e-7 off", "both", "shape", "nan", "upstream changed", "input changed"],
)
def test_the_truth_needs_no_checker(wrong, found) -> None:
    assert wrong_gradients(RIGHT, wrong, drawn(RIGHT, 0)) == found


def test_a_function_is_also_tried_with_tensors_out_of_order() -> None:
    layouts = KINDS["Function of any layout"]
    fault = layouts.faults["weight read as it lies"].made()
    assert wrong_gradients(layouts, fault, drawn(layouts, 0)) == ("x",)
    plain = linear(layouts.backward)
    assert wrong_gradients(plain, fault, drawn(layouts, 0)) == ()


def test_what_is_zero_in_exact_arithmetic_is_judged_by_the_other_gradients() -> None:
    keys = KINDS["attention to itself, keys with a bias"]
    inputs = drawn(keys, 0)
    assert keys.zero == ("b",)
    assert wrong_gradients(keys, keys.backward, inputs) == ()
    assert wrong_gradients(keys, keys.faults["bias gets the upstream gradient"].made(), inputs) == ("b",)


def test_a_kind_written_as_a_function_gives_the_gradients_of_its_backward() -> None:
    function = function_of(RIGHT, lambda d, x, w: (3 * d @ w.mT, x.mT @ d))
    x, w = (t.requires_grad_() for t in drawn(RIGHT, 0))
    y = function.apply(x, w)
    d = torch.randn_like(y)
    d_x, d_w = torch.autograd.grad(y, [x, w], d)
    assert torch.equal(d_x, 3 * d @ w.mT)
    assert torch.equal(d_w, x.mT @ d)
