"""Layer normalisation: y (N1, N2), the error of x (N4) and the gradients (N3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from manual_bp import LayerNorm
from torch_ref.known.faults import planted
from torch_ref.known.general import other_samples
from torch_ref.known.registry import Formula, Known
from torch_ref.known.scene import Candidate, Scene

FORMULAS = {
    "forward": Formula("N2", "y_j = w_j h_j + b_j, h = (x − mean) / √(v + ε)", "y"),
    "error": Formula("N4", "e_j = r (g_j − Σ g_i / n − h_j Σ g_i h_i / n), g = w e", "e"),
    "weight": Formula("N3", "∂L/∂w_j = −Σ e_j h_j", "∂L/∂w"),
    "bias": Formula("N3", "∂L/∂b_j = −Σ e_j", "∂L/∂b"),
}

# -------------------------------------------------------------------------------------------------------- the causes


class Parts(NamedTuple):
    """What the forward pass of a row computes, and the error of h."""

    c: Tensor
    v: Tensor
    r: Tensor
    h: Tensor
    g: Tensor

    @classmethod
    def of(cls, s: Scene) -> Parts:
        """Compute them from x, ε and the error."""
        c = s.x - s.x.mean(-1, keepdim=True)
        v = (c * c).mean(-1, keepdim=True)
        r = (v + _epsilon(s)) ** -0.5
        return cls(c, v, r, c * r, s.error * s.others["weight"])


def _epsilon(s: Scene) -> float:
    return float(getattr(s.owner, "epsilon", 1e-5))


def of_forward(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in y = w h + b (N1, N2)."""
    w, b, n, epsilon = s.others["weight"], s.others["bias"], s.x.shape[-1], _epsilon(s)
    c, v, r, h, _ = Parts.of(s)
    yield Candidate("bias-missing", "the bias is missing", w * h)
    yield Candidate("weights-missing", "the weight is missing", h + b)
    yield Candidate("bias-factor", "the bias has the wrong sign", w * h - b)
    yield Candidate("term-missing", "the mean is not subtracted", w * s.x * r + b)
    if n > 1:
        sample = (v * n / (n - 1) + epsilon) ** -0.5
        yield Candidate("wrong-divisor", "the variance is divided by n − 1, where n is meant", w * c * sample + b)
    yield Candidate("wrong-divisor", "the squares are summed, not averaged", w * c * (v * n + epsilon) ** -0.5 + b)
    yield Candidate("wrong-power", "divided by the variance, where its root is meant", w * c / (v + epsilon) + b)
    yield Candidate("wrong-argument", "ε is added to the root, not under it", w * c / (v.sqrt() + epsilon) + b)
    root_mean = ((s.x * s.x).mean(-1, keepdim=True) + epsilon) ** -0.5
    yield Candidate("another-function", "the mean is left out everywhere: that is RMS norm", w * s.x * root_mean + b)
    rows = tuple(range(s.x.ndim - 1))
    over = s.x - s.x.mean(rows)
    text = "the mean and the variance run over the rows: that is batch norm"
    yield Candidate("another-axis", text, w * over * ((over * over).mean(rows) + epsilon) ** -0.5 + b)


