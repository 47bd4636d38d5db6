"""The network that reads digits: trained well, in bounded time, the same every time, by everybody who shows it."""

import pytest
import torch

from manual_bp import mlp
from manual_bp.training.images.data import mnist5k
from torch_ref.lesson.page import digit
from torch_ref.lesson.walk import training
from torch_ref.lesson.walk.examples import reader
from torch_ref.lesson.walk.training import RATES, UntrainableError, epochs_of, trained


@pytest.mark.long(but=("sigmoid-squared-error",))
@pytest.mark.parametrize(("activation", "loss"), RATES)
def test_with_each_activation_and_loss_nine_digits_of_ten_come_out_right(activation: str, loss: str) -> None:
    assert reader((784, 30, 10), activation, loss, 1, bias=True).training.right > 900


def test_it_is_the_page_s_network_to_the_last_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "EPOCHS", 2)
    threads = torch.get_num_threads()
    page = digit.trained(mnist5k()[0], 2)
    ours = reader.__wrapped__((784, 30, 10), "sigmoid", "squared-error", digit.SEED, bias=True)
    assert torch.equal(page.buffer, ours.network.buffer)
    assert torch.get_num_threads() == threads


def test_another_seed_is_another_network_and_the_same_seed_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "EPOCHS", 1)  # where the order of the digits is drawn too

    def weights(seed: int) -> torch.Tensor:
        return reader.__wrapped__((784, 2, 10), "tanh", "cross-entropy", seed, bias=False).network.buffer

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_untrained_it_is_as_it_was_drawn() -> None:
    drawn = mlp([784, 5, 10], generator=torch.Generator().manual_seed(3))
    found = reader((784, 5, 10), "sigmoid", "squared-error", 3, bias=True, is_trained=False)
    assert found.training is None
    assert torch.equal(found.network.buffer, drawn.buffer)


def test_a_large_network_is_trained_for_fewer_epochs() -> None:
    assert [epochs_of(mlp([784, n, 10])) for n in (30, 300, 2000)] == [12, 5, 1]


def test_numbers_that_are_not_finite_are_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "EPOCHS", 1)
    network = mlp([784, 2, 10])
    network.buffer.fill_(torch.inf)
    with pytest.raises(UntrainableError, match=r"not finite, at η = 0\.3"):
        trained(network, 0.3, torch.Generator())
