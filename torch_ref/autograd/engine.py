"""One training step by autograd and ``torch.optim``: what ``manual_bp.training.engine.step`` does by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor

from manual_bp import GradientDescent, Network
from manual_bp.training.engine.finite import backward_values, forward_values, updated_values
from manual_bp.training.engine.protocol import Engine, Optimizer
from torch_ref.autograd.mirrored import mirror
from torch_ref.autograd.optimizer import TorchOptimizer
from torch_ref.numbers.agreement import ulp_distance


class AutogradEngine(Engine):
    """Train the mirror of a network by the mirror of its optimizer: a GradientDescent is ``torch.optim.SGD``."""

    def __init__(self, network: Network, descent: Optimizer) -> None:
        """Copy the parameters; ``descent.lr`` is read at every step, so one schedule drives both engines.

        Raises TypeError for an optimizer other than GradientDescent and TorchOptimizer.
        """
        self.network, self.descent = network, descent
        self.model, self.loss_module = mirror(network)
        parameters = dict(self.model.named_parameters())
        if isinstance(descent, TorchOptimizer):
            self.optimizer = descent.of(parameters)
        elif isinstance(descent, GradientDescent):
            settings = {name: getattr(descent, name) for name in ("momentum", "nesterov", "weight_decay")}
            self.optimizer = TorchOptimizer("SGD", parameters, lr=descent.lr, **settings)
        else:
            raise TypeError(f"AutogradEngine has no mirror of the optimizer {type(descent).__name__}")
        self._values: list[Tensor] = []
        self._loss: Tensor | None = None

    def forward(self, x: Tensor) -> None:
        """Pass a batch x (N, n^0) through the modules."""
        self._values, self._loss = [x], None
        for module in self.model:
            self._values.append(module(self._values[-1]))

    def loss(self, t: Tensor) -> Tensor:
        """Return L of the batch against t."""
        if not self._values:
            raise ValueError("AutogradEngine expects forward(x) before loss(t)")
        self._loss = self.loss_module(self._values[-1], t)
        return self._loss.detach()

    def backward(self) -> Iterator[Mapping[str, Tensor]]:
        """Yield all gradients at once, those of ``loss.backward()``."""
        if self._loss is None:
            raise ValueError("AutogradEngine expects forward(x) and loss(t) of a batch before backward()")
        self.model.zero_grad()
        self._loss.backward()  # type: ignore[no-untyped-call]  # torch declares no types for it
        yield self._gradients()

    def update(self, gradients: Mapping[str, Tensor]) -> None:
        """Move the parameters that the gradients name, by the rate that ``descent`` has now."""
        self.optimizer.lr = self.descent.lr
        self.optimizer.update(gradients)

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
        if self._loss is None:
            return
        yield from forward_values(self.network, [value.detach() for value in self._values], self._loss.detach())
        yield from backward_values(self.network, self._gradients())
        yield from updated_values(self.network, self.parameters())


def largest_difference(one: Engine, other: Engine) -> int:
    """Return how far the parameters of two engines are apart at most, in units in the last place."""
    pairs = zip(one.parameters().values(), other.parameters().values(), strict=True)
    return max(int(ulp_distance(p, q).max()) for p, q in pairs)
