"""The linear part of a layer: net (E1), the error of x (E14) and the gradients (E12)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from manual_bp import Linear
from torch_ref.known.faults import planted
from torch_ref.known.general import other_samples
from torch_ref.known.registry import Formula, Known
from torch_ref.known.scene import Addition, Candidate, Candidates, Scene

FORMULAS = {
    "forward": Formula("E1", "net^{l} = W^{l} x^{below} + b^{l}", "net"),
    "error": Formula("E14", "e^{below} = (W^{l})ᵀ δ^{l}", "e", "its sum"),
    "weight": Formula("E12", "∂L/∂W^{l}_ij = −Σ δ^{l}_i x^{below}_j", "∂L/∂W"),
    "bias": Formula("E12", "∂L/∂b^{l} = −Σ δ^{l}", "∂L/∂b"),
}

# -------------------------------------------------------------------------------------------------------- the causes


def of_forward(s: Scene) -> Iterator[Candidate | Addition]:
    """Yield the mistakes in net = x Wᵀ + b (E1)."""
    w, b = s.others["weight"], s.others.get("bias")
    product = s.x @ w.t()
    right_b = 0 if b is None else b
    if w.shape[0] == w.shape[1]:
        yield Candidate("transposed-weights", "transposed weights", s.x @ w + right_b)
    if b is not None:
        yield Candidate("bias-missing", "the bias is missing", product)
        yield Candidate("bias-factor", "the bias is doubled", product + 2 * b)
        yield Candidate("bias-factor", "the bias has the wrong sign", product - b)
        for shift in (1, -1):
            text = "the bias is of the unit beside"
            yield Candidate("unit-beside", text, product + b.roll(shift), {"shift": shift})
        if len(b) == s.n:
            text = "the bias broadcasts over the batch instead of the units"
            yield Candidate("broadcast-over-batch", text, product + b[:, None])
    for name, x in other_samples(s.x):
        yield Candidate("wrong-sample", f"pairs the wrong sample ({name})", x @ w.t() + right_b)
    yield _stale(s.x @ _gradient(s).t())


def of_error(s: Scene) -> Iterator[Candidate | Addition]:
    """Yield the mistakes in the error of x, δ W (E14)."""
    w = s.others["weight"]
    if w.shape[0] == w.shape[1]:
        yield Candidate("transposed-weights", "transposed weights", s.error @ w.t())
        yield Candidate("weights-missing", "the weights are missing", s.error)
    yield Candidate("weights-without-sign", "the weights without their sign", s.error @ w.abs())
    for name, e in other_samples(s.error):
        yield Candidate("wrong-sample", f"pairs the wrong sample ({name})", e @ w)
    for shift in (1, -1):
        text = "the weights of the unit beside"
        yield Candidate("unit-beside", text, s.error @ w.roll(shift, 0), {"shift": shift})
    too = "σ′ is applied here too (it belongs to the activation)"
    yield Candidate("slope-not-here", too, (s.error @ w) * s.x * (1 - s.x))
    yield _stale(s.error @ _gradient(s))


def _gradient(s: Scene) -> Tensor:
    return -s.error.t() @ s.x


def _stale(moved: Tensor) -> Addition:
    text = "stale weights: they were updated (by {share:.3g} times the gradient) before they were used"
    return Addition("stale-weights", text, moved)


def of_weight(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in ∂L/∂W = −δᵀ x (E12)."""
    d, x, w = s.error, s.x, s.others["weight"]
    yield Candidate("input-missing", "x is missing", -d.sum(0)[:, None].expand_as(w))
    yield Candidate("upstream-missing", "δ is missing", -x.sum(0).expand_as(w))
    if x.shape == d.shape:
        yield Candidate("swapped", "x and δ are swapped (transposed)", -(x.t() @ d))
        for output in (s.y, torch.sigmoid(s.y), torch.tanh(s.y), s.y.clamp_min(0)):
            yield Candidate("another-tensor", "the output's x in place of the input's", -(d.t() @ output))
    for name, rows in other_samples(x):
        yield Candidate("wrong-sample", f"pairs the wrong sample ({name})", -(d.t() @ rows))
    yield Candidate("one-sample", "one sample only (the first)", -(d[:1].t() @ x[:1]))
    yield Candidate("one-sample", "one sample only (the last)", -(d[-1:].t() @ x[-1:]))
    yield Candidate("sample-missing", "the last sample is missing", -(d[:-1].t() @ x[:-1]))
    yield Candidate("sample-missing", "the first sample is missing", -(d[1:].t() @ x[1:]))
    for what, ds, xs in (
        ("sums", d.sum(0), x.sum(0)),
        ("averages", d.mean(0), x.sum(0)),
        ("averages", d.mean(0), x.mean(0)),
    ):
        text = f"broadcasts over the batch: {what} before it multiplies"
        yield Candidate("broadcast-over-batch", text, -(ds[:, None] * xs))
    yield Candidate("input-too-often", "x is squared", -(d.t() @ (x * x)))
    yield Candidate("another-tensor", "the weights are in place of x", -d.sum(0)[:, None] * w)


