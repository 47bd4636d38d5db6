"""torch.compile of the whole step."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor

from benchmarks.cases import Array, Case, Problem
from benchmarks.contenders.functional import loss_function, pairs, target


class Compiled:
    """One compiled function without a graph break: forward, loss, torch.autograd.grad and update."""

    scope = nullcontext
    exact = True

    def __init__(self, problem: Problem) -> None:
        """Compile: the first step takes seconds."""
        import torch._dynamo  # slow to import, and no other contender needs it

        torch._dynamo.reset()
        torch._dynamo.config.trace_autograd_ops = True  # torch.autograd.grad inside the compiled function
        self.x, self.t = problem.x, target(problem)
        self.leaves = [p.requires_grad_() for p in problem.parameters()]
        self.compiled = torch.compile(whole_step(problem.case), fullgraph=True, dynamic=False)
        self.compiled(self.leaves, self.x, self.t)
        self._restore(problem.parameters())

    def step(self) -> Tensor:
        """Take one step."""
        return self.compiled(self.leaves, self.x, self.t)

    def parameters(self) -> list[Array]:
        """Return the parameters."""
        return [p.detach().numpy().copy() for p in self.leaves]

    @torch.no_grad()
    def _restore(self, first: list[Tensor]) -> None:
        for leaf, value in zip(self.leaves, first, strict=True):
            leaf.copy_(value)


def whole_step(case: Case) -> Callable[[list[Tensor], Tensor, Tensor], Tensor]:
    """Return the function to compile. Mind its update: torch 2.13 compiles ``add_(product, alpha=)`` wrongly."""
    loss_of, lr = loss_function(case), case.lr

    def step(leaves: list[Tensor], x: Tensor, t: Tensor) -> Tensor:
        loss = loss_of(pairs(case, leaves), x, t)
        gradients = torch.autograd.grad(loss, leaves)
        with torch.no_grad():
            for p, g in zip(leaves, gradients, strict=True):
                p.sub_(lr * g)
        return loss.detach()

    return step
