"""Gradient descent (E9): θ ← θ − η g, with momentum and weight decay as ``torch.optim.SGD`` defines them.

    g ← g + weight_decay θ        weight decay: the gradient of ½ weight_decay |θ|²
    v ← momentum v + g            velocity; v = g at the first update
    g ← g + momentum v            Nesterov's form; without it g ← v
    θ ← θ − lr g                  E9: lr is the lecture's η

Without weight decay and momentum only the last line is left.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from manual_bp.layer import check_like
from manual_bp.network import Network


class GradientDescent:
    """Update a network's parameters in place.

    ``update`` takes any of the gradients by name: all at once, or one layer's as ``Network.backward_by_layer``
    yields them. Gradients come out unchanged. ``lr`` may be set between updates; ``velocity`` is the momentum's
    state by parameter name.
    """

    def __init__(
        self,
        network: Network,
        *,
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        """Take the network whose parameters ``update`` moves."""
        for name, value in (("lr", lr), ("momentum", momentum), ("weight_decay", weight_decay)):
            if not 0 <= value < float("inf"):
                raise ValueError(f"GradientDescent expects {name} to be finite and at least 0, got {value}")
        if nesterov and momentum == 0:
            raise ValueError("GradientDescent expects momentum above 0 for Nesterov's form, got 0")
        self.lr, self.momentum, self.nesterov, self.weight_decay = lr, momentum, nesterov, weight_decay
        self.parameters = network.parameters()
        self.velocity: dict[str, Tensor] = {}
        self._scratch = self._make_scratch() if weight_decay or nesterov else {}

    def update(self, gradients: Mapping[str, Tensor]) -> None:
        """Move the parameters that ``gradients`` names one step down (E9), or raise before any of them moves."""
        for name, gradient in gradients.items():
            if name not in self.parameters:
                raise KeyError(f"GradientDescent expects gradients of {list(self.parameters)}, got {name!r}")
            check_like("GradientDescent", f"the gradient of {name}", gradient, self.parameters[name])
        for name, gradient in gradients.items():
            parameter = self.parameters[name]
            parameter.sub_(self._direction(name, parameter, gradient), alpha=self.lr)

    def _direction(self, name: str, theta: Tensor, g: Tensor) -> Tensor:
        if self.weight_decay:
            g = torch.add(g, theta, alpha=self.weight_decay, out=self._scratch[name])
        if not self.momentum:
            return g
        v = self.velocity.get(name)
        if v is None:
            v = self.velocity[name] = g.clone()
        else:
            v.mul_(self.momentum).add_(g)
        return torch.add(g, v, alpha=self.momentum, out=self._scratch[name]) if self.nesterov else v

    def _make_scratch(self) -> dict[str, Tensor]:
        """Lay one scratch tensor for every parameter over a single buffer, as large as the largest of them."""
        largest = max(self.parameters.values(), key=Tensor.numel)
        buffer = torch.empty(largest.numel(), dtype=largest.dtype, device=largest.device)
        return {name: buffer[: p.numel()].view_as(p) for name, p in self.parameters.items()}
