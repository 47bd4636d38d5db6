"""What the arguments of a network's check do: the batch, the module, the tolerance; and what nobody gave."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from manual_bp import Linear, Network, SoftmaxCrossEntropy, SquaredError, Tanh, mlp
from torch_ref import check_module, crosscheck
from torch_ref.known.faults import FAULTS

NETWORK = mlp([5, 4, 3], activation=Tanh(), loss=SoftmaxCrossEntropy())
OFF = 1.001
"""A factor that no rounding makes in float32, and that a tolerance of 1 % lets pass."""


def layers(dtype: torch.dtype = torch.float32) -> nn.Sequential:
    return nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).to(dtype)


@dataclass(frozen=True)
class ForwardOff(Tanh):
    def forward(self, x, out=None):
        return OFF * torch.tanh(x), torch.tanh(x)

    def backward(self, error, saved, out=None):
        return OFF * error * (1 - saved * saved), {}


@dataclass(frozen=True)
class AnswerOff(SoftmaxCrossEntropy):
    def output(self, x, out=None):
        return OFF * super().output(x)


@dataclass(frozen=True)
class OffSquaredError(SquaredError):
    def forward(self, x, t, out=None):
        loss, saved = super().forward(x, t)
        return OFF * loss, saved

    def backward(self, saved, out=None):
        return OFF * super().backward(saved)


@dataclass(frozen=True)
class Gain:
    """gain · x."""

    gain: Tensor

    def forward(self, x, out=None):
        return self.gain * x, x

    def backward(self, error, saved, out=None):
        return error * self.gain, {"gain": -(error * saved).sum(0)}

    def gradients(self, error, saved, out=None):
        return {"gain": -(error * saved).sum(0)}


class GainModule(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.rand(5))

    def forward(self, x: Tensor) -> Tensor:
        return self.gain * x


class Whole(nn.Sequential):
    """The layers one after the other, and then a factor."""

    factor = 1.0

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * super().forward(x)


def whole(factor: float, scale: float = 1.0) -> Whole:
    module = Whole(*layers())
    module.factor = factor
    with torch.no_grad():
        for p in module[2].parameters():
            p.mul_(scale)
    return module


def test_what_is_no_network_and_no_module_is_refused() -> None:
    with pytest.raises(TypeError, match=r"check_module expects a manual_bp\.Network, got Sequential"):
        check_module(layers(), layers())
    with pytest.raises(TypeError, match=r"crosscheck expects a manual_bp\.Network, got Sequential"):
        crosscheck(layers(), torch.randn(2, 5), torch.rand(2, 3))
    with pytest.raises(TypeError, match=r"check_module expects a torch\.nn\.Module, got Network"):
        check_module(NETWORK, NETWORK)
    with pytest.raises(TypeError, match=r"tolerance expects a number for each torch\.dtype"):
        check_module(NETWORK, layers(), tolerance=0.1)


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a check expects x with at least one row, got an empty batch \(0, 5\)"):
        crosscheck(NETWORK, torch.randn(0, 5), torch.rand(0, 3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_a_batch_sixteen_rows_are_drawn_in_the_module_s_dtype(dtype: torch.dtype) -> None:
    network, module = mlp([5, 4, 3], activation=Tanh(), loss=SoftmaxCrossEntropy(), dtype=dtype), layers(dtype)
    state = torch.get_rng_state()
    report = check_module(network, module)
    assert report.ok, str(report)
    assert (report.batch, report.dtype) == (16, dtype)
    assert torch.equal(torch.get_rng_state(), state), "the user's random numbers are left alone"


def test_the_batch_that_is_drawn_is_the_same_each_time() -> None:
    """The names and numbers of a fault found at the drawn batch can be found again."""
    network = FAULTS["linear-weight-over-n"].plant(NETWORK, 1)
    module = layers()
    first, second = check_module(network, module), check_module(network, module)
    assert str(first) == str(second)
    assert not first.ok


def test_a_batch_is_drawn_for_a_module_whose_first_parameter_is_a_row() -> None:
    network = Network((Gain(torch.rand(5)), Linear(torch.randn(3, 5), torch.randn(3))), SoftmaxCrossEntropy())
    assert check_module(network, nn.Sequential(GainModule(), nn.Linear(5, 3))).ok


def test_the_targets_given_are_those_compared_with() -> None:
    x = torch.randn(3, 5)
    with pytest.raises(ValueError, match="9"):
        check_module(NETWORK, layers(), x, torch.tensor([0, 1, 9]))


def test_a_batch_with_a_history_is_checked_without_it() -> None:
    x, t = torch.randn(6, 5, requires_grad=True), torch.rand(6, 3, requires_grad=True)
    report = crosscheck(mlp([5, 4, 3]), 1 * x, 1 * t)
    assert report.identical, str(report)
    assert not report.note
    assert crosscheck(mlp([5, 4, 3]), x, t.detach()).identical
    assert crosscheck(mlp([5, 4, 3]), x.detach(), t).identical


@pytest.mark.long
def test_a_tolerance_counts_for_every_row_and_for_the_whole_pass() -> None:
    allowed = {torch.float32: 0.01}
    linear = Linear(torch.randn(4, 5), torch.randn(4)), Linear(torch.randn(3, 4), torch.randn(3))
    x, t = torch.randn(6, 5), torch.rand(6, 3)
    for activation, loss in ((ForwardOff(), SquaredError()), (Tanh(), AnswerOff()), (Tanh(), OffSquaredError())):
        network = Network((linear[0], activation, linear[1]), loss)
        target = torch.softmax(t, 1)
        assert not crosscheck(network, x, target).ok
        report = crosscheck(network, x, target, tolerance=allowed)
        assert report.ok, str(report)
        assert all(row.end_to_end is None or row.end_to_end.ok for row in report.rows), str(report)
        assert not check_module(network, layers(), x, target).ok
        report = check_module(network, layers(), x, target, tolerance=allowed)
        assert report.ok, str(report)


def test_an_order_of_modules_is_told_from_another_by_more_than_rounding() -> None:
    assert check_module(NETWORK, whole(1.0005)).ok, "a sum in another order is no other order of modules"
    for module in (whole(1.002), whole(-1.0, scale=1e-12)):
        with pytest.raises(ValueError, match="one after the other, but its output is another"):
            check_module(NETWORK, module)


def test_the_order_is_looked_at_without_recording_a_graph() -> None:
    recorded: list[bool] = []

    class Recording(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            recorded.append(torch.is_grad_enabled())
            return super().forward(x)

    check_module(NETWORK, Recording(*layers()))
    assert recorded == [False]


def test_what_only_the_reference_raises_is_raised() -> None:
    class NoGraph(nn.Tanh):
        def forward(self, x: Tensor) -> Tensor:
            if torch.is_grad_enabled():
                raise RuntimeError("for inference only")
            return super().forward(x)

    with pytest.raises(RuntimeError, match="for inference only"):
        check_module(NETWORK, nn.Sequential(nn.Linear(5, 4), NoGraph(), nn.Linear(4, 3)))


def test_where_the_loss_is_at_its_minimum_the_formulas_are_tried_all_the_same() -> None:
    """There every error is 0, at which a formula without its slope is right."""
    good = mlp([5, 4, 3])
    x = torch.randn(6, 5)
    t = good.forward(x).values[-1]
    assert crosscheck(good, x, t).ok
    report = crosscheck(FAULTS["sigmoid-error-no-slope"].plant(good, 1), x, t)
    assert [row.quantity for row in report.guilty] == ["δ^1"]


def test_the_answer_is_computed_from_the_last_value() -> None:
    report = crosscheck(mlp([5, 4, 3], loss=SoftmaxCrossEntropy()), torch.randn(2, 5), torch.tensor([0, 2]))
    shapes = {row.quantity: row.shape for row in report.rows}
    assert shapes["y"] == (2, 3)


def test_a_layer_beside_one_that_the_lecture_does_not_know_keeps_its_number() -> None:
    linear = Linear(torch.randn(4, 5), torch.randn(4)), Linear(torch.randn(3, 4), torch.randn(3))
    network = Network((linear[0], Tanh(), Tanh(), linear[1]), SquaredError())
    report = crosscheck(network, torch.randn(6, 5), torch.rand(6, 3))
    assert {row.quantity: row.of.layer for row in report.rows}["net^1"] == 1


class DoubledSlope(torch.autograd.Function):
    """sin with twice the cosine for its derivative."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.sin(x)

    @staticmethod
    def backward(ctx, d_y):
        (x,) = ctx.saved_tensors
        return 2 * d_y * torch.cos(x)


class SineModule(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return DoubledSlope.apply(x)


@dataclass(frozen=True)
class Sine:
    def forward(self, x, out=None):
        return torch.sin(x), x

    def backward(self, error, saved, out=None):
        return 2 * error * torch.cos(saved), {}


def test_a_module_and_a_layer_with_the_same_mistake_are_both_to_blame() -> None:
    kind = torch.float64
    network = Network(
        (
            Linear(torch.randn(4, 5).to(kind), torch.randn(4).to(kind)),
            Sine(),
            Linear(torch.randn(3, 4).to(kind), torch.randn(3).to(kind)),
        ),
        SquaredError(),
    )
    module = nn.Sequential(nn.Linear(5, 4), SineModule(), nn.Linear(4, 3)).to(kind)
    report = check_module(network, module, torch.randn(6, 5).to(kind), torch.rand(6, 3).to(kind))
    assert {row.quantity: row.blame for row in report.rows if row.blame} == {"δ^1": "both"}, str(report)
