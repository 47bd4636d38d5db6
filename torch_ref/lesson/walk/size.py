"""How large a network is, and whether it is small enough to be walked through number by number."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from manual_bp import Linear, Network

MOST_UNITS = 9
"""In a layer. With more, W^1_111 could be the weight to unit 11 from unit 1, or to unit 1 from unit 11."""

MOST_STEPS = 200
"""Nobody reads a longer walk."""


def sizes_of(network: Network) -> list[int]:
    """Return the numbers of units, n^0 to n^L, of a network whose layers with parameters are all Linear."""
    linears = [layer for layer in network.layers if isinstance(layer, Linear)]
    return [linears[0].weight.shape[1], *(linear.weight.shape[0] for linear in linears)]


def is_walkable(sizes: Sequence[int], *, bias: bool) -> bool:
    """Tell whether a network with layers of these sizes is small enough to be walked through number by number."""
    units, weights = sum(sizes[1:]), sum(a * b for a, b in pairwise(sizes))
    steps = 4 * units + 1 + 2 * (weights + bias * units)
    return max(sizes) <= MOST_UNITS and steps <= MOST_STEPS
