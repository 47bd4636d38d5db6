"""The softmax y (E5) with cross-entropy L = −Σ t ln y (E8), and the error that it sends back, t − y (E17)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from manual_bp import SoftmaxCrossEntropy
from torch_ref.known.faults import planted
from torch_ref.known.general import other_samples
from torch_ref.known.loss import of_difference
from torch_ref.known.registry import Formula, Known
from torch_ref.known.scene import Candidate, Scene

FORMULAS = {
    "output": Formula("E5", "y_k = e^net_k / Σ_j e^net_j", "y"),
    "forward": Formula("E8", "L = −Σ t ln y{mean}", "L"),
    "error": Formula("E17", "{error} = t − y{mean}", "δ"),
}

# -------------------------------------------------------------------------------------------------------- the causes


def of_output(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in y = softmax(net) (E5)."""
    net = s.x
    yield Candidate("softmax-miswritten", "not normalised: e^net", torch.exp(net))
    yield Candidate("softmax-miswritten", "not normalised: e^(net − max)", torch.exp(net - net.amax(1, keepdim=True)))
    yield Candidate("another-axis", "normalised over the batch instead of the units", torch.softmax(net, 0))
    yield Candidate("another-axis", "normalised over all entries", torch.softmax(net.flatten(), 0).view_as(net))
    yield Candidate("another-function", "sigmoid in place of softmax", torch.sigmoid(net))
    yield Candidate("softmax-missing", "the softmax is missing: net itself", net)
    yield Candidate("wrong-logarithm", "ln y in place of y", torch.log_softmax(net, 1))
    yield Candidate("wrong-argument", "the argument has the wrong sign", torch.softmax(-net, 1))
    text = "the exponential is missing: net / Σ net"
    yield Candidate("softmax-miswritten", text, net / net.sum(1, keepdim=True))


