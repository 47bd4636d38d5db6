"""What is wrong in truth: a handwritten backward beside autograd, both in float64, with no checker in between."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree

from torch_ref.trial.functions.kind import Formula, Inputs, Kind

CHANGED = "(changed)"
"""Stands for a backward that changes what it was given."""


def wrong_gradients(kind: Kind, backward: Formula, inputs: Inputs) -> tuple[str, ...]:
    """Return the arguments whose gradient is wrong in float64 at these numbers, once for each tensor in them.

    Two calls with other upstream gradients are made, and a Function is also called with tensors that do not lie in
    memory in order. ``CHANGED`` stands first where backward changed what it got.
    """
    doubles = [_map(_double, value) for value in inputs]
    found: dict[tuple[int, int], None] = {}
    changed = False
    for seed, lay in ((1, _in_order), (2, _in_order), *([(3, _out_of_order)] if kind.as_function else [])):
        d, right = _by_autograd(kind, doubles, seed)
        given = [_map(lay, value) for value in doubles]
        upstream = [lay(t) for t in d]
        with torch.no_grad():
            got = backward(*upstream, *given)
        got = got if isinstance(got, tuple) else (got,)
        largest = max(torch.linalg.vector_norm(g).item() for gs in right for g in gs)
        for i, (mine, theirs) in enumerate(zip(got, right, strict=True)):
            pairs = zip(_leaves(mine, theirs), theirs, strict=True)
            least = largest if kind.arguments[i] in kind.zero else 0.0
            found |= {(i, j): None for j, (a, b) in enumerate(pairs) if _differs(a, b, kind.exact, least)}
        before = [*d, *_flat(doubles)]
        changed |= not all(torch.equal(a, b) for a, b in zip([*upstream, *_flat(given)], before, strict=True))
    return (CHANGED,) * changed + tuple(kind.arguments[i] for i, _ in sorted(found))


def _by_autograd(kind: Kind, inputs: Inputs, seed: int) -> tuple[list[Tensor], list[list[Tensor]]]:
    """Return the upstream gradients, and the gradient of every tensor in every input."""
    leaves = [_map(lambda t: t.clone().requires_grad_(_differentiable(t)), value) for value in inputs]
    with torch.enable_grad():
        made = (kind.reference or kind.forward)(*leaves)
        outputs = list(made) if isinstance(made, tuple) else [made]
        generator = torch.Generator().manual_seed(seed)
        d = [
            torch.ones_like(y)
            if y.ndim == 0
            else torch.randn(y.shape, dtype=y.dtype, generator=generator) + 0.5 * seed  # not of mean zero
            for y in outputs
        ]
        wanted = [t for t in _flat(leaves) if t.requires_grad]
        gradients = torch.autograd.grad(outputs, wanted, d, materialize_grads=True)
    by_leaf = {id(t): g for t, g in zip(wanted, gradients, strict=True)}
    return d, [[by_leaf.get(id(t), torch.zeros(())) for t in _flat([value])] for value in leaves]


def _leaves(mine: Any, theirs: list[Tensor]) -> list[Any]:
    """Return the tensors of one handwritten gradient; None stands for those that need no gradient."""
    return [None] * len(theirs) if mine is None else _pytree.tree_leaves(mine)


def _differs(mine: Any, theirs: Tensor, exact: float, least: float) -> bool:
    """Tell whether a gradient is off by more than a share of its norm, or of ``least``, where that is larger."""
    if mine is None:
        return False  # what needs no gradient gets none
    if mine.shape != theirs.shape:
        return True
    off, size = torch.linalg.vector_norm(mine - theirs).item(), torch.linalg.vector_norm(theirs).item()
    return not (math.isfinite(off) and off <= exact * max(size, least))


def _map(change: Callable[[Tensor], Tensor], value: Any) -> Any:
    return _pytree.tree_map_only(Tensor, change, value)


def _flat(values: list[Any]) -> list[Tensor]:
    return [t for t in _pytree.tree_leaves(values) if isinstance(t, Tensor)]


def _differentiable(t: Tensor) -> bool:
    return t.is_floating_point() or t.is_complex()


def _double(t: Tensor) -> Tensor:
    t = t.detach()
    return t.to(torch.complex128) if t.is_complex() else t.double() if t.is_floating_point() else t


def _in_order(t: Tensor) -> Tensor:
    return t.detach().clone()


def _out_of_order(t: Tensor) -> Tensor:
    return t.detach().mT.contiguous().mT if t.ndim > 1 else t.detach().clone()
