"""The moving average of a network's parameters: what is tested in their place, and what no step sees.

After step k = 1, 2, ...

    a ← a + w (θ − a),   w = max(1 − decay, 10 / (9 + k))

Weights of long ago fade by ``decay`` a step, so a is the mean over some 1 / (1 − decay) steps. A run has not taken as
many at first. The usual correction, a / (1 − decay^k), would be the mean over all steps then, the very first ones among
them, when the network knew nothing: w = 10 / (9 + k) takes the last tenth of them instead, and θ alone after step 1.
w belongs to the step, so a run that is resumed needs a and nothing else.
"""

from __future__ import annotations

from copy import copy

from torch import Tensor

from manual_bp.network import Network

TENTH = 10


class Average:
    """The network whose parameters are the average of those of another; it begins with the same."""

    def __init__(self, network: Network, decay: float) -> None:
        """Take the network that is trained, and how much of the average stays in each step, from 0 to below 1."""
        if not 0 <= decay < 1:
            raise ValueError(f"Average expects a decay from 0 to below 1, got {decay}")
        self.network, self.decay = copy(network), decay

    def add(self, parameters: Tensor, step: int) -> None:
        """Take the parameters after a step, counted from 1: a buffer of the network's layout."""
        self.network.buffer.lerp_(parameters, self.share(step))

    def share(self, step: int) -> float:
        """Return w, the share of the newest parameters, after a step."""
        return max(1 - self.decay, TENTH / (TENTH - 1 + step))
