"""A module left as it was: what it keeps on itself, a copy of it, and one way through it for every call."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from torch_ref.numbers.containers import leaves_of


@contextmanager
def kept(module: nn.Module) -> Iterator[None]:
    """Give every submodule its attributes back: what it keeps on itself between calls, and what stood in its place."""
    before = [(submodule, dict(vars(submodule))) for submodule in module.modules()]
    try:
        yield
    finally:
        for submodule, attributes in before:
            vars(submodule).clear()
            vars(submodule).update(attributes)


@contextmanager
def as_in_training() -> Iterator[None]:
    """Keep attention from another way through it, which has no gradients and calls nothing that lies inside."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def copy_of(module: nn.Module) -> nn.Module:
    """Return a copy with everything that it holds; the module itself where it cannot be copied."""
    held = (leaf for submodule in module.modules() for _, leaf in leaves_of(dict(vars(submodule))))
    tensors = (leaf for leaf in held if isinstance(leaf, Tensor))
    memo = {id(t): t.detach().clone() for t in tensors if not t.is_leaf}  # torch copies no tensor with a history
    try:
        return copy.deepcopy(module, memo)
    except Exception:  # of what somebody keeps in it: a lock, a generator, an open file
        return module
