"""Gradient descent on X2 by manual_bp, where only the weight W^2_12 moves."""

from __future__ import annotations

import torch

from manual_bp import lecture

X, T = (torch.tensor([row], dtype=torch.float64) for row in (lecture.X2_INPUT, lecture.X2_TARGET))


def walk_of_one_weight(lr: float, updates: int) -> list[tuple[float, float]]:
    """Return the weight and the loss before the first update and after each."""
    network, walk = lecture.x2_network(), []
    weight = network.parameters()["2.weight"]
    for _ in range(updates + 1):
        trace = network.forward(X)
        walk.append((weight[0, 1].item(), network.loss(trace, T).item()))
        weight[0, 1] -= lr * network.backward(trace)["2.weight"][0, 1]
    return walk


def losses_of_one_weight(lr: float, updates: int) -> list[float]:
    return [loss for _, loss in walk_of_one_weight(lr, updates)]


def loss_at(weight: float) -> float:
    """Return the loss of X2 with another W^2_12."""
    network = lecture.x2_network()
    network.parameters()["2.weight"][0, 1] = weight
    return network.loss(network.forward(X), T).item()
