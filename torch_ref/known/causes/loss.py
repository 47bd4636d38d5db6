"""Mistakes in a loss: L (E6, E8), the answer y (E5), and the error that it sends back (E13, E17)."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from torch_ref.known.causes.general import other_samples
from torch_ref.known.causes.scene import Candidate, Scene


def of_squared_error(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in L = ½ Σ (t − y)² (E6)."""
    difference = s.others["t"] - s.x
    yield "the square is missing: |t − y|", difference.abs().sum() / s.over
    yield "the square is missing, and ½ is kept: ½ |t − y|", 0.5 * difference.abs().sum() / s.over
    yield "the square is missing: t − y itself", difference.sum() / s.over
    yield "the square root is taken (the norm)", difference.norm()
    yield "the square root is taken (the norm)", (difference * difference).mean().sqrt()
    yield "t + y in place of t − y", 0.5 * (s.others["t"] + s.x).square().sum() / s.over
    yield "one sample only (the first)", 0.5 * difference[0].square().sum()
    yield "the last sample is missing", 0.5 * difference[:-1].square().sum() / s.over
    for name, t in other_samples(s.others["t"]):
        yield f"pairs the wrong sample ({name})", 0.5 * (t - s.x).square().sum() / s.over


def of_error(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in t − y, over N for the mean."""
    t, y = s.others["t"], s.others["y"]
    r = s.right
    yield "y is missing: t alone", t / s.over
    yield "t is missing: −y alone", -y / s.over
    yield "t + y in place of t − y", (t + y) / s.over
    yield "the sign of t − y alone", torch.sign(t - y) / s.over
    yield "net in place of y: the softmax is missing", (t - s.x) / s.over
    yield "the ratio in place of the difference: t / y, the softmax is not differentiated", t / y / s.over
    yield "the softmax is taken as if its units were independent: t (1 − y)", t * (1 - y) / s.over
    yield "σ′ is applied here too (it belongs to the activation)", r * y * (1 - y)
    yield "σ′ is applied here too (it belongs to the activation)", r * (1 - y * y)
    yield "sigmoid in place of softmax", (t - torch.sigmoid(s.x)) / s.over
    yield "the softmax is normalised over the batch", (t - torch.softmax(s.x, 0)) / s.over
    yield "the target's unit only: t (t − y)", t * (t - y) / s.over
    yield "the square is kept: ½ (t − y)²", 0.5 * (t - y) ** 2 / s.over
    for name, rows in other_samples(t):
        yield f"pairs the wrong sample ({name})", (rows - y) / s.over
    yield "broadcasts over the batch: the mean of t", (t.mean(0) - y) / s.over
    yield "broadcasts over the batch: the mean of y", (t - y.mean(0)) / s.over
    yield "broadcasts over the batch: the first row of t", (t[0] - y) / s.over


def of_cross_entropy(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in L = −Σ t ln y (E8)."""
    t, net, y = s.others["t"], s.x, s.others["y"]
    log_y = torch.log_softmax(net, 1)
    yield "the logarithm is missing: −Σ t y", -(t * y).sum() / s.over
    yield "net in place of ln y: −Σ t net", -(t * net).sum() / s.over
    yield "the sum of the logarithm alone", torch.logsumexp(net, 1).sum() / s.over
    yield "y and t are swapped: −Σ y ln t", -(y * torch.log(t)).sum() / s.over
    yield "the entropy of y: −Σ y ln y", -(y * log_y).sum() / s.over
    yield (
        "every unit as a class of its own (binary cross-entropy)",
        -(t * log_y + (1 - t) * torch.log1p(-y)).sum() / s.over,
    )
    yield "a logarithm to the base 2", -(t * log_y).sum() / s.over / torch.log(torch.tensor(2.0).double())
    yield "a logarithm to the base 10", -(t * log_y).sum() / s.over / torch.log(torch.tensor(10.0).double())
    yield "the softmax is normalised over the batch", -(t * torch.log_softmax(net, 0)).sum() / s.over
    yield "one sample only (the first)", -(t * log_y)[0].sum()
    yield "the last sample is missing", -(t * log_y)[:-1].sum() / s.over
    yield "squared error in place of cross-entropy", 0.5 * (t - y).square().sum() / s.over
    for name, rows in other_samples(t):
        yield f"pairs the wrong sample ({name})", -(rows * log_y).sum() / s.over


def of_softmax(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in y = softmax(net) (E5)."""
    net = s.x
    yield "not normalised: e^net", torch.exp(net)
    yield "not normalised: e^(net − max)", torch.exp(net - net.amax(1, keepdim=True))
    yield "normalised over the batch instead of the units", torch.softmax(net, 0)
    yield "normalised over all entries", torch.softmax(net.flatten(), 0).view_as(net)
    yield "sigmoid in place of softmax", torch.sigmoid(net)
    yield "the softmax is missing: net itself", net
    yield "ln y in place of y", torch.log_softmax(net, 1)
    yield "the argument has the wrong sign", torch.softmax(-net, 1)
    yield "the exponential is missing: net / Σ net", net / net.sum(1, keepdim=True)
