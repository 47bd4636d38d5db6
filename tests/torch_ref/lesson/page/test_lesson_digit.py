"""What Python embeds for the page's digit: the trained network, and digits for it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from digit_network import embedded_digit, embedded_network

from manual_bp import GradientDescent, Linear, SquaredError, mlp, one_hot
from manual_bp.training.images.data import Images, mnist5k
from torch_ref.autograd.engine import AutogradEngine
from torch_ref.lesson.page import digit
from torch_ref.lesson.page.digit import digit_data, trained

ROOM = 220_000
"""Bytes of the page for this chapter's data."""


@pytest.fixture(scope="module")
def data(lesson_data: dict[str, Any]) -> dict[str, Any]:
    return lesson_data["digit"]


@pytest.mark.long
def test_two_calls_give_the_same_and_leave_the_number_of_threads_alone(data) -> None:
    torch.set_num_threads(2)
    again = digit_data()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    assert threads == 2
    assert again == data


def test_the_embedded_weights_get_nine_of_ten_test_digits_right_as_stated(data) -> None:
    _, test = mnist5k()
    y = embedded_network(data).forward(test.pixels.flatten(1).double() / 255).y
    right = int((y.argmax(1) == test.labels).sum())
    assert data["test"] == {"digits": 1000, "right": right}
    assert right > 900


def test_the_network_is_784_30_10_and_fits_into_its_room(data) -> None:
    linears = [layer for layer in embedded_network(data).layers if isinstance(layer, Linear)]
    assert [tuple(linear.weight.shape) for linear in linears] == [(30, 784), (10, 30)]
    assert data["sizes"] == [784, 30, 10]
    assert len(json.dumps(data)) < ROOM


def test_the_digits_are_test_digits_of_every_class_and_some_are_answered_wrong(data) -> None:
    _, test = mnist5k()
    known = {(pixels.numpy().tobytes(), label) for pixels, label in zip(test.pixels, test.labels.tolist(), strict=True)}
    network, answers = embedded_network(data), []
    for one in data["digits"]:
        x, _ = embedded_digit(one)
        assert ((x * 255).round().byte().numpy().tobytes(), one["label"]) in known
        answers.append(int(network.forward(x).y.argmax()))
    labels = [one["label"] for one in data["digits"]]
    assert labels[:10] == answers[:10] == list(range(10))
    assert len(labels) == 14
    assert all(answer != label for answer, label in zip(answers[10:], labels[10:], strict=True))


def test_the_page_begins_with_the_digit_that_is_right_but_least_sure(data) -> None:
    network = embedded_network(data)
    confidences = [network.forward(embedded_digit(one)[0]).y[0, one["label"]].item() for one in data["digits"][:10]]
    assert data["first"] == confidences.index(min(confidences))


def test_training_is_gradient_descent_on_the_sum_of_the_losses() -> None:
    """Autograd ends at the same weights after the same batches: E7 sums over the ten digits of a batch, E9 follows."""
    training, _ = mnist5k()
    few = Images(training.pixels[:40], training.labels[:40])
    network = trained(few, 2)

    generator = torch.Generator().manual_seed(digit.SEED)
    witness = mlp([784, 30, 10], loss=SquaredError("sum"), generator=generator)
    engine = AutogradEngine(witness, GradientDescent(witness, lr=0.3))
    x = few.pixels.flatten(1) / 255
    for _ in range(2):
        for rows in torch.randperm(40, generator=generator).split(10):
            engine.step(x[rows], one_hot(few.labels[rows], 10, like=x))
    for name, parameter in engine.parameters().items():
        assert torch.equal(network.parameters()[name], parameter)
