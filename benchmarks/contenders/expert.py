"""The leanest loop that autograd allows: no modules and no optimizer."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor

from benchmarks.cases import Array, Problem
from benchmarks.contenders.functional import loss_function, pairs, target


class Expert:
    """Functional forward, backward(), updates in place, gradients set to None."""

    scope = nullcontext
    exact = True

    def __init__(self, problem: Problem) -> None:
        """Take leaves that require gradients."""
        self.lr, self.x, self.t = problem.case.lr, problem.x, target(problem)
        self.leaves = [p.requires_grad_() for p in problem.parameters()]
        self.layers, self.loss = pairs(problem.case, self.leaves), loss_function(problem.case)

    def step(self) -> Tensor:
        """Take one step."""
        loss = self.loss(self.layers, self.x, self.t)
        loss.backward()  # type: ignore[no-untyped-call]  # torch declares no types for it
        with torch.no_grad():
            for p in self.leaves:
                assert p.grad is not None
                p.sub_(p.grad, alpha=self.lr)
                p.grad = None
        return loss

    def parameters(self) -> list[Array]:
        """Return the parameters."""
        return [p.detach().numpy().copy() for p in self.leaves]
