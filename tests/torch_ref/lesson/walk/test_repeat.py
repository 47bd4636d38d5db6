"""Just repeat: the updates go on from each other, by hand and by autograd."""

import pytest
import torch

from manual_bp import GradientDescent, Network, lecture
from torch_ref.known.faults import FAULTS
from torch_ref.lesson.terminal.updates import numbers_of, verdict_of
from torch_ref.lesson.walk.examples import large_example, random_example, x1, x2
from torch_ref.lesson.walk.repeat import repeated, thinned_out


def test_the_states_of_x2_go_on_from_each_other() -> None:
    states = list(repeated(x2(), x2().network, 3))
    assert [state.updates for state in states] == [0, 1, 2, 3]
    first = numbers_of(states[1], x2())
    for number in lecture.X2_NUMBERS:
        if number.quantity.endswith(" after"):
            assert f"{first[number.quantity.removesuffix(' after')]:.6f}" == number.exact
    network, example = Network(x2().network.layers, x2().network.loss_function), x2()
    for state in states:
        trace = network.forward(example.x)
        assert torch.equal(state.by_hand["L"], network.loss(trace, example.t))
        assert torch.equal(state.by_hand["W^2"], network.parameters()["2.weight"])
        GradientDescent(network, lr=1.0).update(network.backward(trace))


@pytest.mark.long(but=2)
@pytest.mark.parametrize("loss", ["squared-error", "cross-entropy"])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_fifty_updates_agree_to_the_last_bit(activation: str, loss: str) -> None:
    example = random_example([3, 4, 2], activation, loss, 1, 0.1, bias=True)
    states = list(repeated(example, example.network, 50))
    assert {state.ulp for state in states} == {0.0}
    assert states[-1].by_hand["L"] < states[0].by_hand["L"]
    assert verdict_of(states, 50) == "After 50 updates all numbers by hand are autograd's, identical to the last bit."


def test_a_fault_goes_on_by_hand_alone() -> None:
    planted = FAULTS["squared-error-sign"].plant(x2().network, l=2)
    states = list(repeated(x2(), planted, 5))
    assert [state.wrong for state in states] == [False, *[True] * 5]
    assert states[5].by_hand["L"] > states[0].by_hand["L"]
    assert verdict_of(states, 5) == "After 5 updates by hand the numbers are wrong."


def test_it_stops_where_numbers_are_no_longer_finite() -> None:
    example = random_example([3, 4, 2], "relu", "squared-error", 1, 1e6, bias=True)
    planted = FAULTS["squared-error-sign"].plant(example.network, l=2)
    states = list(repeated(example, planted, 100))
    assert len(states) < 10
    assert all(torch.isfinite(state.by_hand["L"]) for state in states)
    assert "are not finite. A smaller --lr helps." in verdict_of(states, 100)


@pytest.mark.parametrize(
    ("steps", "shown"),
    [(3, {0, 1, 2, 3}), (20, set(range(21))), (100, {0, 1, 2, 5, 10, 20, 50, 100}), (21, {0, 1, 2, 5, 10, 20, 21})],
)
def test_long_runs_are_thinned_out(steps: int, shown: set[int]) -> None:
    assert thinned_out(steps) == shown


def test_a_large_network_is_shown_by_norms() -> None:
    example = large_example([20, 10, 5], "sigmoid", "squared-error", 1, 0.5, bias=True)
    state, *_ = repeated(example, example.network, 1)
    norms = numbers_of(state, example)
    assert list(norms) == ["‖W^1‖", "‖b^1‖", "‖W^2‖", "‖b^2‖"]
    assert norms["‖W^2‖"] == pytest.approx(example.network.parameters()["2.weight"].norm().item())


def test_there_is_nothing_to_repeat_without_a_target() -> None:
    with pytest.raises(ValueError, match="forward only"):
        next(repeated(x1(1), x1(1).network, 1))
