"""JAX: the whole step in one jitted function."""

from __future__ import annotations

from contextlib import nullcontext
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.cases import Array
from benchmarks.lenet.problem import LR, PADDING, SIDE, Problem


class Jax:
    """value_and_grad and the update under jit, the parameters donated so that they are updated in place."""

    scope = nullcontext

    def __init__(self, problem: Problem) -> None:
        """Compile; raises ModuleNotFoundError where jax is not installed."""
        self.jax = import_module("jax")
        put = self.jax.numpy.array
        value_and_grad = self.jax.value_and_grad(self._loss)

        def step(leaves: list[Any], x: Any, t: Any) -> tuple[list[Any], Any]:
            value, gradients = value_and_grad(leaves, x, t)
            return [p - LR * g for p, g in zip(leaves, gradients, strict=True)], value

        self.compiled = self.jax.jit(step, donate_argnums=0)
        self.x, self.t = put(problem.x.view(-1, 1, SIDE, SIDE).numpy()), put(problem.t.numpy())
        self.leaves = [put(p) for p in problem.arrays()]

    def _loss(self, leaves: list[Any], x: Any, t: Any) -> Any:
        lax, relu, pairs = self.jax.lax, self.jax.nn.relu, list(zip(leaves[::2], leaves[1::2], strict=True))
        for (w, b), around in zip(pairs[:2], PADDING, strict=True):
            net = lax.conv_general_dilated(x, w, (1, 1), [(around, around)] * 2) + b[:, None, None]
            x = lax.reduce_window(relu(net), -np.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
        x = x.reshape(len(x), -1)
        for w, b in pairs[2:-1]:
            x = relu(x @ w.T + b)
        w, b = pairs[-1]
        return -(t * self.jax.nn.log_softmax(x @ w.T + b)).sum() / len(t)

    def step(self) -> Any:
        """Take one step and wait for it."""
        self.leaves, loss = self.jax.block_until_ready(self.compiled(self.leaves, self.x, self.t))
        return loss

    def parameters(self) -> list[Array]:
        """Return the parameters."""
        return [np.array(p) for p in self.leaves]
