"""The step by hand, and by autograd with each of PyTorch's convolutions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from benchmarks.cases import Array
from benchmarks.lenet.problem import LR, SIDE, Problem
from manual_bp import GradientDescent
from manual_bp.training.engine.step import ManualEngine


class ByHand:
    """``ManualEngine.step``."""

    scope = torch.inference_mode

    def __init__(self, problem: Problem) -> None:
        """Make the network."""
        self.x, self.t, self.network = problem.x, problem.t, problem.network()
        self.engine = ManualEngine(self.network, GradientDescent(self.network, lr=LR))

    def step(self) -> Tensor:
        """Take one step."""
        return self.engine.step(self.x, self.t)

    def parameters(self) -> list[Array]:
        """Return the parameters."""
        return [p.numpy().copy() for p in self.network.parameters().values()]


class Autograd:
    """An ``nn.Sequential`` as most people write it, with ``F.cross_entropy`` and ``torch.optim.SGD``."""

    fast = False
    """Whether mkldnn and nnpack may compute the convolutions: mkldnn is PyTorch's default."""

    def __init__(self, problem: Problem) -> None:
        """Make the network, with the same parameters."""
        self.x, self.labels = problem.x.view(-1, 1, SIDE, SIDE), problem.labels
        features = nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU()
        rest = nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)
        self.model = nn.Sequential(*features, nn.MaxPool2d(2), nn.Flatten(), *rest)
        with torch.no_grad():
            for mine, first in zip(self.model.parameters(), problem.arrays(), strict=True):
                mine.copy_(torch.from_numpy(first))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=LR)

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Choose the convolution."""
        nnpack = torch.backends.nnpack.set_flags(self.fast)  # type: ignore[no-untyped-call]
        mkldnn = torch.backends.mkldnn.enabled
        torch.backends.mkldnn.enabled = self.fast  # type: ignore[assignment]  # a property of the module
        try:
            yield
        finally:
            torch.backends.nnpack.set_flags(*nnpack)  # type: ignore[no-untyped-call]
            torch.backends.mkldnn.enabled = mkldnn

    def step(self) -> Tensor:
        """Take one step."""
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(self.x), self.labels)
        loss.backward()  # type: ignore[no-untyped-call]  # torch declares no types for it
        self.optimizer.step()
        return loss

    def parameters(self) -> list[Array]:
        """Return the parameters."""
        return [p.detach().numpy().copy() for p in self.model.parameters()]


class Mkldnn(Autograd):
    """The same with PyTorch's default convolution."""

    fast = True
