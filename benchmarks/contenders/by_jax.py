"""JAX: the whole step in one jitted function."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.cases import Array, Case, Problem


class Jax:
    """value_and_grad and the update under jit, the parameters donated so that they are updated in place."""

    scope = nullcontext
    exact = True

    def __init__(self, problem: Problem) -> None:
        """Compile; raises ModuleNotFoundError where jax is not installed."""
        self.jax = import_module("jax")
        put = self.jax.numpy.array
        self.compiled = self.jax.jit(whole_step(self.jax, problem.case), donate_argnums=0)
        self.x, self.t = put(problem.x.numpy()), put(problem.t.numpy())
        self.compiled([put(p) for p in problem.arrays()], self.x, self.t)
        self.leaves = [put(p) for p in problem.arrays()]

    def step(self) -> Any:
        """Take one step and wait for it."""
        self.leaves, loss = self.jax.block_until_ready(self.compiled(self.leaves, self.x, self.t))
        return loss

    def parameters(self) -> list[Array]:
        """Return the parameters."""
        return [np.array(p) for p in self.leaves]


def whole_step(jax: Any, case: Case) -> Callable[[list[Any], Any, Any], tuple[list[Any], Any]]:
    """Return step(parameters, x, t) -> (parameters, loss)."""
    value_and_grad = jax.value_and_grad(lambda leaves, x, t: loss(jax, case, leaves, x, t))

    def step(leaves: list[Any], x: Any, t: Any) -> tuple[list[Any], Any]:
        value, gradients = value_and_grad(leaves, x, t)
        return [p - case.lr * g for p, g in zip(leaves, gradients, strict=True)], value

    return step


def loss(jax: Any, case: Case, leaves: list[Any], x: Any, t: Any) -> Any:
    """Return the loss of a case."""
    activation = jax.nn.relu if case.activation == "relu" else jax.nn.sigmoid
    biases = leaves[1::2] if case.bias else [0.0] * len(leaves)
    *below, last = zip(leaves[::2] if case.bias else leaves, biases, strict=True)
    for w, b in below:
        x = activation(x @ w.T + b)
    net = x @ last[0].T + last[1]
    if case.loss == "cross-entropy":
        return -(t * jax.nn.log_softmax(net)).sum() / len(t)
    return 0.5 / len(t) * ((activation(net) - t) ** 2).sum()
