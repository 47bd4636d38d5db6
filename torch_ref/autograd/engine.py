"""One training step by autograd and ``torch.optim``: what ``manual_bp.training.engine.step`` does by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor

from manual_bp import GradientDescent, Network
from manual_bp.training.engine.finite import backward_values, forward_values, updated_values
from manual_bp.training.engine.step import Optimizer
from torch_ref.autograd.mirrored import mirror
from torch_ref.autograd.optimizer import TorchOptimizer


class AutogradEngine:
    """Train the mirror of a network by the mirror of its optimizer: a GradientDescent is ``torch.optim.SGD``."""

    def __init__(self, network: Network, descent: Optimizer) -> None:
        """Copy the parameters; ``descent.lr`` is read at every step, so one schedule drives both engines.

        Raises TypeError for an optimizer other than GradientDescent and TorchOptimizer.
        """
        self.network, self.descent = network, descent
        self.model, self.loss = mirror(network)
        parameters = dict(self.model.named_parameters())
        if isinstance(descent, TorchOptimizer):
            self.optimizer = descent.of(parameters)
        elif isinstance(descent, GradientDescent):
            settings = {name: getattr(descent, name) for name in ("momentum", "nesterov", "weight_decay")}
            self.optimizer = TorchOptimizer("SGD", parameters, lr=descent.lr, **settings)
        else:
            raise TypeError(f"AutogradEngine has no mirror of the optimizer {type(descent).__name__}")
        self._forward: tuple[list[Tensor], Tensor] | None = None

    def step(self, x: Tensor, t: Tensor) -> Tensor:
        """Train on one batch; return its loss before the update."""
        self.optimizer.lr = self.descent.lr
        self.model.zero_grad()
        values = [x]
        for module in self.model:
            values.append(module(values[-1]))
        loss: Tensor = self.loss(values[-1], t)
        loss.backward()  # type: ignore[no-untyped-call]  # torch declares no types for it
        self._forward = [value.detach() for value in values], loss.detach()
        self.optimizer.update(self._gradients())
        return loss.detach()

    def _gradients(self) -> dict[str, Tensor]:
        return {name: p.grad for name, p in self.model.named_parameters() if p.grad is not None}

    def parameters(self) -> dict[str, Tensor]:
        """Return the parameters by name."""
        return {name: p.detach() for name, p in self.model.named_parameters()}

    def optimizer_state(self) -> dict[str, dict[str, Tensor]]:
        """Return a copy of what the optimizer remembers, by parameter and quantity."""
        return self.optimizer.state_dict()

    def load(self, parameters: Mapping[str, Tensor], optimizer_state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Go on from the parameters and the optimizer's state of a run."""
        self.optimizer.load_state_dict(optimizer_state)
        self.model.load_state_dict(parameters)

    def values(self) -> Iterator[tuple[str, Tensor]]:
        """Yield x^0, net^1, x^1, ..., L, ∂L/∂W^L, ∂L/∂b^L, ..., then the parameters after the update."""
        if self._forward is None:
            return
        yield from forward_values(self.network, *self._forward)
        yield from backward_values(self.network, self._gradients())
        yield from updated_values(self.network, self.parameters())
