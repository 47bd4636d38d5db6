"""Mistakes in a product: an operand is missing, transposed, another tensor, of other samples, or updated already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from torch_ref.causes.slopes import Change
from torch_ref.causes.sums import terms_of
from torch_ref.causes.tape import Operation, expanded, is_near, number_between, shape_named

PRODUCTS = {"mm": ("self", "mat2"), "bmm": ("self", "mat2"), "addmm": ("mat1", "mat2"), "mv": ("self", "vec")}
"""What a matrix product keeps, by the names that autograd has for it."""

UPDATED = "the weights were updated already (with a step of {share:.3g})"

MOST_OTHERS = 12
"""Tensors of the same shape that are tried in place of one."""


def of_product(one: Operation, values: Sequence[Tensor]) -> Iterator[Change]:
    """Yield the mistakes of a product of matrices, or entry by entry."""
    if one.name in PRODUCTS:
        yield from _of_matrices(one, values)
    elif one.name in ("add", "sub"):
        yield from _of_shift(one, values)
    elif one.name in ("mul", "div"):
        yield from _of_entries(one, values)


def _of_shift(one: Operation, values: Sequence[Tensor]) -> Iterator[Change]:
    """Yield what comes out where the gradient of something that was broadcast and added is multiplied with a value."""
    for i, went in enumerate(one.went):
        if went is None or went.shape == one.came.shape:
            continue
        for v in [v for v in values if v.shape == one.came.shape][:MOST_OTHERS]:
            text = "it is multiplied with a value, which is no factor of what is only added"
            yield Change("input-too-often", text, i, (one.came * v).sum_to_size(went.shape))


def _of_matrices(one: Operation, values: Sequence[Tensor]) -> Iterator[Change]:
    a, b = (one.saved(name) for name in PRODUCTS[one.name])
    c, first = one.came, len(one.went) - 2
    if one.name == "mv":
        yield from _of_vector(one, a, b, values)
        return
    if b is not None and one.went[first] is not None:
        bt = b.transpose(-1, -2)
        if b.shape == bt.shape:
            yield Change("transposed-weights", "the weights are transposed", first, c @ b)
            yield Change("weights-missing", "the weights are missing: what came from above is handed on", first, c)
        yield Change("weights-without-sign", "the weights are without their signs", first, c @ bt.abs())
        for other in _like(b, values, bt):
            yield Change(
                "another-tensor",
                "another tensor of the same shape stands for the weights",
                first,
                c @ other.transpose(-1, -2),
            )
    if a is not None and one.went[first + 1] is not None:
        at = a.transpose(-1, -2)
        if a.shape == at.shape:
            yield Change("transposed-weights", "the weights are transposed", first + 1, a @ c)
        yield from _of_second(at, c, first + 1)
        for other in _like(a, values, at):
            text = "another tensor of the same shape stands for the input"
            yield Change("another-tensor", text, first + 1, other.transpose(-1, -2) @ c)


def _of_vector(one: Operation, a: Tensor | None, v: Tensor | None, values: Sequence[Tensor]) -> Iterator[Change]:
    c = one.came
    if v is not None and one.went[0] is not None:
        yield Change("input-missing", "the input is missing", 0, torch.outer(c, torch.ones_like(v)))
        yield Change("input-too-often", "the input is multiplied in once too often", 0, torch.outer(c, v * v))
        for other in _like(v, values):
            text = "another tensor of the same shape stands for the input"
            yield Change("another-tensor", text, 0, torch.outer(c, other))
    if a is not None and one.went[1] is not None and a.shape[0] == a.shape[1]:
        yield Change("transposed-weights", "the weights are transposed", 1, a @ c)
        yield Change("weights-missing", "the weights are missing: what came from above is handed on", 1, c)


def _of_second(at: Tensor, c: Tensor, i: int) -> Iterator[Change]:
    """Yield the mistakes in Σ over the samples of x times δ."""
    right = at @ c
    if right.shape[-1] == right.shape[-2]:
        yield Change("swapped", "the two are exchanged: the result is transposed", i, right.transpose(-1, -2))
    ones = torch.ones_like(at)
    yield Change("input-missing", "the input is missing", i, ones @ c)
    yield Change("input-too-often", "the input is multiplied in once too often", i, (at * at) @ c)
    n = at.shape[-1]
    if n < 2:
        return
    sums = at.sum(-1, keepdim=True) @ c.sum(-2, keepdim=True)
    for factor in (1.0, 1 / n, 1 / n**2):
        yield Change("broadcast-over-batch", "a product of sums stands for the sum of products", i, sums * factor)
    for text, shifted in (
        ("the one before", c.roll(1, -2)),
        ("the one after", c.roll(-1, -2)),
        ("in reverse order", c.flip(-2)),
    ):
        yield Change("wrong-sample", f"pairs the wrong sample ({text})", i, at @ shifted)
    yield Change("sample-missing", "the last sample is left out", i, at[..., :-1] @ c[..., :-1, :])
    yield Change("sample-missing", "the first sample is left out", i, at[..., 1:] @ c[..., 1:, :])
    yield Change("one-sample", "only the first sample is used", i, at[..., :1] @ c[..., :1, :])
    yield Change("one-sample", "only the last sample is used", i, at[..., -1:] @ c[..., -1:, :])


def stale(one: Operation, gradients: Sequence[Tensor]) -> Iterator[Change]:
    """Yield in which direction an update of the weights changes what a product hands on."""
    if one.name not in PRODUCTS:
        return
    (a, b), c = (one.saved(name) for name in PRODUCTS[one.name]), one.came
    first = len(one.went) - 2
    matrices = [d for d in gradients if d.ndim > 1]
    for d in (*matrices, *(t.transpose(-1, -2) for t in matrices)):
        if a is not None and d.shape == a.shape and one.went[first + 1] is not None:
            yield Change("stale-weights", UPDATED, first + 1, d.transpose(-1, -2) @ c)
        if b is not None and d.shape == b.shape and one.went[first] is not None:
            yield Change("stale-weights", UPDATED, first, c @ d.transpose(-1, -2))


def _of_entries(one: Operation, values: Sequence[Tensor]) -> Iterator[Change]:
    for i, slope in enumerate(one.slopes):
        if slope is None:
            yield from _of_broadcast_factor(one, i, values)
            continue
        for other in _like(slope, values):
            yield _another(slope, other, values, i, one.came * other)
        yield Change("weights-without-sign", "a factor is without its sign", i, one.came * slope.abs())


def _another(t: Tensor, v: Tensor, values: Sequence[Tensor], i: int, gradient: Tensor) -> Change:
    """Return that another tensor stands for one."""
    return Change("another-tensor", "", i, gradient, partial(_instead_of, t, v, values))


def _instead_of(t: Tensor, v: Tensor, values: Sequence[Tensor]) -> tuple[str, str]:
    """Return what it is where another tensor stands for one: perhaps a part of a sum or of a product is missing."""
    if (ratio := number_between(v, t)) is not None:
        return "factor", f"a factor of {ratio:.6g} in one of its factors"
    for w in values:
        if any((full := expanded(w, t)) is not None and is_near(full * one, other) for one, other in ((t, v), (v, t))):
            return "another-tensor", f"another tensor stands for a factor: the two differ by one of {shape_named(w)}"
    for rest in (t - v, v - t):
        if any((full := expanded(w, rest)) is not None and is_near(full, rest) for w in values):
            return "term-missing", "of a sum one part is missing in a factor"
    return "another-tensor", "another tensor of the same shape stands for a factor"


def _of_broadcast_factor(one: Operation, i: int, values: Sequence[Tensor]) -> Iterator[Change]:
    """Yield what may stand for the other factor in the gradient of one that was broadcast: a sum of products."""
    went = one.went[i]
    terms = None if went is None else terms_of(one, i, went)
    if went is None or terms is None or one.name != "mul":
        return
    c, other = one.came, one.saved("other" if i == 0 else "self")
    yield Change("input-missing", "the other factor is missing", i, c.sum_to_size(went.shape))
    if other is not None:
        yield Change(
            "input-too-often", "the other factor is there once too often", i, (terms * other).sum_to_size(went.shape)
        )
        for v in _like(other, values):
            yield _another(other, v, values, i, (c * v).sum_to_size(went.shape))


def _like(t: Tensor, values: Sequence[Tensor], *but: Tensor) -> list[Tensor]:
    shaped = [v if v.shape == t.shape else v.reshape(t.shape) for v in values if _is_alike(v, t)]
    same = [v for v in shaped if not any(torch.equal(v, own) for own in (t, *but))]
    return same[:MOST_OTHERS]


def _is_alike(v: Tensor, t: Tensor) -> bool:
    """Tell whether a tensor is of a shape, or of one that is laid out as rows: (B, T, D) for (B T, D)."""
    return v.shape == t.shape or (v.ndim > 2 == t.ndim and v.numel() == t.numel() and v.shape[-1] == t.shape[-1])
