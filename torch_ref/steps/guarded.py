"""Somebody's code at the same random numbers at every call, with everything global left as it was.

Default dtype, grad mode and the random generators of torch, numpy and Python come out as they went in.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

SEED = 0
"""Of every call: a function that draws random numbers, as dropout does, draws the same ones each time."""


@contextmanager
def as_it_was(seed: int = SEED) -> Iterator[None]:
    """Run what is inside at this seed; put back what it changes of the state that all code shares."""
    dtype, grad, of_python, of_numpy = (
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        random.getstate(),
        np.random.get_state(),  # somebody's code may draw from it
    )
    with torch.random.fork_rng(devices=[]):
        _seed(seed)
        random.seed(seed)
        np.random.seed(seed)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
            torch.set_grad_enabled(grad)
            random.setstate(of_python)
            np.random.set_state(of_numpy)


def _seed(seed: int) -> None:
    """Seed torch's generators; ``torch.manual_seed`` also notes where it was called from, which takes a millisecond."""
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)
