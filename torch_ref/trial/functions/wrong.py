"""Wrong variants that are made of any right backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Formula = Callable[..., Any]


def changed(backward: Formula, place: int, change: Callable[[Tensor], Tensor]) -> Formula:
    """Return ``backward`` with one gradient put through ``change``."""

    def wrong(*arguments: Any) -> Any:
        d = backward(*arguments)
        if not isinstance(d, tuple):
            return change(d)
        return tuple(change(g) if i == place else g for i, g in enumerate(d))

    return wrong


def scaled(backward: Formula, place: int, factor: float) -> Formula:
    """Return ``backward`` with one gradient times a factor."""
    return changed(backward, place, lambda g: g * factor)


def row_scaled(backward: Formula, place: int, factor: float) -> Formula:
    """Return ``backward`` with the largest row of one gradient times a factor."""

    def change(g: Tensor) -> Tensor:
        rows = g.clone().reshape(len(g), -1) if g.ndim else g.clone().reshape(1, 1)
        rows[rows.abs().sum(1).argmax()] *= factor
        return rows.reshape(g.shape)

    return changed(backward, place, change)


def tail_zeroed(backward: Formula, place: int) -> Formula:
    """Return ``backward`` with the last third of one gradient's entries along its last dimension left at 0."""

    def change(g: Tensor) -> Tensor:
        g = g.clone()
        if not g.ndim:
            return g * 0
        g[..., -max(1, g.shape[-1] // 3) :] = 0
        return g

    return changed(backward, place, change)


def transposed(backward: Formula, place: int) -> Formula:
    """Return ``backward`` with one square gradient transposed."""
    return changed(backward, place, lambda g: g.mT.contiguous())


def divided_by_rows(backward: Formula, place: int, rows_of: int = 0) -> Formula:
    """Return ``backward`` with one gradient as a mean over the rows of the upstream gradient, not a sum."""

    def wrong(*arguments: Any) -> Any:
        return changed(backward, place, lambda g: g / len(arguments[rows_of]))(*arguments)

    return wrong


def upstream_ignored(backward: Formula, outputs: int = 1) -> Formula:
    """Return ``backward`` as if the gradients of the outputs were 1."""
    return lambda *arguments: backward(*map(torch.ones_like, arguments[:outputs]), *arguments[outputs:])


def sample_dropped(backward: Formula, outputs: int = 1) -> Formula:
    """Return ``backward`` without the last row of the upstream gradients."""

    def dropped(d: Tensor) -> Tensor:
        d = d.clone()
        d[-1:] = 0
        return d

    return lambda *arguments: backward(
        *(dropped(d) if d.ndim else d for d in arguments[:outputs]), *arguments[outputs:]
    )
