"""manual_bp, as train.py runs it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.cases import Array, Problem
from manual_bp import GradientDescent, Network
from manual_bp.training.engine.step import ManualEngine


class Manual:
    """The handwritten step under one inference_mode."""

    scope = torch.inference_mode
    exact = True

    def __init__(self, problem: Problem, changed: Callable[[Network], Network] = lambda network: network) -> None:
        """Make network and engine; the buffers come with the first step."""
        network = changed(problem.network())
        self.engine = ManualEngine(network, GradientDescent(network, lr=problem.case.lr))
        self.x, self.t = problem.x, problem.t

    def step(self) -> Tensor:
        """Take one step."""
        return self.engine.step(self.x, self.t)

    def parameters(self) -> list[Array]:
        """Return the parameters."""
        return [p.numpy().copy() for p in self.engine.parameters().values()]
