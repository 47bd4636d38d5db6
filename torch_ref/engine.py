"""One training step by autograd and ``torch.optim.SGD``: what ``manual_bp.training.step`` does by hand."""

from __future__ import annotations

import torch
from torch import Tensor

from manual_bp import GradientDescent, Network
from torch_ref.mirrored import mirror


class AutogradEngine:
    """Train the mirror of a network with the settings of its GradientDescent."""

    def __init__(self, network: Network, descent: GradientDescent) -> None:
        """Copy the parameters; ``descent.lr`` is read at every step, so one schedule drives both engines."""
        self.model, self.loss = mirror(network)
        self.descent = descent
        self.optimizer = torch.optim.SGD(
            self.model.parameters(),
            lr=descent.lr,
            momentum=descent.momentum,
            nesterov=descent.nesterov,
            weight_decay=descent.weight_decay,
        )

    def step(self, x: Tensor, t: Tensor) -> Tensor:
        """Train on one batch; return its loss before the update."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.descent.lr
        self.optimizer.zero_grad()
        loss: Tensor = self.loss(self.model(x), t)
        loss.backward()  # type: ignore[no-untyped-call]  # torch declares no types for it
        self.optimizer.step()
        return loss.detach()

    def parameters(self) -> dict[str, Tensor]:
        """Return the parameters by name."""
        return {name: p.detach() for name, p in self.model.named_parameters()}
