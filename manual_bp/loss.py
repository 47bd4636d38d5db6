"""Goodness of the function: the loss (E6 to E8) and the error that it sends back (E13, E17).

    SquaredError          E6    L = ½ Σ_k (t_k − y_k)²
                          E13   error of y_k = t_k − y_k             (σ′ is the activation's)
    SoftmaxCrossEntropy   E5    y_k = e^net_k / Σ_j e^net_j
                          E8    L = −Σ_k t_k ln y_k
                          E17   δ_k = t_k − y_k

Over a batch the loss is the lecture's sum over the samples (E7), or their mean. This is the only place where
1/N stands: it multiplies the error here, and every later formula is the same for both.

A loss is a layer whose output is one number: ``forward(x, t) -> (L, saved)``, ``backward(saved) -> error of x``.
Targets t are (N, n^L), or N class indices: each index stands for its ``one_hot`` row. SquaredError also takes values of
more dimensions, with t of the same shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from manual_bp.layer import check_like, check_rows, constant, positions
from manual_bp.transforms import check_untransformed

Reduction = Literal["mean", "sum"]


@runtime_checkable
class Loss(Protocol):
    """The goodness of a function: SquaredError, SoftmaxCrossEntropy, or yours. Each direction may also take ``out``."""

    def output(self, x: Tensor) -> Tensor:
        """Return the network's answer y, given the output x of its last layer."""

    def forward(self, x: Tensor, t: Tensor) -> tuple[Tensor, Any]:
        """Return L, a tensor without dimensions, and what backward will read."""

    def backward(self, saved: Any) -> Tensor:
        """Return the error of x, −∂L/∂x (N, n^L)."""


class SavedDifference(NamedTuple):
    """What SquaredError's backward reads, and beside it scratch, which nothing reads from one call to the next."""

    difference: Tensor  # t − y, (N, n^L)
    scratch: Tensor  # (N, n^L)


@dataclass(frozen=True)
class SquaredError:
    """Half the squared distance to the target (E6), summed (E7) or averaged over the N samples."""

    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        """Check the reduction."""
        _check_reduction(self)

    def output(self, x: Tensor) -> Tensor:
        """Return y = x^L: the last layer's output is the network's."""
        return x

    def forward(
        self, x: Tensor, t: Tensor, out: tuple[Tensor, SavedDifference] | None = None
    ) -> tuple[Tensor, SavedDifference]:
        """Return L = ½ Σ (t − y)² (E6, E7); saves t − y."""
        y, t = x, _rows(self, t, x, out)
        loss, (difference, squares) = out or (None, (None, None))
        difference = torch.empty_like(y) if difference is None else difference  # laid out as y is, not as t
        difference = torch.sub(t, y, out=difference)
        squares = torch.mul(difference, difference, out=squares)
        loss = torch.sum(squares, (), out=loss).div_(constant(2.0 * _samples(self, y), y.dtype))
        return loss, SavedDifference(difference, squares)

    def backward(self, saved: SavedDifference, out: Tensor | None = None) -> Tensor:
        """Return the error of y, t − y (E13), over N for the mean."""
        return torch.mul(saved.difference, _scale(self, saved.difference), out=out)


class SavedSoftmax(NamedTuple):
    """What SoftmaxCrossEntropy's backward reads, and beside it scratch."""

    y: Tensor  # softmax(net), (N, n^L)
    t: Tensor
    scratch: SoftmaxScratch


class SoftmaxScratch(NamedTuple):
    """Tensors to write into, which nothing reads from one call to the next."""

    rows: Tensor  # (N, n^L)
    log_sum: Tensor  # (N, 1)
    row: Tensor  # (N, 1)


@dataclass(frozen=True)
class SoftmaxCrossEntropy:
    """Cross-entropy (E8) of the softmax (E5) of the last layer's net, summed (E7) or averaged over the N samples.

    The largest net of each row is subtracted first, which changes neither y nor L: no finite net overflows, and
    ln y_k = net_k − ln Σ_j e^net_j keeps its digits. E17 takes the t_k of a sample to sum to 1.
    """

    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        """Check the reduction."""
        _check_reduction(self)

    def output(self, x: Tensor) -> Tensor:
        """Return the confidences y = softmax(net) (E5), each row summing to 1."""
        y, *_ = _softmax(x)
        return y

    def forward(
        self, x: Tensor, t: Tensor, out: tuple[Tensor, SavedSoftmax] | None = None
    ) -> tuple[Tensor, SavedSoftmax]:
        """Return L = Σ over the rows of (ln Σ_j e^net_j − Σ_k t_k net_k) (E8); saves y and t."""
        net, t = x, _rows(self, t, x, out)
        loss, (y, _, scratch) = out or (None, (None, None, (None, None, None)))
        y, shifted, log_sum, row = _softmax(net, y, *scratch)
        products = shifted.mul_(t)
        row = torch.sum(products, 1, keepdim=True, out=row)
        loss = torch.sum(torch.sub(log_sum, row, out=row), (), out=loss)
        loss.div_(constant(_samples(self, net), net.dtype))
        return loss, SavedSoftmax(y, t, SoftmaxScratch(products, log_sum, row))

    def backward(self, saved: SavedSoftmax, out: Tensor | None = None) -> Tensor:
        """Return δ^L = t − y (E17), over N for the mean."""
        s = _scale(self, saved.y)
        delta = torch.mul(saved.t, s, out=out)
        return delta.sub_(torch.mul(saved.y, s, out=saved.scratch.rows))