def of_error(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in the error of x (N4)."""
    c, v, r, h, g = Parts.of(s)
    n = s.x.shape[-1]
    mean_g, mean_gh = g.mean(-1, keepdim=True), (g * h).mean(-1, keepdim=True)
    both = "the mean and r are taken for constants: the paths through them are missing"
    yield Candidate("projection-missing", both, r * g)
    through_r = "the path through r is missing"
    yield Candidate("projection-missing", through_r, r * (g - mean_g))
    through_mean = "the path through the mean is missing"
    yield Candidate("projection-missing", through_mean, r * (g - h * mean_gh))
    yield Candidate("weights-missing", "the weight is missing", _sent(s.error, h, r))
    yield Candidate("part-missing", "r is missing", _sent(g, h, torch.ones_like(r)))
    yield Candidate("wrong-power", "divided by the variance, where its root is meant", _sent(g, h, r * r))
    yield Candidate("plus-for-minus", "the path through r is added", r * (g - mean_g + h * mean_gh))
    yield Candidate("plus-for-minus", "the path through the mean is added", r * (g + mean_g - h * mean_gh))
    for text, wrong in (
        ("the path through r is summed, where its mean is meant", r * (g - mean_g - n * h * mean_gh)),
        ("the path through the mean is summed, where its mean is meant", r * (g - n * mean_g - h * mean_gh)),
        ("both paths are summed, where their means are meant", r * (g - n * mean_g - n * h * mean_gh)),
    ):
        yield Candidate("mean-for-sum", text, wrong)
    yield Candidate(
        "factor",
        "the path through r has half its size: the 2 of the square is lost",
        r * (g - mean_g - h * mean_gh / 2),
    )
    yield Candidate(
        "another-tensor", "c stands in the place of h", r * (g - mean_g - c * (g * c).mean(-1, keepdim=True))
    )
    rows = tuple(range(s.x.ndim - 1))
    over = r * (g - g.mean(rows) - h * (g * h).mean(rows))
    yield Candidate("another-axis", "the means run over the rows, where the columns are meant", over)
    if n > 1:
        sample = (v * n / (n - 1) + _epsilon(s)) ** -0.5
        yield Candidate(
            "wrong-divisor", "the variance is divided by n − 1, where n is meant", _sent(g, c * sample, sample)
        )


def _sent(g: Tensor, h: Tensor, r: Tensor) -> Tensor:
    return r * (g - g.mean(-1, keepdim=True) - h * (g * h).mean(-1, keepdim=True))


def of_weight(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in ∂L/∂w = −Σ e h (N3)."""
    c, _, _, h, g = Parts.of(s)
    yield Candidate("another-tensor", "x stands in the place of h", -_over_rows(s.error * s.x))
    yield Candidate("another-tensor", "c stands in the place of h", -_over_rows(s.error * c))
    yield Candidate("another-tensor", "y stands in the place of h", -_over_rows(s.error * s.y))
    yield Candidate("input-missing", "h is missing", -_over_rows(s.error))
    yield Candidate("part-twice", "the weight is multiplied in", -_over_rows(g * h))
    for name, rows in other_samples(h):
        yield Candidate("wrong-sample", f"pairs the wrong sample ({name})", -_over_rows(s.error * rows))
    yield from _of_some_samples(s.error * h)


def of_bias(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in ∂L/∂b = −Σ e (N3)."""
    _, _, _, h, g = Parts.of(s)
    yield Candidate("another-gradient", "the gradient of the weight", -_over_rows(s.error * h))
    yield Candidate("input-too-often", "the weight is multiplied in", -_over_rows(g))
    yield from _of_some_samples(s.error)


def _over_rows(products: Tensor) -> Tensor:
    return products.sum(tuple(range(products.ndim - 1)))


def _of_some_samples(products: Tensor) -> Iterator[Candidate]:
    """Yield sums over some of the samples."""
    for name, kept in (("first", products[:1]), ("last", products[-1:])):
        yield Candidate("one-sample", f"one sample only (the {name})", -_over_rows(kept))
    for name, kept in (("last", products[:-1]), ("first", products[1:])):
        yield Candidate("sample-missing", f"the {name} sample is missing", -_over_rows(kept))
    if products.ndim > 2:
        text = "the first place of the sequence only: the sum over the others is missing"
        yield Candidate("step-missing", text, -products[:, 0].sum(tuple(range(products.ndim - 2))))


# -------------------------------------------------------------------------------------------------------- the faults


def _normed(x: Tensor, epsilon: float, divisor: int | None = None) -> tuple[Tensor, Tensor]:
    """Return h, and the standard deviation: written as most people write it."""
    centred = x - x.mean(-1, keepdim=True)
    variance = (centred**2).sum(-1, keepdim=True) / (divisor or x.shape[-1])
    deviation = torch.sqrt(variance + epsilon)
    return centred / deviation, deviation


def _backward(l: LayerNorm, e: Tensor, x: Tensor, through_mean: float = 1.0, through_r: float = 1.0) -> Tensor:
    """Return the error of x, each of the two paths with a factor of its own."""
    h, deviation = _normed(x, l.epsilon)
    d_h = e * l.weight
    n = x.shape[-1]
    sums = d_h.sum(-1, keepdim=True) * through_mean + h * (d_h * h).sum(-1, keepdim=True) * through_r
    return (d_h - sums / n) / deviation


FAULTS = (
    *planted(
        LayerNorm,
        "forward",
        "layer-norm-forward",
        ("no-bias", "bias-missing", "the bias is missing", lambda l, x: l.weight * _normed(x, l.epsilon)[0]),
        ("no-weight", "weights-missing", "the weight is missing", lambda l, x: _normed(x, l.epsilon)[0] + l.bias),
        (
            "unbiased",
            "wrong-divisor",
            "the variance is divided by n − 1",
            lambda l, x: l.weight * _normed(x, l.epsilon, x.shape[-1] - 1)[0] + l.bias,
        ),
        (
            "variance",
            "wrong-power",
            "divided by the variance",
            lambda l, x: (
                l.weight * (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, correction=0) + l.epsilon) + l.bias
            ),
        ),
        (
            "not-centred",
            "term-missing",
            "the mean is not subtracted",
            lambda l, x: l.weight * x / _normed(x, l.epsilon)[1] + l.bias,
        ),
        (
            "rms",
            "another-function",
            "the mean is left out everywhere",
            lambda l, x: l.weight * x / torch.sqrt((x * x).mean(-1, keepdim=True) + l.epsilon) + l.bias,
        ),
        (
            "batch-norm",
            "another-axis",
            "the mean and the variance run over the rows",
            lambda l, x: l.weight * (x - x.mean(0)) / torch.sqrt(x.var(0, correction=0) + l.epsilon) + l.bias,
        ),
    ),
    *planted(
        LayerNorm,
        "error",
        "layer-norm-error",
        (
            "constants",
            "projection-missing",
            "the mean and r are taken for constants",
            lambda l, e, x, _: e * l.weight / _normed(x, l.epsilon)[1],
        ),
        ("no-r", "projection-missing", "the path through r is missing", lambda l, e, x, _: _backward(l, e, x, 1, 0)),
        (
            "no-mean",
            "projection-missing",
            "the path through the mean is missing",
            lambda l, e, x, _: _backward(l, e, x, 0, 1),
        ),
        ("r-added", "plus-for-minus", "the path through r is added", lambda l, e, x, _: _backward(l, e, x, 1, -1)),
        (
            "mean-added",
            "plus-for-minus",
            "the path through the mean is added",
            lambda l, e, x, _: _backward(l, e, x, -1, 1),
        ),
        ("half", "factor", "the path through r has half its size", lambda l, e, x, _: _backward(l, e, x, 1, 0.5)),
        (
            "summed",
            "mean-for-sum",
            "both paths are summed",
            lambda l, e, x, _: _backward(l, e, x, x.shape[-1], x.shape[-1]),
        ),
        (
            "no-weight",
            "weights-missing",
            "the weight is missing",
            lambda l, e, x, _: _backward(LayerNorm(torch.ones_like(l.weight), l.bias, l.epsilon), e, x),
        ),
        (
            "not-divided",
            "part-missing",
            "r is missing",
            lambda l, e, x, _: _backward(l, e, x) * _normed(x, l.epsilon)[1],
        ),
        ("sign", "wrong-sign", "the sign is wrong", lambda l, e, x, _: -_backward(l, e, x)),
    ),
    *planted(
        LayerNorm,
        "weight",
        "layer-norm-weight",
        ("of-x", "another-tensor", "x stands in the place of h", lambda l, e, x, _: -(e * x).sum(0)),
        ("of-y", "another-tensor", "y stands in the place of h", lambda l, e, x, y: -(e * y).sum(0)),
        ("no-h", "input-missing", "h is missing", lambda l, e, x, _: -e.sum(0)),
        (
            "weighted",
            "part-twice",
            "the weight is multiplied in",
            lambda l, e, x, _: -(e * l.weight * _normed(x, l.epsilon)[0]).sum(0),
        ),
        ("mean", "factor", "a factor of 1/N", lambda l, e, x, _: -(e * _normed(x, l.epsilon)[0]).mean(0)),
        (
            "rolled",
            "wrong-sample",
            "pairs the wrong sample",
            lambda l, e, x, _: -(e * _normed(x.roll(1, 0), l.epsilon)[0]).sum(0),
        ),
    ),
    *planted(
        LayerNorm,
        "bias",
        "layer-norm-bias",
        ("weighted", "input-too-often", "the weight is multiplied in", lambda l, e, x, _: -(e * l.weight).sum(0)),
        (
            "of-weight",
            "another-gradient",
            "the gradient of the weight",
            lambda l, e, x, _: -(e * _normed(x, l.epsilon)[0]).sum(0),
        ),
        ("mean", "factor", "a factor of 1/N", lambda l, e, x, _: -e.mean(0)),
    ),
)


def _make(n: int, dtype: torch.dtype, generator: torch.Generator) -> Any:
    """Return a layer norm with random weights and biases."""
    weight, bias = (torch.randn(n, dtype=dtype, generator=generator) for _ in range(2))
    return LayerNorm(weight, bias)


CAUSES = {"forward": of_forward, "error": of_error, "weight": of_weight, "bias": of_bias}
LAYER_NORM = Known(LayerNorm, FORMULAS, CAUSES, FAULTS, _make, chapter="norm")
