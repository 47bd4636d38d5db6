"""LeNet-5 as ``train.py --network lenet`` makes it, and a batch: the same numbers for everybody."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.cases import Array
from manual_bp import Network, one_hot
from manual_bp.training.command.networks import new_network
from manual_bp.training.command.settings import Settings

BATCH, SIDE, CLASSES, LR = 50, 28, 10, 0.05
KERNEL, PADDING = 5, (2, 0)
"""Of the two convolutions: the first is padded by 2 pixels, the second by none."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Images as rows x (N, 784), one-hot t (N, 10) and labels (N,)."""

    x: Tensor
    t: Tensor
    labels: Tensor

    @classmethod
    def drawn(cls) -> Problem:
        """Draw pixels around 0, and random classes."""
        generator = torch.Generator().manual_seed(1)
        x = torch.randn(BATCH, SIDE * SIDE, generator=generator)
        labels = torch.randint(CLASSES, (BATCH,), generator=generator)
        return cls(x, one_hot(labels, CLASSES, like=x), labels)

    def network(self) -> Network:
        """Make the network with its first parameters, anew at each call."""
        return new_network(Settings(network=["lenet"]), SIDE, CLASSES)

    def arrays(self) -> list[Array]:
        """Copy the first parameters into numpy arrays: weight and bias of the five layers that have some."""
        return [p.numpy().copy() for p in self.network().state_dict().values()]
