"""The moving average: its numbers, by plain arithmetic, and that nothing else moves."""

import pytest
import torch

from manual_bp import ReLU, SoftmaxCrossEntropy, mlp
from manual_bp.training.engine.average import Average


def averaged(decay: float, steps: int) -> tuple[list[float], list[float]]:
    """Return the weights 1, 2, 3, ... of a network after its steps, and their averages."""
    network = mlp([2, 1], activation=ReLU(), loss=SoftmaxCrossEntropy(), dtype=torch.float64)
    average = Average(network, decay)
    given, found = [], []
    for step in range(1, steps + 1):
        network.buffer.fill_(step)
        average.add(network.buffer, step)
        given.append(float(step))
        found.append(average.network.parameters()["0.weight"][0, 0].item())
    assert network.parameters()["0.weight"].tolist() == [[steps, steps]]
    return given, found


def test_is_the_mean_in_which_old_weights_fade_by_the_decay() -> None:
    """From step 12 on, 10 / (9 + k) is at most 1 - 0.5: each later average is half the one before and half the new."""
    given, found = averaged(0.5, 40)
    for before, now, weight in zip(found[11:], found[12:], given[12:], strict=False):
        assert now == pytest.approx(0.5 * before + 0.5 * weight, rel=1e-12)


@pytest.mark.parametrize("decay", [0.999, 0.999999])
def test_a_short_run_is_averaged_over_its_last_tenth(decay: float) -> None:
    """Of weights 1, 2, 3, ..., n the mean is n - (n - 1) / 11, for any decay that would reach further back."""
    _, found = averaged(decay, 200)
    assert found[0] == 1
    for step in (2, 10, 50, 200):
        assert found[step - 1] == pytest.approx(step - (step - 1) / 11, rel=1e-9)


def test_begins_as_the_network_and_in_memory_of_its_own() -> None:
    network = mlp([3, 4, 2], activation=ReLU(), loss=SoftmaxCrossEntropy())
    average = Average(network, 0.9)
    assert torch.equal(average.network.buffer, network.buffer)
    network.buffer.zero_()
    assert average.network.buffer.any()


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_the_decay_is_a_share(decay: float) -> None:
    with pytest.raises(ValueError, match="Average expects a decay from 0 to below 1, got"):
        Average(mlp([2, 1], activation=ReLU(), loss=SoftmaxCrossEntropy()), decay)
