"""The loss as one function of the parameters, without modules: for the expert and for torch.compile."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # its usual name

from benchmarks.cases import Case, Problem

Pairs = Sequence[tuple[Tensor, Tensor | None]]


def pairs(case: Case, parameters: Sequence[Tensor]) -> Pairs:
    """Return W^l with its b^l, or with None where the case has no biases."""
    if not case.bias:
        return [(w, None) for w in parameters]
    return list(zip(parameters[::2], parameters[1::2], strict=True))


def target(problem: Problem) -> Tensor:
    """Return t in the form that torch's own loss takes fastest: for the cross-entropy the class indices."""
    return problem.labels if problem.case.loss == "cross-entropy" else problem.t


def loss_function(case: Case) -> Callable[[Pairs, Tensor, Tensor], Tensor]:
    """Return loss(layers, x, target) of a case."""
    activation = torch.relu if case.activation == "relu" else torch.sigmoid
    if case.loss == "cross-entropy":
        return lambda layers, x, t: F.cross_entropy(last_net(layers, x, activation), t)
    scale = 0.5 / case.batch
    return lambda layers, x, t: F.mse_loss(activation(last_net(layers, x, activation)), t, reduction="sum") * scale


def last_net(layers: Pairs, x: Tensor, activation: Callable[[Tensor], Tensor]) -> Tensor:
    """Return net^L."""
    for weight, bias in layers[:-1]:
        x = activation(F.linear(x, weight, bias))
    return F.linear(x, *layers[-1])
