"""Functions of torch that are several operations in one, as these operations: a norm, a variance, a loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn


def _variance(
    x: Tensor, dim: Any = None, unbiased: bool = True, keepdim: bool = False, correction: Any = None
) -> Tensor:
    if isinstance(dim, bool):  # var(x, unbiased)
        dim, unbiased = None, dim
    dims = [*range(x.ndim)] if dim is None else [dim] if isinstance(dim, int) else [*dim]
    less = (1 if unbiased else 0) if correction is None else correction
    count = 1
    for d in dims:
        count *= x.shape[d]
    away = x - x.mean(dims, keepdim=True)
    return away.square().sum(dims, keepdim=keepdim) / (count - less)


def _deviation(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return _variance(x, *args, **kwargs).sqrt()


def _length(x: Tensor, p: Any = None, dim: Any = None, keepdim: bool = False, **kwargs: Any) -> Tensor:
    if {p, kwargs.pop("ord", None)} - {None, 2, "fro"} or any(value is not None for value in kwargs.values()):
        raise NotImplementedError
    squares = x.square()
    return (squares.sum() if dim is None else squares.sum(dim, keepdim=keepdim)).sqrt()


def _layer_norm(
    x: Tensor, shape: Sequence[int], weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    dims = [*range(x.ndim - len(shape), x.ndim)]
    return _scaled(_standardised(x, dims, eps), weight, bias)


def _group_norm(
    x: Tensor, groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    parts = x.reshape(x.shape[0], groups, -1)
    shape = [1, -1] + [1] * (x.ndim - 2)
    found = _standardised(parts, [-1], eps).reshape(x.shape)
    return _scaled(found, *(None if t is None else t.reshape(shape) for t in (weight, bias)))


def _batch_norm(
    x: Tensor,
    mean: Tensor | None,
    var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    if mean is not None or var is not None or not training:
        raise NotImplementedError
    shape = [1, -1] + [1] * (x.ndim - 2)
    found = _standardised(x, [0, *range(2, x.ndim)], eps)
    return _scaled(found, *(None if t is None else t.reshape(shape) for t in (weight, bias)))


def _standardised(x: Tensor, dims: list[int], eps: float) -> Tensor:
    away = x - x.mean(dims, keepdim=True)
    return away / (away.square().mean(dims, keepdim=True) + eps).sqrt()


def _scaled(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    scaled = x if weight is None else x * weight
    return scaled if bias is None else scaled + bias


def _cross_entropy(
    z: Tensor, t: Tensor, weight: Any = None, size_average: Any = None, ignore_index: int = -100, **kwargs: Any
) -> Tensor:
    others = {k: v for k, v in kwargs.items() if v is not None and k != "reduction"}
    is_plain = weight is None and z.ndim == 2 and t.ndim == 1 and not others.get("label_smoothing")
    if not is_plain or bool(t.lt(0).any()):
        raise NotImplementedError
    found = -fn.log_softmax(z, 1).gather(1, t[:, None])
    return _reduced(found.squeeze(1), kwargs.get("reduction", "mean"))


def _squared(y: Tensor, t: Tensor, reduction: str = "mean", **kwargs: Any) -> Tensor:
    if any(value is not None for value in kwargs.values()):
        raise NotImplementedError
    return _reduced((y - t).square(), reduction)


def _smooth(y: Tensor, t: Tensor, reduction: str = "mean", beta: float = 1.0, **kwargs: Any) -> Tensor:
    e = y - t
    return _reduced(torch.where(e.abs() < beta, 0.5 * e.square() / beta, e.abs() - 0.5 * beta), reduction)


def _huber(y: Tensor, t: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Any = None) -> Tensor:
    if weight is not None:
        raise NotImplementedError
    e = y - t
    return _reduced(torch.where(e.abs() <= delta, 0.5 * e.square(), delta * (e.abs() - 0.5 * delta)), reduction)


def _reduced(t: Tensor, reduction: str) -> Tensor:
    return t.mean() if reduction == "mean" else t.sum() if reduction == "sum" else t


def _normalised(x: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Any = None) -> Tensor:
    if p != 2 or out is not None:
        raise NotImplementedError
    return x / x.square().sum(dim, keepdim=True).sqrt().clamp_min(eps)


def _cosine(a: Tensor, b: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    lengths = a.square().sum(dim).sqrt() * b.square().sum(dim).sqrt()
    return (a * b).sum(dim) / lengths


def _distances(a: Tensor, b: Tensor, p: float = 2.0, **kwargs: Any) -> Tensor:
    if p != 2:
        raise NotImplementedError
    return (a.unsqueeze(-2) - b.unsqueeze(-3)).square().sum(-1).sqrt()


def _attention(
    q: Tensor, k: Tensor, v: Tensor, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False, **kw: Any
) -> Tensor:
    if dropout_p or any(kw.values()):
        raise NotImplementedError
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
    if attn_mask is not None:
        is_mask = attn_mask.dtype == torch.bool
        scores = scores.masked_fill(~attn_mask, float("-inf")) if is_mask else scores + attn_mask
    return torch.softmax(scores, -1) @ v


def _divergence(x: Tensor, t: Tensor, reduction: str = "mean", log_target: bool = False, **kwargs: Any) -> Tensor:
    if log_target or bool(t.le(0).any()):
        raise NotImplementedError
    found = t * (t.log() - x)
    return found.sum() / x.shape[0] if reduction == "batchmean" else _reduced(found, reduction)


APART: dict[str, Callable[..., Tensor]] = {
    "var": _variance,
    "std": _deviation,
    "norm": _length,
    "linalg_norm": _length,
    "linalg_vector_norm": _length,
    "layer_norm": _layer_norm,
    "group_norm": _group_norm,
    "batch_norm": _batch_norm,
    "cross_entropy": _cross_entropy,
    "mse_loss": _squared,
    "smooth_l1_loss": _smooth,
    "huber_loss": _huber,
    "normalize": _normalised,
    "cosine_similarity": _cosine,
    "cdist": _distances,
    "scaled_dot_product_attention": _attention,
    "kl_div": _divergence,
}
"""By name."""


def taken_apart(name: str, args: Sequence[Any], kwargs: Any) -> Tensor | None:
    """Return what a function gives, computed in several operations; None where that is not known."""
    if name not in APART:
        return None
    try:
        return APART[name](*args, **kwargs)
    except Exception:  # of arguments of other kinds
        return None
