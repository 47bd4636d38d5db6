"""Gradient descent (E9): θ ← θ − η g, with momentum and weight decay as ``torch.optim.SGD`` defines them.

    g ← g + weight_decay θ        weight decay: the gradient of ½ weight_decay |θ|²
    v ← momentum v + g            velocity; v = 0 before the first update
    g ← g + momentum v            Nesterov's form; without it g ← v
    θ ← θ − lr g                  E9: lr is the lecture's η

Without weight decay and momentum only the last line is left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from manual_bp.gradients import Gradients
from manual_bp.layer import check_like, constant
from manual_bp.network import Network

VELOCITY = "momentum_buffer"


class GradientDescent:
    """Update a network's parameters in place.

    ``update`` takes gradients by name: all of them, or those of one layer as ``Network.backward_by_layer`` yields
    them. It does not change the gradients.

    network     the network whose parameters are updated
    lr          η, which may be set between two updates
    momentum, nesterov, weight_decay    as they were given
    velocity    v by the parameter's name, empty without momentum
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
        """Take the network whose parameters ``update`` moves.

        Raises TypeError for anything but a Network. Raises ValueError for a number that is negative or not finite, and
        for Nesterov's form without momentum.
        """
        if not isinstance(network, Network):
            raise TypeError(f"GradientDescent expects a Network, got {type(network).__name__}")
        for name, value in (("lr", lr), ("momentum", momentum), ("weight_decay", weight_decay)):
            if not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
                raise ValueError(f"GradientDescent expects {name} to be finite and at least 0, got {value!r}")
        if nesterov and momentum == 0:
            raise ValueError("GradientDescent expects momentum above 0 for Nesterov's form, got 0")
        self.lr, self.momentum, self.nesterov, self.weight_decay = lr, momentum, nesterov, weight_decay
        self.network = network
        self._velocity = network.layout.buffer() if momentum else network.layout.like
        self.velocity = network.layout.views(self._velocity) if momentum else {}
        self._scratch = network.layout.like.new_empty(0)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy or a pickle holds: all but the views of the velocity, which a copy makes for itself."""
        return self.__dict__ | {"velocity": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take that, and make the views of the velocity."""
        self.__dict__.update(state)
        self.velocity = self.network.layout.views(self._velocity) if self._velocity.numel() else {}

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """Return a copy of the velocity by parameter, under the name that ``torch.optim.SGD`` gives it."""
        return {name: {VELOCITY: v.clone()} for name, v in self.velocity.items()}

    def load_state_dict(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Copy a ``state_dict`` into the velocity. An empty one stands for the velocity before the first update, 0.

        Raises ValueError or TypeError where a name, shape or dtype does not fit; nothing is changed then.
        """
        if not state:
            self._velocity.zero_()
            return
        expected = {name: [VELOCITY] for name in self.velocity}
        got = {name: list(of_parameter) for name, of_parameter in state.items()}
        if got != expected:
            raise ValueError(f"GradientDescent expects the state {expected}, got {got}")
        for name, v in self.velocity.items():
            check_like("GradientDescent", f"the velocity of {name}", state[name][VELOCITY].to(v.device), v)
        for name, v in self.velocity.items():
            v.copy_(state[name][VELOCITY])

    def update(self, gradients: Mapping[str, Tensor]) -> None:
        """Move the parameters that ``gradients`` names by one step (E9).

        Raises TypeError for what is no mapping, KeyError for an unknown name, and ValueError or TypeError for a
        gradient of another shape, dtype or device than its parameter. No parameter has moved then.
        """
        for move in self.moves(gradients):
            move()

    def moves(self, gradients: Mapping[str, Tensor]) -> list[Callable[[], None]]:
        """Check the gradients, and return the update as calls that can be repeated: one for all, or one a parameter.

        Each call reads ``lr`` and the numbers in the gradients as they are then.
        """
        if isinstance(gradients, Gradients) and gradients.network is self.network and gradients.complete:
            return [self._move_of(self.network.buffer, gradients.buffer, self._velocity)]
        if not isinstance(gradients, Mapping):
            raise TypeError(f"GradientDescent expects gradients by name, got {type(gradients).__name__}")
        parameters = self.network.parameters()
        for name, gradient in gradients.items():
            if name not in parameters:
                raise KeyError(f"GradientDescent expects gradients of {list(parameters)}, got {name!r}")
            check_like("GradientDescent", f"the gradient of {name}", gradient, parameters[name])
        return [
            self._move_of(parameters[name], gradient, self.velocity.get(name, self._velocity))
            for name, gradient in gradients.items()
        ]

    def _move_of(self, theta: Tensor, g: Tensor, v: Tensor) -> Callable[[], None]:
        if not self.weight_decay and not self.nesterov:
            return partial(self._move, theta, g, v, self._scratch)
        if self._scratch.numel() < theta.numel():
            self._scratch = torch.empty_like(theta).view(-1)
        return partial(self._move, theta, g, v, self._scratch[: theta.numel()].view(theta.shape))

    def _move(self, theta: Tensor, g: Tensor, v: Tensor, scratch: Tensor) -> None:
        """Take one step; the tensors are one parameter's, or the buffers that hold all of them."""
        if self.weight_decay:
            g = torch.add(g, theta, alpha=self.weight_decay, out=scratch)
        if self.momentum:
            v.mul_(constant(self.momentum, v.dtype)).add_(g)
            g = torch.add(g, v, alpha=self.momentum, out=scratch) if self.nesterov else v
        theta.sub_(g, alpha=self.lr)
