"""Each mistake in a module is placed at exactly its submodule, and at its method."""

from typing import Any

import pytest
import torch
from cases import blamed
from modules import (
    MLP,
    NAMES,
    BatchNorm,
    Block,
    ByHand,
    Functional,
    MeanForSum,
    Net,
    Recurrent,
    Shared,
    WithoutSlope,
    pictures,
    sequential,
    x_of,
)
from torch import Tensor, nn

from torch_ref import assert_gradients_match, check_module
from torch_ref.verdict.assertion import GradientMismatchError


class ReLUByHand(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return WithoutSlope.apply(x)


class Raising(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("not ready")


def check(mine: nn.Module, **options: Any) -> Any:
    return check_module(mine, sequential(), x_of(), mapping=NAMES, power=False, **options)


def test_a_gradient_of_a_parameter_is_placed_at_the_backward_of_its_function() -> None:
    report = check(MLP(MeanForSum))
    assert blamed(report) == {"gradient of two.b": "a factor of 1/N (N = 7?)"}
    first = report.verdict.splitlines()[0]
    assert first.startswith("Wrong: gradient of two.b, MeanForSum.backward at tests/modules.py:")
    assert report.consequences == ()
    with pytest.raises(GradientMismatchError, match="gradient of two"):
        assert_gradients_match(report)


def test_a_gradient_of_an_input_makes_everything_before_it_a_consequence() -> None:
    report = check(MLP(act=ReLUByHand()))
    assert list(blamed(report)) == ["gradient of x of act"]
    assert {row.quantity for row in report.consequences} == {"gradient of one.w", "gradient of one.b", "gradient of x"}
    assert all(row.isolated.ok for row in report.consequences)
    assert "Consequences, each right by itself: gradient of one.w" in report.verdict


def test_an_output_is_placed_too_and_its_gradient_follows_from_it() -> None:
    report = check(MLP(act=nn.Softplus(beta=3)))
    assert list(blamed(report)) == ["output of act"]
    assert report.guilty[0].of.owner == "Softplus"


def test_a_container_is_guilty_of_what_it_does_itself() -> None:
    report = check(MLP(factor=2.0))
    assert blamed(report) == {"output": "a factor of 2"}
    assert report.guilty[0].of.owner == "MLP"


def test_two_mistakes_are_two_accusations_also_in_a_container_and_its_child() -> None:
    assert list(blamed(check(MLP(MeanForSum, ReLUByHand(), 2.0)))) == [
        "output",
        "gradient of two.b",
        "gradient of x of act",
    ]


@pytest.mark.long(but=("half",))
@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ("detached", "gradient of x of blocks.1"),
        ("forgotten", "input of blocks.1.relu, call 2"),
        ("half", "input of blocks.1.relu, call 2"),
    ],
)
@pytest.mark.long
def test_the_way_past_a_block_is_the_block_s_own(wrong: str, place: str) -> None:
    report = check_module(Net(wrong), Net(), pictures(), power=False)
    (row,) = report.guilty
    assert (row.quantity, row.of.owner, row.method) == (place, "Block", "forward")
    assert check_module(Block(wrong), Block(), pictures(), power=False).guilty[0].of.owner == "Block"


@pytest.mark.long
def test_of_a_cell_the_call_is_named_and_of_truncation_the_whole() -> None:
    x = torch.randn(6, 3, 3)
    report = check_module(Recurrent("cell"), Recurrent(), x, power=False)
    assert list(blamed(report)) == ["output of cell, call 2"], "h is 0 in the first"
    (row,) = check_module(Recurrent("truncated"), Recurrent(), x, power=False).guilty
    assert (row.quantity, row.of.owner) == ("gradient of output of cell", "Recurrent")


