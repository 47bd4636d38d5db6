"""Any of ``torch.optim``, fed with gradients by name: those of ``manual_bp``, or autograd's.

network = manual_bp.mlp([784, 30, 10])
adam = TorchOptimizer("Adam", network.parameters(), lr=1e-3)
engine = ManualEngine(network, adam)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from manual_bp.layer import check_like

NOT_FED = {
    "LBFGS": "it evaluates the loss by itself",
    "Muon": "it moves matrices only, no biases",
    "SparseAdam": "it takes sparse gradients only",
}
"""Optimizers that cannot be fed with one dense gradient for each parameter, each with its reason."""


def names() -> list[str]:
    """Return the optimizers of ``torch.optim`` that can be fed with gradients."""
    found = {name: value for name, value in vars(torch.optim).items() if inspect.isclass(value)}
    optimizers = {name for name, value in found.items() if issubclass(value, torch.optim.Optimizer)}
    return sorted(optimizers - {"Optimizer", *NOT_FED})


def settings_of(name: str) -> dict[str, object]:
    """Return the settings that an optimizer knows with their defaults."""
    known = inspect.signature(getattr(torch.optim, name)).parameters
    return {key: parameter.default for key, parameter in known.items() if key != "params"}


class TorchOptimizer:
    """Move parameters in place by an optimizer of ``torch.optim``; the gradients come from elsewhere."""

    def __init__(self, name: str, parameters: Mapping[str, Tensor], *, lr: float, **settings: float | bool) -> None:
        """Take the tensors to move, by name. Raises ValueError for a name or setting that torch does not know."""
        if name not in names():
            why = f" ({NOT_FED[name]})" if name in NOT_FED else ""
            raise ValueError(f"TorchOptimizer expects one of {', '.join(names())}, got {name!r}{why}")
        if unknown := sorted(settings.keys() - settings_of(name).keys()):
            raise ValueError(f"TorchOptimizer expects settings that {name} knows, got {unknown}")
        self.name, self.settings = name, settings
        self.parameters = {key: nn.Parameter(value) for key, value in parameters.items()}
        self.optimizer = getattr(torch.optim, name)(self.parameters.values(), lr=lr, **settings)

    def of(self, parameters: Mapping[str, Tensor]) -> TorchOptimizer:
        """Return the same optimizer, as it was at its start, for other tensors."""
        return TorchOptimizer(self.name, parameters, lr=self.lr, **self.settings)

    @property
    def lr(self) -> float:
        """Return the learning rate of the next update."""
        return float(self.optimizer.param_groups[0]["lr"])

    @lr.setter
    def lr(self, value: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = value

    def moves(self, gradients: Mapping[str, Tensor]) -> list[Callable[[], None]]:
        """Return the update of the parameters that the gradients name, as one call to be repeated."""
        for name, gradient in gradients.items():
            if name not in self.parameters:
                raise KeyError(f"TorchOptimizer expects gradients of {list(self.parameters)}, got {name!r}")
            check_like("TorchOptimizer", f"the gradient of {name}", gradient, self.parameters[name])
        return [partial(self._move, dict(gradients))]

    def update(self, gradients: Mapping[str, Tensor]) -> None:
        """Move the parameters that the gradients name one step."""
        for move in self.moves(gradients):
            move()

    def _move(self, gradients: dict[str, Tensor]) -> None:
        """Take one step; torch.optim passes over parameters without a gradient."""
        for name, parameter in self.parameters.items():
            parameter.grad = gradients.get(name)
        self.optimizer.step()

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """Return a copy of what the optimizer remembers, by parameter and quantity."""
        remembered = {name: self.optimizer.state.get(p, {}) for name, p in self.parameters.items()}
        tensors = {
            name: {key: value.clone() for key, value in of_parameter.items() if isinstance(value, Tensor)}
            for name, of_parameter in remembered.items()
        }
        return {name: of_parameter for name, of_parameter in tensors.items() if of_parameter}

    def load_state_dict(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Go on from a ``state_dict``, or raise before anything is changed where it does not fit.

        An empty one stands for the beginning. torch's own ``load_state_dict`` turns float32 counters of float64
        parameters into float64, and the run that goes on is another in the last bits; here all keep their dtype.
        """
        expected = self._rehearsed() if state else {}
        if _kinds(state) != _kinds(expected):
            raise ValueError(
                f"TorchOptimizer expects the state of {self.name}, {_kinds(expected)}, got {_kinds(state)}"
            )
        fresh = self.of(self.parameters)
        self.parameters, self.optimizer = fresh.parameters, fresh.optimizer
        for name, of_parameter in state.items():
            remembered = self.optimizer.state[self.parameters[name]]
            for key, value in of_parameter.items():
                remembered[key] = value.to(expected[name][key].device, copy=True)

    def _rehearsed(self) -> dict[str, dict[str, Tensor]]:
        """Return the state after one update of copies: every optimizer has a state of its own kind."""
        copies = {name: p.detach().clone() for name, p in self.parameters.items()}
        other = self.of(copies)
        other.update({name: torch.zeros_like(copy) for name, copy in copies.items()})
        return other.state_dict()


def _kinds(state: Mapping[str, Mapping[str, Tensor]]) -> dict[str, dict[str, str]]:
    """Return shape and dtype of every tensor, as text."""
    return {
        name: {key: f"{tuple(v.shape)} {v.dtype}" for key, v in of_parameter.items()}
        for name, of_parameter in state.items()
    }
