"""Both engines' numbers of one pass and one update, by the lecture's names."""

import pytest
import torch

from manual_bp import Linear, Network, ReLU, Sigmoid, SoftmaxCrossEntropy, SquaredError, Tanh, lecture, mlp
from torch_ref.known.faults import FAULTS
from torch_ref.lesson.walk.quantities import pass_by_autograd, pass_by_hand, scalars

X, T = torch.tensor([lecture.X2_INPUT], dtype=torch.float64), torch.tensor([lecture.X2_TARGET], dtype=torch.float64)


@pytest.mark.parametrize("engine", [pass_by_hand, pass_by_autograd])
def test_x2_is_the_lecture_s(engine) -> None:
    numbers = scalars(engine(lecture.x2_network(), X, T, lecture.X2_LEARNING_RATE))
    for number in lecture.X2_NUMBERS:
        assert f"{numbers[number.quantity]:.6f}" == number.exact, number.quantity
    expected = lecture.quantities(lecture.x2_network(), lecture.X2_INPUT, lecture.X2_TARGET, lecture.X2_LEARNING_RATE)
    for name in numbers.keys() & expected.keys():
        assert numbers[name] == expected[name], name


@pytest.mark.parametrize("loss", [SquaredError(), SoftmaxCrossEntropy()])
@pytest.mark.parametrize("activation", [Sigmoid(), Tanh(), ReLU()])
def test_both_engines_give_the_same_names_and_bits(activation, loss) -> None:
    network = mlp([3, 4, 2], activation=activation, loss=loss, dtype=torch.float64)
    x, t = torch.randn(1, 3, dtype=torch.float64), torch.tensor([1])
    before = network.buffer.clone()
    hand, auto = pass_by_hand(network, x, t, 0.5), pass_by_autograd(network, x, t, 0.5)
    assert list(hand) == list(auto)
    for name, value in hand.items():
        assert torch.equal(value, auto[name]), name
    assert torch.equal(network.buffer, before)


def test_names_come_in_the_order_of_the_pass() -> None:
    squared = mlp([1, 1, 1], dtype=torch.float64)
    x, t = torch.rand(1, 1, dtype=torch.float64), torch.rand(1, 1, dtype=torch.float64)
    parameters = ["W^1", "b^1", "W^2", "b^2"]
    ends = [*(f"∂L/∂{p}" for p in parameters), *(f"{p} after" for p in parameters)]
    assert list(pass_by_hand(squared, x, t, 1.0)) == [
        *("net^1", "x^1", "net^2", "y", "L", "e^2", "δ^2", "e^1", "δ^1"),
        *ends,
    ]
    entropy = mlp([1, 1, 1], loss=SoftmaxCrossEntropy(), dtype=torch.float64)
    one = torch.ones_like(t)
    assert list(pass_by_hand(entropy, x, one, 1.0)) == ["net^1", "x^1", "net^2", "y", "L", "δ^2", "e^1", "δ^1", *ends]


def test_a_planted_fault_spoils_what_is_by_hand_alone() -> None:
    planted = FAULTS["sigmoid-error-no-slope"].plant(lecture.x2_network(), l=2)
    hand, auto = pass_by_hand(planted, X, T, 1.0), pass_by_autograd(lecture.x2_network(), X, T, 1.0)
    wrong = [name for name, value in hand.items() if not torch.equal(value, auto[name])]
    assert wrong[0] == "δ^2"
    assert "e^1" in wrong


def test_scalars_count_from_one() -> None:
    network = Network((Linear(torch.tensor([[1.0, 2.0]]), torch.tensor([3.0])),), SquaredError())
    numbers = scalars(pass_by_hand(network, torch.tensor([[1.0, 1.0]]), torch.tensor([[6.0]]), 1.0))
    assert numbers == {
        "net^1_1": 6.0, "y_1": 6.0, "L": 0.0, "δ^1_1": 0.0,
        "∂L/∂W^1_11": 0.0, "∂L/∂W^1_12": 0.0, "∂L/∂b^1_1": 0.0,
        "W^1_11 after": 1.0, "W^1_12 after": 2.0, "b^1_1 after": 3.0,
    }  # fmt: skip
