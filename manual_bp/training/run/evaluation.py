"""How good a network is on images that it was not trained on, which class it takes for which, and where it errs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from manual_bp.masks import in_tests
from manual_bp.network import Network


class Evaluation(NamedTuple):
    """Mean loss, and the share of images whose most confident class is the right one."""

    loss: float
    accuracy: float


def evaluate(network: Network, batches: Iterable[tuple[Tensor, Tensor]]) -> Evaluation:
    """Return loss and accuracy over all batches, for a network whose loss is a mean over the rows."""
    network, loss_sum, right, total = in_tests(network), 0.0, 0, 0
    for x, t in batches:
        trace = network.forward(x)
        loss_sum += network.loss(trace, t).item() * len(x)
        right += int((trace.y.argmax(1) == t.argmax(1)).sum())
        total += len(x)
    return Evaluation(loss_sum / total, right / total)


def answers(network: Network, batches: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """Return y of all batches, (n, n^L), one below the other."""
    network = in_tests(network)
    return torch.cat([network.forward(x).y for x, _ in batches])


def confusion(answers: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Count each pair (label, answer) of two (n,) int64 tensors: (classes, classes) int64, a row for each label."""
    for name, given in (("answers", answers), ("labels", labels)):
        if given.numel() and not 0 <= int(given.min()) <= int(given.max()) < classes:
            low, high = int(given.min()), int(given.max())
            raise ValueError(f"confusion expects {name} from 0 to {classes - 1}, got {low} to {high}")
    if answers.shape != labels.shape:
        raise ValueError(f"confusion expects as many answers as labels, got {len(answers)} and {len(labels)}")
    return torch.bincount(labels * classes + answers, minlength=classes**2).reshape(classes, classes)


def mistakes(y: Tensor, labels: Tensor) -> Tensor:
    """Return the samples that are answered wrong, (n_wrong,) int64, the most confident answer first, then in order.

    The answer is the class with the largest y, its confidence that y itself. Rows of y (n, classes) need not sum to 1:
    those of a sigmoid layer do not.
    """
    if y.ndim != 2 or labels.shape != y.shape[:1]:
        raise ValueError(f"mistakes expects a label for each row of y, got {tuple(labels.shape)}, {tuple(y.shape)}")
    answers = y.argmax(1)
    confidences = y.gather(1, answers.unsqueeze(1)).squeeze(1)
    wrong = (answers != labels).nonzero().squeeze(1)
    return wrong[confidences[wrong].argsort(descending=True, stable=True)]
