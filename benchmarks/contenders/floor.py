"""The floor: the matrix products of a step and nothing else. No step that computes them can be faster."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.cases import Array, Problem


class Floor:
    """L products forward, L weight gradients, L - 1 errors: torch.mm(out=), every buffer and view made once.

    All weight gradients share one buffer, as large as the largest: the cache-friendliest way there is.
    """

    scope = torch.inference_mode
    exact = False

    def __init__(self, problem: Problem) -> None:
        """Make the list of all products (left, right, out) in the order of a step."""
        weights = [p for p in problem.parameters() if p.ndim == 2]
        x = [problem.x, *(torch.rand(problem.case.batch, len(w)) for w in weights)]
        d = [torch.rand_like(value) for value in x]
        flat = torch.empty(max(w.numel() for w in weights))
        self.products = [(x[i], w.t(), x[i + 1]) for i, w in enumerate(weights)]
        for i, w in reversed(list(enumerate(weights))):
            if i:
                self.products.append((d[i + 1], w, d[i]))
            self.products.append((d[i + 1].t(), x[i], flat[: w.numel()].view_as(w)))

    def step(self) -> Tensor:
        """Compute the products."""
        for left, right, out in self.products:
            torch.mm(left, right, out=out)
        return out

    def parameters(self) -> list[Array]:
        """Return nothing: the floor trains nothing."""
        return []
