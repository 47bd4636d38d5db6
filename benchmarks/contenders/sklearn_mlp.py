"""scikit-learn's multilayer perceptron, as close as it comes.

Its classifier computes exactly the step of a cross-entropy case. For the squared error there is only its
regressor, whose output layer is linear: a step of the same size, but not the same arithmetic.
"""

from __future__ import annotations

from contextlib import nullcontext
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.cases import Array, Problem


class Sklearn:
    """partial_fit on the whole batch: plain gradient descent, no penalty, no shuffling."""

    scope = nullcontext

    def __init__(self, problem: Problem) -> None:
        """Make the model and give it the first parameters; raises ModuleNotFoundError without scikit-learn."""
        neural_network = import_module("sklearn.neural_network")
        case = problem.case
        self.exact = case.loss == "cross-entropy"
        self.x = problem.x.numpy()
        self.t = problem.labels.numpy() if self.exact else problem.t.numpy()
        if self.t.ndim == 2 and self.t.shape[1] == 1:
            self.t = self.t.ravel()
        make = neural_network.MLPClassifier if self.exact else neural_network.MLPRegressor
        self.model = make(hidden_layer_sizes=case.sizes[1:-1], **settings(problem))
        self._begin(problem)

    def step(self) -> Any:
        """Take one step."""
        self.model.partial_fit(self.x, self.t)
        return self.model.loss_

    def parameters(self) -> list[Array]:
        """Return the parameters."""
        both = zip(self.model.coefs_, self.model.intercepts_, strict=True)
        return [p.copy() for w, b in both for p in (w.T, b)]

    def _begin(self, problem: Problem) -> None:
        first = {"classes": np.arange(problem.case.sizes[-1])} if self.exact else {}
        self.model.partial_fit(self.x, self.t, **first)
        if problem.case.bias:
            arrays = problem.arrays()
            for mine, w in zip(self.model.coefs_, arrays[::2], strict=True):
                mine[:] = w.T
            for mine, b in zip(self.model.intercepts_, arrays[1::2], strict=True):
                mine[:] = b


def settings(problem: Problem) -> dict[str, Any]:
    """Return the arguments that make partial_fit one plain step."""
    case = problem.case
    return {
        "activation": "relu" if case.activation == "relu" else "logistic",
        "solver": "sgd",
        "alpha": 0.0,
        "batch_size": case.batch,
        "learning_rate_init": case.lr,
        "momentum": 0.0,
        "nesterovs_momentum": False,
        "shuffle": False,
        "random_state": 0,
    }
