"""The power that a report claims is true: a mistake a little larger is rejected, and one a little smaller is not."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from manual_bp import Linear, Network, mlp
from torch_ref import check_function, check_layer, check_module, crosscheck, mirror
from torch_ref.numbers.power import Power
from torch_ref.verdict.report import Report

X = torch.randn(7, 6, generator=torch.Generator().manual_seed(3)).double()
W = torch.randn(6, 4, generator=torch.Generator().manual_seed(4)).double()

Plant = Callable[[Tensor, Tensor], Tensor]
"""A change of a gradient, of the upstream gradient and the gradient."""


def middle(sizes: Tensor) -> int:
    """Return the place of the middle size."""
    return int(sizes.argsort()[len(sizes) // 2])


def everything(share: float) -> Plant:
    return lambda d, g: g * (1 + share)


def row(share: float) -> Plant:
    def plant(d: Tensor, g: Tensor) -> Tensor:
        i, g = middle(SUM.double().norm(dim=1)), g.clone()
        g[i] *= 1 + share
        return g

    return plant


def entry(share: float) -> Plant:
    def plant(d: Tensor, g: Tensor) -> Tensor:
        g = g.clone()
        g.view(-1)[middle(SUM.double().abs().view(-1))] *= 1 + share
        return g

    return plant


def sample(share: float) -> Plant:
    at: list[int] = []  # the same one at every call, as a mistake has it

    def plant(d: Tensor, g: Tensor) -> Tensor:
        at[:] = at or [middle(d.double().norm(dim=1))]
        i = at[0]
        return g - (share * X[i, :, None] * d[i].double()).to(g.dtype)

    return plant


SUM = torch.empty(0)
"""The gradient at the first upstream gradient, in which the middle row and entry are looked up."""


@dataclass(frozen=True)
class Setting:
    """A right formula, how exactly it computes, and how sharply the power is known."""

    dtype: torch.dtype = torch.float64
    sharp: float = 1.05
    off: float = 0.0
    """How far the formula is off, in float32 only where it is ``less_exact``."""
    less_exact: bool = False
    casts: bool = False
    """Whether it cannot compute in float64: then smaller mistakes are rejected too, those that add up."""
    more: tuple[tuple[str, Any], ...] = ()

    def report(self, plant: Plant, power: bool = False) -> Report:
        """Return the report of a product with X, with a change planted in its gradient."""
        x = X.to(self.dtype)

        def backward(d: Tensor, w: Tensor) -> Tensor:
            global SUM
            inner = d.to(self.dtype) if self.casts else d
            g = (x.to(inner.dtype).double().T @ inner.double()).to(inner.dtype)
            if power and SUM.numel() == 0:
                SUM = g
            if self.off and not (self.less_exact and d.dtype == torch.float64):
                g = g * (1 + self.off)
            return plant(inner, g).to(w.dtype)

        return check_function(
            lambda w: x.to(w.dtype) @ w,
            backward,
            [W.to(self.dtype)],
            differences=False,
            power=power,
            **dict(self.more),
        )


SETTINGS = {
    "float64": Setting(),
    "float64, strictly": Setting(more=(("strict", True),)),
    "float32": Setting(torch.float32, 1.6),
    "float32, strictly": Setting(torch.float32, 1.3, more=(("strict", True),)),
    "another algorithm": Setting(off=3e-7),
    "less exact in float32": Setting(torch.float32, 1.6, off=1e-4, less_exact=True),
    "within a tolerance": Setting(sharp=1.01, more=(("tolerance", {torch.float64: 0.02}),)),
    "bfloat16": Setting(torch.bfloat16, 1.3),
    "bfloat16 inside": Setting(torch.bfloat16, 1.6, casts=True),
}


@pytest.mark.long(but=("[float64]",))
@pytest.mark.parametrize("name", SETTINGS)
def test_a_mistake_a_little_larger_is_rejected_and_one_a_little_smaller_is_not(name: str) -> None:
    global SUM
    SUM = torch.empty(0)
    setting = SETTINGS[name]
    right = setting.report(lambda d, g: g, power=True)
    assert right.ok, str(right)
    assert right.power is not None
    for kind, share in (
        (everything, right.power.factor),
        (row, right.power.row),
        (entry, right.power.entry),
        (sample, right.power.sample),
    ):
        if share is None:
            assert setting.report(kind(0.95)).ok, kind.__name__
            continue
        assert setting.casts or setting.report(kind(share / setting.sharp)).ok, kind.__name__
        if share * setting.sharp < 1:
            assert not setting.report(kind(share * setting.sharp)).ok, kind.__name__
    assert right.power.dropped_sample is (right.power.sample is not None)
    assert right.power.weakness == ""


def power(report: Report) -> Power:
    assert report.ok, str(report)
    assert report.power is not None
    return report.power


def test_in_float64_more_is_seen_than_in_float32() -> None:
    global SUM
    found = []
    for name in ("float64, strictly", "float32, strictly", "float32"):
        SUM = torch.empty(0)
        found.append(power(SETTINGS[name].report(lambda d, g: g, power=True)).factor or 1.0)
    in_float64, in_float32, with_algorithms = found
    assert in_float64 < 1e-10 < 1e-8 < in_float32 < 1e-6 < with_algorithms < 1e-5


def test_what_cannot_use_float64_is_asked_for_smaller_and_smaller_mistakes() -> None:
    global SUM
    SUM = torch.empty(0)
    found = power(SETTINGS["bfloat16 inside"].report(lambda d, g: g, power=True))
    assert found.factor is not None
    assert 1e-3 < found.factor < 0.1


def test_nothing_is_summed_over_the_samples_where_each_has_a_gradient_of_its_own() -> None:
    found = power(check_function(lambda x: x * x, lambda d, x: 2 * d * x, [X]))
    assert (found.sample, found.dropped_sample) == (None, None)
    one = power(check_function(lambda w: X[:1] @ w, lambda d, w: X[:1].T @ d, [W]))
    assert (one.sample, one.dropped_sample) == (None, None)
    loss = power(check_function(lambda w: (X @ w).sum(), lambda d, w: d * X.sum(0)[:, None].expand(6, 4), [W]))
    assert (loss.sample, loss.dropped_sample) == (None, None)
    vector = power(check_function(lambda b: X + b, lambda d, b: d.sum(0), [W[:, 0]]))
    assert vector.dropped_sample is True


def test_a_sample_that_a_tolerance_hides_is_said_not_to_be_missed() -> None:
    found = power(check_function(lambda w: X @ w, lambda d, w: X.T @ d, [W], tolerance={torch.float64: 0.9}))
    assert (found.sample, found.dropped_sample) == (None, False)
    assert found.factor == pytest.approx(0.9)
    assert found.entry is None


def test_of_several_gradients_the_weakest_counts() -> None:
    """One of them is another algorithm by a part in a million, and hides as much."""

    def backward(d: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        return d @ w.T, x.T @ d * (1 + 1.5e-6)

    both = power(check_function(lambda x, w: x @ w, backward, [X, W], strict=False))
    alone = power(check_function(lambda w: X @ w, lambda d, w: X.T @ d * (1 + 1.5e-6), [W]))
    right = power(check_function(lambda w: X @ w, lambda d, w: X.T @ d, [W]))
    assert both.factor is not None
    assert right.factor is not None
    assert alone.factor is not None
    assert alone.factor < right.factor, "an error in the same direction leaves less room"
    assert both.factor > alone.factor


def test_a_check_that_could_not_fail_says_why() -> None:
    found = power(check_function(lambda x: 0 * x, lambda d, x: 0 * d, [X]))
    assert found == Power(None, None, None, None, None, "every gradient is 0 here, whatever the formula is")
    layer = Linear(W.T.contiguous())
    none = power(check_layer(layer, X, torch.nn.functional.linear, error=torch.zeros(7, 4).double()))
    assert none == Power(None, None, None, None, None, "the upstream gradient is 0 everywhere")


def test_what_is_zero_but_for_rounding_is_left_out() -> None:
    def forward(z: Tensor, b: Tensor) -> Tensor:
        return torch.softmax(z, 1).sum(1, keepdim=True) * b

    def backward(d: Tensor, z: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros_like(z) + 1e-18, d.sum()

    report = check_function(forward, backward, [X, torch.tensor(2.0).double()])
    assert report.rows[1].isolated.reason == "zero"
    found = power(report)
    assert found.factor is not None
    assert found.factor < 1e-5


def test_at_a_kink_a_mistake_begins_where_the_formula_is() -> None:
    x = X.clone()
    x[2, 3] = 0.0

    def report(factor: float, power: bool = False) -> Report:
        return check_function(torch.relu, lambda d, x: factor * d * (x >= 0), [x], differences=False, power=power)

    right = report(1.0, power=True)
    assert right.rows[1].isolated.reason == "kink"
    share = power(right).factor
    assert share is not None
    assert 0 < share < 1e-5
    assert report(1 + share / 2).ok
    assert not report(1 + 2 * share).ok


def test_of_a_few_numbers_beside_a_kink_a_change_there_is_not_what_would_have_been_seen() -> None:
    report = check_function(torch.relu, lambda d, x: d * (x >= 0), [torch.tensor([[0.0, 1.0, -1.0]])])
    assert report.rows[1].isolated.reason == "kink"
    found = power(report)
    assert found.factor is not None
    assert found.factor > 1e-8


@pytest.mark.long
def test_of_a_large_gradient_some_rows_are_looked_at() -> None:
    x = torch.linspace(1.0, 2.0, 300 * 900).view(300, 900).double()[torch.randperm(300)]

    def report(share: float = 0.0, at: Any = (), power: bool = False) -> Report:
        def backward(d: Tensor, x: Tensor) -> Tensor:
            g = 2 * d * x
            g[at] *= 1 + share
            return g

        return check_function(lambda x: x * x, backward, [x], differences=False, power=power)

    found = power(report(power=True))
    assert found.factor is not None
    assert report(found.factor / 1.2).ok
    assert not report(found.factor * 1.2).ok
    assert found.row is not None
    assert report(found.row / 3, 3).ok
    assert not report(found.row * 3, 3).ok


def test_of_a_network_the_formula_in_which_least_is_seen_counts() -> None:
    network = mlp([5, 4, 3])
    x, t = torch.randn(6, 5), torch.rand(6, 3)
    report = crosscheck(network, x, t)
    found = power(report)
    assert report.identical
    assert found.dropped_sample is True
    assert all(0 < share < 0.1 for share in (found.factor, found.row, found.sample, found.entry) if share is not None)
    assert "\nPower: a factor of 1.0000" in report.verdict
    assert crosscheck(network, x, t, power=False).power is None
    assert check_module(network, mirror(network)[0], x, t).power is not None
    alone = power(crosscheck(network, x[:1], t[:1]))
    assert alone.dropped_sample is None, "of one sample nothing is summed"


def test_a_network_in_which_a_factor_is_seen_is_rejected_with_twice_of_it() -> None:
    @dataclass(frozen=True, eq=False, repr=False)
    class Off(Linear):
        share: ClassVar[float] = 0.0

        def backward(self, error: Tensor, saved: Tensor, out: Any = None) -> Any:
            e, d = super().backward(error, saved)
            return e, {name: g * (1 + self.share) for name, g in d.items()}

    network = mlp([5, 4, 3])
    layers = [Off(layer.weight, layer.bias) if isinstance(layer, Linear) else layer for layer in network.layers]
    x, t = torch.randn(6, 5), torch.rand(6, 3)
    share = power(crosscheck(network, x, t)).factor
    assert share is not None
    Off.share = 2 * share
    assert not crosscheck(Network(tuple(layers), network.loss_function), x, t).ok
