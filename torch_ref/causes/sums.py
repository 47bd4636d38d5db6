"""Mistakes in sums: a mean for a sum, another axis, one entry left out, entries that are written over."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from torch_ref.causes.slopes import Change
from torch_ref.causes.tape import Operation

LOOKUPS = {"index": "indices", "embedding": "indices", "indexselect": "index", "gather": "index"}


def of_sum(one: Operation) -> Iterator[Change]:
    """Yield the mistakes of an operation that sums, or whose gradient is a sum."""
    for i, went in enumerate(one.went):
        if went is None:
            continue
        if one.name in ("sum", "mean") and went.numel() > one.came.numel():
            count = went.numel() / max(one.came.numel(), 1)
            factor, text = (
                (1 / count, "a mean stands for the sum") if one.name == "sum" else (count, "a sum stands for the mean")
            )
            yield Change("mean-for-sum", f"{text} over {count:g} entries", i, went * factor)
        if one.name in LOOKUPS:
            yield from _written_over(one, i, went)
        if went.numel() < one.came.numel():
            yield from _of_broadcast(one, i, went)
    yield from _of_softmax(one)


def _of_broadcast(one: Operation, i: int, went: Tensor) -> Iterator[Change]:
    """Yield what goes wrong in the sum over what was broadcast."""
    terms = terms_of(one, i, went)
    if terms is None:
        return
    axes = [d for d in range(terms.ndim) if _size_in(went, terms.ndim, d) == 1 < terms.shape[d]]
    if not axes:
        return
    count = math.prod(terms.shape[d] for d in axes)
    yield Change("mean-for-sum", f"a mean stands for the sum over {count} entries", i, went / count)
    for d in axes:
        for text, code, kept in (
            ("only the first one is used", "one-sample", terms.narrow(d, 0, 1)),
            ("only the last one is used", "one-sample", terms.narrow(d, terms.shape[d] - 1, 1)),
            ("the last one is left out", "sample-missing", terms.narrow(d, 0, terms.shape[d] - 1)),
            ("the first one is left out", "sample-missing", terms.narrow(d, 1, terms.shape[d] - 1)),
        ):
            code = "step-missing" if code == "sample-missing" and d else code
            yield Change(
                code, f"of {terms.shape[d]} that are summed {text}", i, kept.sum(axes, keepdim=True).reshape(went.shape)
            )
        for other in range(terms.ndim):
            if other not in axes and len(axes) == 1 and terms.shape[other] == terms.shape[d]:
                text = f"the sum runs along dimension {other}; {d} is meant"
                yield Change("another-axis", text, i, terms.sum(other).reshape(went.shape))


def terms_of(one: Operation, i: int, went: Tensor) -> Tensor | None:
    """Return the terms whose sum an operation hands on to an input that was broadcast; None where it is not known."""
    c = one.came
    if one.name in ("add", "sub", "addmm", "expand"):
        found = [sign * c for sign in (1, -1) if torch.allclose(_summed(sign * c, went), went)]
        return found[0] if found else None
    if one.name == "div":
        a, b = one.saved("self"), one.saved("other")
        if i == 1 and a is not None and b is not None and _together(a, b) == c.shape:
            return -c * a / (b * b)
        return None
    other = one.saved("other" if i == 0 else "self")
    if one.name == "mul" and other is not None and _together(other, c) == c.shape:
        return c * other
    return None


def _together(a: Tensor, b: Tensor) -> torch.Size:
    """Return the shape of two tensors that are broadcast against each other."""
    return (a + b).shape


def _summed(t: Tensor, like: Tensor) -> Tensor:
    return t.sum_to_size(like.shape)


def _size_in(t: Tensor, ndim: int, d: int) -> int:
    """Return the size of a dimension, counted from the right, of a tensor that is broadcast to ``ndim`` of them."""
    k = d - (ndim - t.ndim)
    return t.shape[k] if k >= 0 else 1


def _written_over(one: Operation, i: int, went: Tensor) -> Iterator[Change]:
    """Yield what comes out where entries that are looked up several times are written over, not added."""
    index = getattr(one.node, f"_saved_{LOOKUPS[one.name]}", None)
    several = list(index) if isinstance(index, tuple | list) else [index]
    indices = [t for t in several if isinstance(t, Tensor)]
    if not indices or len(indices) < len(several):  # x[:, i] leaves a dimension as it is
        return
    zeros, c = torch.zeros_like(went), one.came
    if one.name == "gather":
        found = zeros.scatter(one.node._saved_dim, indices[0], c)  # type: ignore[attr-defined]
    elif one.name == "indexselect":
        found = zeros.index_copy(one.node._saved_dim, indices[0], c)  # type: ignore[attr-defined]
    else:
        found = zeros.index_put(tuple(indices), c)
    text = "what is looked up several times is written over, not added"
    yield Change("duplicates-overwritten", text, i, found)


def _of_softmax(one: Operation) -> Iterator[Change]:
    y = one.saved("result")
    if one.name not in ("softmax", "logsoftmax") or y is None or one.went[0] is None:
        return
    c, dim = one.came, int(getattr(one.node, "_saved_dim", -1))
    dim = dim if dim < 2**31 else dim - 2**64
    others = [d for d in range(c.ndim) if d != dim % c.ndim]
    if one.name == "logsoftmax":
        p, s = y.exp(), c.sum(dim, keepdim=True)
        yield Change("term-missing", "of the log-softmax the part with the probabilities is missing", 0, c)
        yield Change("term-missing", "of the log-softmax only the part with the probabilities is there", 0, -p * s)
        yield Change(
            "projection-missing", "in the log-softmax the sum over what came from above is missing", 0, c - p * c
        )
        yield Change("upstream-missing", "in the log-softmax what came from above is not multiplied with", 0, c - p)
        yield Change("plus-for-minus", "in the log-softmax a plus stands where a minus is meant", 0, c + p * s)
        yield Change(
            "slope-of-another-function",
            "the derivative is that of the softmax",
            0,
            p * (c - (p * c).sum(dim, keepdim=True)),
        )
        yield Change("mean-for-sum", "in the log-softmax a mean stands for the sum", 0, c - p * s / c.shape[dim])
        for d in others:
            yield Change(
                "another-axis",
                f"in the log-softmax the sum runs along dimension {d}",
                0,
                c - p * c.sum(d, keepdim=True),
            )
        return
    s = (c * y).sum(dim, keepdim=True)
    yield Change(
        "projection-missing", "of the softmax the projection is missing: each entry is taken by itself", 0, y * c
    )
    yield Change("softmax-not-differentiated", "the derivative of the softmax is missing", 0, c)
    yield Change(
        "softmax-not-differentiated",
        "the softmax is differentiated as a sigmoid is, each entry by itself",
        0,
        c * y * (1 - y),
    )
    yield Change("plus-for-minus", "in the softmax a plus stands where a minus is meant", 0, y * (c + s))
    yield Change(
        "mean-for-sum", "in the projection of the softmax a mean stands for the sum", 0, y * (c - s / c.shape[dim])
    )
    yield Change("term-missing", "of the softmax only the projection is there", 0, -y * s)
    yield Change("term-missing", "in the softmax the probabilities are not multiplied with in the end", 0, c - s)
    yield Change(
        "another-tensor",
        "in the projection of the softmax stands what came from above alone",
        0,
        y * (c - c.sum(dim, keepdim=True)),
    )
    for d in others:
        yield Change(
            "another-axis",
            f"the projection of the softmax runs along dimension {d}",
            0,
            y * (c - (c * y).sum(d, keepdim=True)),
        )