def one_hot(labels: Tensor, classes: int, like: Tensor) -> Tensor:
    """Return t (N, classes): 1 at each row's class, else 0, of the dtype and device of ``like``.

    ``labels`` are N whole numbers from 0 to classes - 1; anything else raises ValueError or TypeError.
    """
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"one_hot expects class indices of an integer dtype, got {labels.dtype}")
    if labels.ndim != 1:
        raise ValueError(f"one_hot expects class indices of shape (N,), got {tuple(labels.shape)}")
    if labels.device != like.device:
        raise ValueError(f"one_hot expects class indices on device {like.device}, got {labels.device}")
    labels = labels.long()
    wrong = (labels < 0) | (labels >= classes)
    if wrong.any():
        worst = labels[wrong][0].item()
        raise ValueError(f"one_hot expects class indices from 0 to {classes - 1}, got {worst} at {positions(wrong)}")
    return (labels[:, None] == torch.arange(classes, device=labels.device)).to(like.dtype)


def _softmax(
    net: Tensor,
    y: Tensor | None = None,
    shifted: Tensor | None = None,
    log_sum: Tensor | None = None,
    row: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return y = softmax(net) (E5), net less its row's largest, ln Σ_j e^ of that, and the largest, (N, 1)."""
    largest = torch.amax(net, 1, keepdim=True, out=row)
    shifted = torch.sub(net, largest, out=shifted)
    log_sum = torch.sum(torch.exp(shifted, out=y), 1, keepdim=True, out=log_sum).log_()
    y = torch.sub(shifted, log_sum, out=y).exp_()
    return y, shifted, log_sum, largest


def _samples(loss: SquaredError | SoftmaxCrossEntropy, rows: Tensor) -> int:
    """Return what a sum over the samples is divided by: N for the mean."""
    return rows.shape[0] if loss.reduction == "mean" else 1


def _scale(loss: SquaredError | SoftmaxCrossEntropy, rows: Tensor) -> Tensor:
    """Return 1/N for the mean, 1 for the sum."""
    return constant(1 / _samples(loss, rows), rows.dtype)


def _check_reduction(loss: SquaredError | SoftmaxCrossEntropy) -> None:
    if loss.reduction not in ("mean", "sum"):
        raise ValueError(f"{type(loss).__name__} expects reduction 'mean' or 'sum' (E7), got {loss.reduction!r}")


def checked_targets(loss: Loss, t: Tensor, x: Tensor) -> Tensor:
    """Return t of the shape of x, one-hot for class indices. Raise ValueError or TypeError where it does not fit x."""
    name = type(loss).__name__
    if isinstance(loss, SoftmaxCrossEntropy):
        check_rows_for_softmax(x)
    if not isinstance(t, Tensor):
        raise TypeError(f"{name} expects t as a torch.Tensor, got {type(t).__name__}")
    check_untransformed(name, "t", t)
    t = t.detach()
    if t.ndim == 1 and x.ndim == 2 and not t.is_floating_point():
        t = one_hot(t, x.shape[1], like=x)
    check_shape_of_targets(name, t, x)
    if t.is_meta:  # it has a shape and no numbers
        return t
    if not torch.isfinite(t).all():
        raise ValueError(f"{name} expects finite targets, got NaN or infinity at {positions(~torch.isfinite(t))}")
    if isinstance(loss, SoftmaxCrossEntropy):
        wrong = (t.sum(1) - 1).abs() > 1e-4
        if wrong.any():
            total = t.sum(1)[wrong][0].item()
            raise ValueError(f"{name} expects each row of t to sum to 1 (E17), got {total:g} at row {positions(wrong)}")
    return t


def check_rows_for_softmax(x: Tensor) -> None:
    """Raise unless x is rows: of images it would not be plain over what the softmax is taken."""
    if x.ndim != 2:
        hint = ": Flatten() before the last Linear turns images into rows" if x.ndim > 2 else ""
        raise ValueError(
            f"SoftmaxCrossEntropy expects net of shape (N, n^L), a row a sample, got {tuple(x.shape)}{hint}"
        )


def check_shape_of_targets(loss: str, t: Tensor, x: Tensor) -> None:
    """Raise unless t has the shape, dtype and device of x: nothing broadcasts by accident."""
    if x.ndim != 2:
        check_like(loss, "t", t, x)
        return
    check_rows(loss, "t", t, x.shape[1], like=x)
    if len(t) != len(x):
        raise ValueError(f"{loss} expects one row of t for each of the {len(x)} samples, got {len(t)}")


def _rows(loss: Loss, t: Tensor, x: Tensor, out: object) -> Tensor:
    """Return checked targets. With ``out``, whoever calls has checked or trusts the values of t."""
    if out is not None and isinstance(t, Tensor) and t.shape == x.shape and t.dtype == x.dtype:
        return t
    return checked_targets(loss, t, x)