def test_a_shared_parameter_of_which_one_use_is_forgotten() -> None:
    class Once(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside = Shared("detached")

        def forward(self, ids: Tensor) -> Tensor:
            return self.inside(ids)

    class Twice(Once):
        def __init__(self) -> None:
            super().__init__()
            self.inside = Shared()

    (row,) = check_module(Once(), Twice(), torch.randint(0, 11, (4, 5)), power=False).guilty
    assert (row.quantity, row.of.owner) == ("gradient of embedding.weight".replace("of ", "of inside.", 1), "Shared")


def test_what_raises_is_accused_once() -> None:
    assert blamed(check(MLP(act=Raising()))) == {"output of act": "raises RuntimeError: not ready"}

    class Whole(MLP):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("not ready")

    assert blamed(check(Whole())) == {"output": "raises RuntimeError: not ready"}


def test_no_gradient_counts_as_zeros_where_one_is_needed_and_is_named_where_none_is() -> None:
    class WithoutInput(MeanForSum):
        @staticmethod
        def backward(ctx: Any, d: Tensor) -> Any:
            x, _ = ctx.saved_tensors
            return None, d.t() @ x, d.sum(0)

    (row,) = check(MLP(WithoutInput)).guilty
    assert (row.quantity, row.cause) == ("gradient of x of two", "zeros")
    mine = MLP()
    mine.one = ByHand(5, 4, WithoutInput)
    report = check(mine)
    assert report.ok
    assert [name for name, _ in report.not_compared] == ["gradient of x of one", "gradient of x"]
    wanted = check_module(mine, sequential(), x_of().requires_grad_(), mapping=NAMES, power=False)
    assert list(blamed(wanted)) == ["gradient of x of one"]


@pytest.mark.long(but=1)
@pytest.mark.parametrize("is_in_place", [False, True])
def test_running_statistics_are_placed_at_the_module_that_holds_them(is_in_place: bool) -> None:
    mine = nn.Sequential(nn.Linear(5, 4), BatchNorm(4, is_biased=True, is_in_place=is_in_place))
    report = check_module(mine, nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4)), x_of(), power=False)
    (row,) = report.guilty
    assert (row.quantity, row.of.owner, row.method) == ("running_var of 1 after the call", "BatchNorm", "forward")
    assert report.verdict.startswith("Wrong: running_var of 1 after the call, BatchNorm.forward at tests/modules.py:")


def test_weights_that_are_kept_from_the_first_call_are_found() -> None:
    class Kept(ByHand):
        turned: Any = None

        def forward(self, x: Tensor) -> Tensor:
            self.turned = self.w.t() if self.turned is None else self.turned
            return x @ self.turned + self.b

    report = check_module(nn.Sequential(Kept(5, 4), nn.ReLU()), sequential()[:2], x_of(), power=False)
    assert {row.code for row in report.guilty} == {"keeps-state"}
    assert {row.of.owner for row in report.guilty} == {"Kept"}


def test_a_gradient_that_is_wrong_for_large_ones_only() -> None:
    class Clipped(WithoutSlope):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return torch.relu(x)

        @staticmethod
        def backward(ctx: Any, d: Tensor) -> Tensor:
            return d.clamp(-50, 50) * (ctx.saved_tensors[0] > 0)

    class Clipping(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return Clipped.apply(x)

    assert list(blamed(check(MLP(act=Clipping())))) == ["gradient of x of act"]


def test_a_loss_that_ignores_its_upstream_gradient_is_accepted_with_a_remark() -> None:
    class Ignoring(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, z: Tensor, t: Tensor) -> Tensor:
            ctx.save_for_backward(z, t)
            return nn.functional.cross_entropy(z, t)

        @staticmethod
        def backward(ctx: Any, d: Tensor) -> Any:
            z, t = ctx.saved_tensors
            return (torch.softmax(z, 1) - nn.functional.one_hot(t, z.shape[1])) / len(z), None

    class Loss(nn.Module):
        def __init__(self, function: Any) -> None:
            super().__init__()
            self.fc, self.function = nn.Linear(5, 3), function

        def forward(self, x: Tensor, t: Tensor) -> Tensor:
            return self.function(self.fc(x), t)

    pair = Loss(Ignoring.apply), Loss(nn.functional.cross_entropy), [x_of(), torch.arange(7) % 3]
    report = check_module(*pair, power=False)
    assert report.ok
    assert "backward ignores its upstream gradient" in report.remarks[0]
    assert not check_module(*pair, power=False, strict=True).ok


def test_a_mistake_is_in_the_whole_where_nothing_inside_corresponds() -> None:
    report = check_module(MLP(MeanForSum), Functional(), x_of(), power=False)
    assert list(blamed(report)) == ["gradient of two.b"]
    assert report.not_compared[0] == ("one alone", "the reference has no submodules")
