"""How good a network is on images that it was not trained on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from manual_bp.network import Network


class Evaluation(NamedTuple):
    """Mean loss, and the share of images whose most confident class is the right one."""

    loss: float
    accuracy: float


def evaluate(network: Network, batches: Iterable[tuple[Tensor, Tensor]]) -> Evaluation:
    """Return loss and accuracy over all batches, for a network whose loss is a mean over the rows."""
    loss_sum, right, total = 0.0, 0, 0
    for x, t in batches:
        trace = network.forward(x)
        loss_sum += network.loss(trace, t).item() * len(x)
        right += int((trace.y.argmax(1) == t.argmax(1)).sum())
        total += len(x)
    return Evaluation(loss_sum / total, right / total)


def answers(network: Network, batches: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """Return y of all batches, (n, n^L), one below the other."""
    return torch.cat([network.forward(x).y for x, _ in batches])
