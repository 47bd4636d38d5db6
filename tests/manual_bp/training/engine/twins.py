"""An engine beside a copy of its network that is trained by the formulas alone."""

import copy
import random

from cases import assert_identical
from torch import Tensor

from manual_bp import GradientDescent, Network
from manual_bp.training.engine.step import ManualEngine

SETTINGS = {"momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}


class Twins:
    """An engine, and a copy of its network that is trained by the formulas alone."""

    def __init__(self, network: Network, **settings) -> None:
        settings = {"lr": 0.5} | settings
        self.engine = ManualEngine(network, GradientDescent(network, **settings))
        self.plain = copy.deepcopy(network)
        self.descent = GradientDescent(self.plain, **settings)

    def assert_same_step(self, x: Tensor, t: Tensor, what: str = "") -> None:
        """Train both on a batch; the loss and every parameter must be the same to the last bit."""
        random.seed(f"{what}")
        loss = self.engine.step(x, t)
        random.seed(f"{what}")
        trace = self.plain.forward(x)
        assert_identical(loss, self.plain.loss(trace, t), f"L {what}")
        self.descent.update(self.plain.backward(trace))
        assert_identical(self.engine.network.buffer, self.plain.buffer, f"θ {what}")

    @property
    def repeat(self) -> bool:
        """Tell whether the engine has a step to repeat."""
        return any(room.parts.ready for room in self.engine._rooms.values())
