"""Somebody's code at the same random numbers at every call, with everything global left as it was.

Default dtype, grad mode and the random generators of torch, numpy and Python come out as they went in. A check calls
somebody's code a hundred times, and to put three generators back takes longer than a small formula: so a whole check
does it once, at its end.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar

import numpy as np
import torch

SEED = 0
"""Of every call: a function that draws random numbers, as dropout does, draws the same ones each time."""

_ARE_KEPT: ContextVar[bool] = ContextVar("_ARE_KEPT", default=False)
"""Whether the generators will be put back by what we are inside of."""


@contextmanager
def as_it_was(seed: int = SEED) -> Iterator[None]:
    """Run what is inside at this seed; put back what it changes of the state that all code shares."""
    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    with nullcontext() if _ARE_KEPT.get() else generators_kept():
        before = _ARE_KEPT.set(False)  # somebody's code may ask for a check itself, and draw again after it
        _seed(seed)
        random.seed(seed)
        np.random.seed(seed)
        try:
            yield
        finally:
            _ARE_KEPT.reset(before)
            torch.set_default_dtype(dtype)
            torch.set_grad_enabled(grad)


@contextmanager
def generators_kept() -> Iterator[None]:
    """Put the random generators back after what is inside, once for all calls of ``as_it_was`` there."""
    of_python, of_numpy = random.getstate(), np.random.get_state()  # somebody's code may draw from them
    with torch.random.fork_rng(devices=[]):
        before = _ARE_KEPT.set(True)
        try:
            yield
        finally:
            _ARE_KEPT.reset(before)
            random.setstate(of_python)
            np.random.set_state(of_numpy)


def _seed(seed: int) -> None:
    """Seed torch's generators; ``torch.manual_seed`` also notes where it was called from, which takes a millisecond."""
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)