def of_bias(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in ∂L/∂b = −Σ δ (E12)."""
    d = s.error
    yield Candidate("one-sample", "one sample only (the first)", -d[0])
    yield Candidate("one-sample", "one sample only (the last)", -d[-1])
    yield Candidate("sample-missing", "the last sample is missing", -d[:-1].sum(0))
    yield Candidate("sample-missing", "the first sample is missing", -d[1:].sum(0))
    yield Candidate("another-axis", "sums over the units instead of the samples", -d.sum(1))
    one = "broadcasts over the batch: one number for all units"
    yield Candidate("broadcast-over-batch", one, -d.sum().expand(d.shape[1]))
    yield Candidate("broadcast-over-batch", one, -d.sum(0).mean().expand(d.shape[1]))
    if s.x.shape == d.shape:
        yield Candidate("another-tensor", "x is in place of δ", -s.x.sum(0))
    d_x = d * s.x.mean(1, keepdim=True)
    yield Candidate("input-too-often", "x is multiplied in (the input of a bias is 1)", -d_x.sum(0))


CAUSES: dict[str, Candidates] = {"forward": of_forward, "error": of_error, "weight": of_weight, "bias": of_bias}


def _for_rows(causes: Candidates) -> Candidates:
    """Return the same causes, and none where x is not (N, n_in): a layer that inherits from Linear may take others."""
    return lambda s: causes(s) if s.x.ndim == 2 and s.error.ndim == 2 else iter(())


# -------------------------------------------------------------------------------------------------------- the faults


def _with_zero_row(d: Tensor, row: int) -> Tensor:
    return torch.cat([d[:row], torch.zeros_like(d[row : row + 1]), d[row + 1 :]])


def _plus_b(layer: Linear, product: Tensor) -> Tensor:
    return product if layer.bias is None else product + layer.bias


def _with_one_nan(net: Tensor) -> Tensor:
    net = net.clone()
    net[1, 2] = float("nan")
    return net


def _after_an_update(layer: Linear, delta: Tensor, x: Tensor, lr: float = 0.1) -> Tensor:
    return layer.weight + lr * delta.t() @ x


def _updating_inside(layer: Linear, delta: Tensor, x: Tensor, _: Tensor) -> Tensor:
    layer.weight.add_(delta.t() @ x, alpha=0.1)
    return delta @ layer.weight


def _slope(x: Tensor) -> Tensor:
    return x * (1 - x)


FAULTS = (
    *planted(
        Linear,
        "forward",
        "linear-forward",
        ("transposed", "transposed-weights", "transposed weights", lambda l, x: _plus_b(l, x @ l.weight)),
        ("no-bias", "bias-missing", "the bias is missing", lambda l, x: x @ l.weight.t()),
        ("bias-twice", "bias-factor", "the bias is doubled", lambda l, x: x @ l.weight.t() + l.bias + l.bias),
        ("bias-sign", "bias-factor", "the bias has the wrong sign", lambda l, x: x @ l.weight.t() - l.bias),
        ("bias-beside", "unit-beside", "the bias is of the unit", lambda l, x: x @ l.weight.t() + l.bias.roll(1)),
        (
            "wrong-sample",
            "wrong-sample",
            "pairs the wrong sample",
            lambda l, x: _plus_b(l, x.roll(1, 0) @ l.weight.t()),
        ),
        ("1.0005", "factor", "a constant factor of 1.0005", lambda l, x: 1.0005 * _plus_b(l, x @ l.weight.t())),
        ("nan", "not-finite", "NaN appears here first", lambda l, x: _with_one_nan(_plus_b(l, x @ l.weight.t()))),
        ("sign", "wrong-sign", "the sign is wrong", lambda l, x: -_plus_b(l, x @ l.weight.t())),
    ),
    *planted(
        Linear,
        "error",
        "linear-error",
        ("transposed", "transposed-weights", "transposed weights", lambda l, d, x, _: d @ l.weight.t()),
        ("stale", "stale-weights", "stale weights", lambda l, d, x, _: d @ _after_an_update(l, d, x)),
        ("updating", "changes-input", "changes weight in place", _updating_inside),
        ("sign", "wrong-sign", "the sign is wrong", lambda l, d, x, _: -(d @ l.weight)),
        ("no-weights", "weights-missing", "the weights are missing", lambda l, d, x, _: d.clone()),
        ("slope-too", "slope-not-here", "σ′ is applied here too", lambda l, d, x, _: (d @ l.weight) * _slope(x)),
        ("wrong-sample", "wrong-sample", "pairs the wrong sample", lambda l, d, x, _: d.roll(1, 0) @ l.weight),
        ("over-n", "factor", "a factor of 1/N", lambda l, d, x, _: d @ l.weight / len(d)),
        ("zeros", "zeros", "zeros", lambda l, d, x, _: torch.zeros_like(x)),
        (
            "of-the-mean",
            "broadcast-over-batch",
            "broadcasts over the batch",
            lambda l, d, x, _: (d.mean(0) @ l.weight).expand_as(x),
        ),
        ("1.0005", "factor", "a constant factor of 1.0005", lambda l, d, x, _: 1.0005 * (d @ l.weight)),
    ),
    *planted(
        Linear,
        "weight",
        "linear-weight",
        ("sign", "wrong-sign", "the sign is wrong", lambda l, d, x, _: d.t() @ x),
        ("swapped", "swapped", "x and δ are swapped", lambda l, d, x, _: -(x.t() @ d)),
        ("zeros", "zeros", "zeros", lambda l, d, x, _: torch.zeros_like(l.weight)),
        ("over-n", "factor", "a factor of 1/N", lambda l, d, x, _: -(d.t() @ x) / len(x)),
        ("times-n", "factor", "a factor of N", lambda l, d, x, _: -(d.t() @ x) * len(x)),
        ("twice", "factor", "a factor of 2", lambda l, d, x, _: -2 * d.t() @ x),
        ("no-x", "input-missing", "x is missing", lambda l, d, x, _: -d.sum(0)[:, None].expand_as(l.weight)),
        ("no-delta", "upstream-missing", "δ is missing", lambda l, d, x, _: -x.sum(0).expand_as(l.weight)),
        ("output-x", "another-tensor", "the output's x", lambda l, d, x, _: -(d.t() @ l.forward(x)[0])),
        ("wrong-sample", "wrong-sample", "pairs the wrong sample", lambda l, d, x, _: -(d.t() @ x.roll(-1, 0))),
        ("reversed", "wrong-sample", "pairs the wrong sample (in rev", lambda l, d, x, _: -(d.t() @ x.flip(0))),
        ("one-sample", "one-sample", "one sample only (the first)", lambda l, d, x, _: -torch.outer(d[0], x[0])),
        ("last-missing", "sample-missing", "the last sample is missing", lambda l, d, x, _: -(d[:-1].t() @ x[:-1])),
        (
            "sum-first",
            "broadcast-over-batch",
            "broadcasts over the batch",
            lambda l, d, x, _: -torch.outer(d.sum(0), x.sum(0)),
        ),
        ("decay", "weight-decay", "0.01 times the weight itself", lambda l, d, x, _: -(d.t() @ x) + 0.01 * l.weight),
        ("dead-unit", "dead-unit", "a dead unit: row 2", lambda l, d, x, _: _with_zero_row(-(d.t() @ x), 2)),
        ("1.0005", "factor", "a constant factor of 1.0005", lambda l, d, x, _: -1.0005 * d.t() @ x),
        ("shape", "wrong-shape", "it is of shape", lambda l, d, x, _: -(d[:, :2].t() @ x)),
    ),
    *planted(
        Linear,
        "bias",
        "linear-bias",
        ("missing", "zeros", "zeros", lambda l, d, x, _: torch.zeros_like(l.bias)),
        ("twice", "factor", "a factor of 2", lambda l, d, x, _: -2 * d.sum(0)),
        ("sign", "wrong-sign", "the sign is wrong", lambda l, d, x, _: d.sum(0)),
        ("mean", "factor", "a factor of 1/N", lambda l, d, x, _: -d.mean(0)),
        ("one-sample", "one-sample", "one sample only (the first)", lambda l, d, x, _: -d[0]),
        ("last-missing", "sample-missing", "the last sample is missing", lambda l, d, x, _: -d[:-1].sum(0)),
        ("over-units", "wrong-shape", "it is of shape", lambda l, d, x, _: -d.sum(1)),
        (
            "one-number",
            "broadcast-over-batch",
            "broadcasts over the batch",
            lambda l, d, x, _: -d.sum().expand(len(l.bias)),
        ),
        ("decay", "weight-decay", "0.01 times the bias itself", lambda l, d, x, _: -d.sum(0) + 0.01 * l.bias),
    ),
)

LINEAR = Known(
    Linear,
    FORMULAS,
    {made: _for_rows(causes) for made, causes in CAUSES.items()},
    FAULTS,
    chapter="lecture",
)