def of_forward(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in L = −Σ t ln y (E8)."""
    t, net, y = s.others["t"], s.x, s.others["y"]
    log_y = torch.log_softmax(net, 1)
    right = -(t * log_y).sum() / s.over
    yield Candidate("wrong-logarithm", "the logarithm is missing: −Σ t y", -(t * y).sum() / s.over)
    yield Candidate("softmax-missing", "net in place of ln y: −Σ t net", -(t * net).sum() / s.over)
    alone = torch.logsumexp(net, 1).sum() / s.over
    yield Candidate("term-missing", "the sum of the logarithm alone", alone)
    yield Candidate("swapped", "y and t are swapped: −Σ y ln t", -(y * torch.log(t)).sum() / s.over)
    yield Candidate("another-tensor", "the entropy of y: −Σ y ln y", -(y * log_y).sum() / s.over)
    binary = -(t * log_y + (1 - t) * torch.log1p(-y)).sum() / s.over
    yield Candidate("another-loss", "every unit as a class of its own (binary cross-entropy)", binary)
    for base in (2, 10):
        text = f"a logarithm to the base {base}"
        yield Candidate("wrong-logarithm", text, right / math.log(base), {"base": base})
    over_batch = -(t * torch.log_softmax(net, 0)).sum() / s.over
    yield Candidate("another-axis", "the softmax is normalised over the batch", over_batch)
    yield Candidate("one-sample", "one sample only (the first)", -(t * log_y)[0].sum())
    yield Candidate("sample-missing", "the last sample is missing", -(t * log_y)[:-1].sum() / s.over)
    squared = 0.5 * (t - y).square().sum() / s.over
    yield Candidate("another-loss", "squared error in place of cross-entropy", squared)
    for name, rows in other_samples(t):
        yield Candidate("wrong-sample", f"pairs the wrong sample ({name})", -(rows * log_y).sum() / s.over)


def of_error(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in t − y, over N for the mean (E17): in its softmax, then in the difference."""
    t, y, net = s.others["t"], s.others["y"], s.x
    yield Candidate("softmax-missing", "net in place of y: the softmax is missing", (t - net) / s.over)
    text = "the ratio in place of the difference: t / y, the softmax is not differentiated"
    yield Candidate("softmax-not-differentiated", text, t / y / s.over)
    text = "the softmax is taken as if its units were independent: t (1 − y)"
    yield Candidate("softmax-not-differentiated", text, t * (1 - y) / s.over)
    yield Candidate("another-function", "sigmoid in place of softmax", (t - torch.sigmoid(net)) / s.over)
    over_batch = (t - torch.softmax(net, 0)) / s.over
    yield Candidate("another-axis", "the softmax is normalised over the batch", over_batch)
    yield Candidate("target-unit-only", "the target's unit only: t (t − y)", t * (t - y) / s.over)
    yield from of_difference(s)


# -------------------------------------------------------------------------------------------------------- the faults


def _n(loss: Any, x: Tensor) -> int:
    return len(x) if loss.reduction == "mean" else 1


def _s(x: Tensor) -> Tensor:
    return torch.sigmoid(x)


def _y(net: Tensor, over: int = 1) -> Tensor:
    return torch.softmax(net, over)


def _entropy(loss: Any, net: Tensor, t: Tensor) -> Tensor:
    return -(t * torch.log_softmax(net, 1)).sum() / _n(loss, net)


def _slope(x: Tensor) -> Tensor:
    return x * (1 - x)


FAULTS = (
    *planted(
        SoftmaxCrossEntropy,
        "output",
        "entropy-output",
        (
            "not-normalised",
            "softmax-miswritten",
            "not normalised",
            lambda f, net, t: torch.exp(net - net.amax(1, keepdim=True)),
        ),
        ("over-batch", "another-axis", "normalised over the batch", lambda f, net, t: _y(net, 0)),
        ("sigmoid", "another-function", "sigmoid in place of softmax", lambda f, net, t: _s(net)),
    ),
    *planted(
        SoftmaxCrossEntropy,
        "forward",
        "entropy-loss",
        (
            "no-logarithm",
            "wrong-logarithm",
            "the logarithm is missing",
            lambda f, net, t: -(t * _y(net)).sum() / _n(f, net),
        ),
        ("net", "softmax-missing", "net in place of ln y", lambda f, net, t: -(t * net).sum() / _n(f, net)),
        ("sign", "wrong-sign", "the sign is wrong", lambda f, net, t: -_entropy(f, net, t)),
        ("base-2", "wrong-logarithm", "a logarithm to the base 2", lambda f, net, t: _entropy(f, net, t) / math.log(2)),
        ("not-averaged", "factor", "a factor of N", lambda f, net, t: _entropy(f, net, t) * len(net)),
    ),
    *planted(
        SoftmaxCrossEntropy,
        "error",
        "entropy-error",
        ("sign", "wrong-sign", "the sign is wrong", lambda f, net, t: (_y(net) - t) / _n(f, net)),
        ("not-averaged", "factor", "a factor of N", lambda f, net, t: (t - _y(net)) / _n(f, net) * len(net)),
        ("averaged-twice", "factor", "a factor of 1/N", lambda f, net, t: (t - _y(net)) / _n(f, net) / len(net)),
        ("ratio", "softmax-not-differentiated", "the ratio in place", lambda f, net, t: t / _y(net) / _n(f, net)),
        (
            "diagonal",
            "softmax-not-differentiated",
            "the softmax is taken as if",
            lambda f, net, t: t * (1 - _y(net)) / _n(f, net),
        ),
        ("net", "softmax-missing", "net in place of y", lambda f, net, t: (t - net) / _n(f, net)),
        ("sigmoid", "another-function", "sigmoid in place of softmax", lambda f, net, t: (t - _s(net)) / _n(f, net)),
        (
            "over-batch",
            "another-axis",
            "the softmax is normalised over",
            lambda f, net, t: (t - _y(net, 0)) / _n(f, net),
        ),
        ("target-unit", "target-unit-only", "the target's unit only", lambda f, net, t: t * (t - _y(net)) / _n(f, net)),
        (
            "wrong-sample",
            "wrong-sample",
            "pairs the wrong sample",
            lambda f, net, t: (t.roll(1, 0) - _y(net)) / _n(f, net),
        ),
        (
            "slope-too",
            "slope-not-here",
            "σ′ is applied here",
            lambda f, net, t: _slope(_y(net)) * (t - _y(net)) / _n(f, net),
        ),
    ),
)

SOFTMAX_CROSS_ENTROPY = Known(
    SoftmaxCrossEntropy,
    FORMULAS,
    {"output": of_output, "forward": of_forward, "error": of_error},
    FAULTS,
    chapter="lecture",
)
