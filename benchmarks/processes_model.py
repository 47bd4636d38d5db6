"""A model of a training step on P machines, each with N/P rows of the batch.

The forward pass, then the backward pass from layer L to 1. The sum of a layer's gradients begins when they are computed
and the sum before it is done; the update waits for all sums. A ring of P machines sums B bytes in

    all-reduce(B) = 2 (P − 1) latency + 2 (P − 1)/P B / bandwidth
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

SCALAR = 4  # bytes of the number of rows, and of the loss, in float32


class Wire(NamedTuple):
    """What connects the machines: seconds from one to the next, and bytes per second."""

    latency: float
    bandwidth: float

    def all_reduce(self, size: int, machines: int) -> float:
        """Return the seconds that a ring of machines takes to sum ``size`` bytes."""
        steps = 2 * (machines - 1)
        return steps * self.latency + steps / machines * size / self.bandwidth


@dataclass(frozen=True)
class Compute:
    """Seconds of one process for its rows: forward and loss; backward, of each layer from L to 1; update."""

    forward: float
    backward: tuple[float, ...]
    update: float


def step_seconds(compute: Compute, sizes: Sequence[int], all_reduce: Callable[[int], float]) -> float:
    """Return the seconds of a step, where the gradients of layers L to 1 take ``sizes`` bytes.

    The number of rows is summed during the forward pass, the loss before the first layer. One sum after the other is
    on the wire.
    """
    computed = max(compute.forward, all_reduce(SCALAR))
    summed = computed + all_reduce(SCALAR)
    for seconds, size in zip(compute.backward, sizes, strict=True):
        computed += seconds
        summed = max(computed, summed) + all_reduce(size)
    return summed + compute.update


def flops(sizes: Sequence[int], rows: int) -> int:
    """Return the multiplications and additions in the products of a step: three in each layer, two in layer 1.

    6 N Σ n^l n^(l-1), less the 2 N n^0 n^1 of the input's error, which nobody needs.
    """
    weights = [n_in * n_out for n_in, n_out in pairwise(sizes)]
    return (6 * sum(weights) - 2 * weights[0]) * rows


def bytes_sent(size: int, machines: int) -> float:
    """Return the bytes that each machine of a ring sends, to sum ``size`` bytes."""
    return 2 * (machines - 1) / machines * size


def fitted(sizes: Sequence[int], seconds: Sequence[float]) -> Wire:
    """Return the wire between two processes that comes closest to these times of all-reduce, relative to each."""
    weights = 1 / np.asarray(seconds)
    columns = np.stack([2 * weights, np.asarray(sizes) * weights], axis=1)
    (latency, per_byte), *_ = np.linalg.lstsq(columns, np.ones(len(sizes)), rcond=None)
    return Wire(float(latency), 1 / float(per_byte))
