"""The four parts of a step: their order, what is left out, and what is exchanged between them."""

import copy

import pytest
import torch
from cases import assert_identical
from torch import Tensor
from twins import SETTINGS, Twins

from manual_bp import GradientDescent, mlp


@pytest.mark.usefixtures("each_size")
def test_the_four_parts_are_the_step() -> None:
    twins = Twins(mlp([6, 4, 3]), **SETTINGS)
    other = copy.deepcopy(twins.engine)
    x, t = torch.randn(5, 6), torch.rand(5, 3)
    for _ in range(6):
        loss = twins.engine.step(x, t).clone()
        other.forward(x)
        assert_identical(other.loss(t), loss)
        for gradients in other.backward():
            other.update(gradients)
        assert_identical(other.network.buffer, twins.engine.network.buffer)


@pytest.mark.parametrize("recorded", [0, 5])
@pytest.mark.usefixtures("each_size")
def test_parts_in_another_order_are_refused(recorded: int) -> None:
    twins, x, t = Twins(mlp([6, 4, 3])), torch.randn(5, 6), torch.rand(5, 3)
    with pytest.raises(ValueError, match=r"expects forward\(x\) before loss\(t\)"):
        twins.engine.loss(t)
    with pytest.raises(ValueError, match=r"expects forward\(x\) and loss\(t\) of a batch before backward"):
        twins.engine.backward()
    for number in range(recorded):
        twins.assert_same_step(x, t, f"at step {number}")
    twins.engine.forward(x)
    with pytest.raises(ValueError, match=r"expects forward\(x\) and loss\(t\) of a batch before backward"):
        twins.engine.backward()
    twins.assert_same_step(x, t, "after it")


@pytest.mark.parametrize("left_out", [1, 2, 4])
@pytest.mark.usefixtures("each_size")
def test_a_step_without_its_update_or_its_end_moves_nothing_more(left_out: int) -> None:
    """The first gradients alone are asked for, and nothing is moved: while it computes, records, repeats."""
    twins, x, t = Twins(mlp([6, 4, 3])), torch.randn(5, 6), torch.rand(5, 3)
    for number in range(8):
        if number == left_out:
            twins.engine.forward(x)
            twins.engine.loss(t)
            first = next(iter(twins.engine.backward()))
            trace = twins.plain.forward(x)
            twins.plain.loss(trace, t)
            gradients = twins.plain.backward(trace)
            for name in ("2.weight", "2.bias"):
                assert_identical(first[name], gradients[name])
        twins.assert_same_step(x, t, f"at step {number}")
    assert twins.repeat


@pytest.mark.usefixtures("each_size")
def test_other_gradients_than_those_of_backward_are_taken_as_they_come() -> None:
    """Clipped ones in one dictionary, for instance, whose tensors are others at every step."""
    twins, x, t = Twins(mlp([6, 4, 3])), torch.randn(5, 6), torch.rand(5, 3)
    halved: dict[str, Tensor] = {}
    for _ in range(7):
        twins.engine.forward(x)
        twins.engine.loss(t)
        for gradients in twins.engine.backward():
            halved.clear()
            halved.update({name: gradient / 2 for name, gradient in gradients.items()})
            twins.engine.update(halved)
        trace = twins.plain.forward(x)
        twins.plain.loss(trace, t)
        twins.descent.update({name: gradient / 2 for name, gradient in twins.plain.backward(trace).items()})
        assert_identical(twins.engine.network.buffer, twins.plain.buffer)


@pytest.mark.usefixtures("each_size")
def test_a_descent_that_is_exchanged_within_a_step_updates_from_there_on() -> None:
    twins, x, t = Twins(mlp([6, 4, 3])), torch.randn(5, 6), torch.rand(5, 3)
    for number in range(5):
        twins.assert_same_step(x, t, f"at step {number}")
    twins.engine.forward(x)
    twins.engine.loss(t)
    twins.engine.descent = GradientDescent(twins.engine.network, lr=0.1)
    for gradients in twins.engine.backward():
        twins.engine.update(gradients)
    trace = twins.plain.forward(x)
    twins.plain.loss(trace, t)
    GradientDescent(twins.plain, lr=0.1).update(twins.plain.backward(trace))
    assert_identical(twins.engine.network.buffer, twins.plain.buffer)


def test_another_descent_and_another_network_take_over() -> None:
    twins = Twins(mlp([6, 4, 3]))
    x, t = torch.randn(5, 6), torch.rand(5, 3)
    for number in range(12):
        if number == 6:
            twins.engine.descent = GradientDescent(twins.engine.network, lr=0.1, momentum=0.9)
            twins.descent = GradientDescent(twins.plain, lr=0.1, momentum=0.9)
        twins.assert_same_step(x, t, f"at step {number}")
    twins.plain = mlp([6, 4, 3])
    twins.engine.network = copy.deepcopy(twins.plain)
    twins.engine.descent = GradientDescent(twins.engine.network, lr=0.1)
    twins.descent = GradientDescent(twins.plain, lr=0.1)
    for number in range(6):
        twins.assert_same_step(x, t, f"at step {number} of the other network")
