"""What most people write with PyTorch: an nn.Sequential, its loss module, backward() and torch.optim.SGD."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.cases import Array, Problem
from benchmarks.contenders.contender import Maker
from torch_ref import mirror

FORMS: dict[str, dict[str, bool]] = {
    "plain": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
}


def autograd(form: str) -> Maker:
    """Return the contender with one form of torch.optim.SGD."""
    return partial(Autograd, form=form)


class Autograd:
    """The mirrored network under autograd; the cross-entropy is torch's own, on class indices."""

    scope = nullcontext
    exact = True

    def __init__(self, problem: Problem, form: str) -> None:
        """Mirror the network."""
        self.x, self.t = problem.x, problem.t
        self.model, loss = mirror(problem.network())
        self.loss: nn.Module = loss
        if problem.case.loss == "cross-entropy":
            self.loss, self.t = nn.CrossEntropyLoss(), problem.labels
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=problem.case.lr, **FORMS[form])

    def step(self) -> Tensor:
        """Take one step."""
        self.optimizer.zero_grad()
        loss: Tensor = self.loss(self.model(self.x), self.t)
        loss.backward()  # type: ignore[no-untyped-call]  # torch declares no types for it
        self.optimizer.step()
        return loss

    def parameters(self) -> list[Array]:
        """Return the parameters."""
        return [p.detach().numpy().copy() for p in self.model.parameters()]
