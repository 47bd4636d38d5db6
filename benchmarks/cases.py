"""The training steps that are timed: network, loss and batch of each case, the same numbers for every contender."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from manual_bp import Linear, Network, ReLU, Sigmoid, SoftmaxCrossEntropy, SquaredError, lecture, mlp, one_hot

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """One training step: the sizes of the network, what its layers compute, and the batch."""

    name: str
    sizes: tuple[int, ...]
    batch: int
    activation: Literal["sigmoid", "relu"] = "sigmoid"
    loss: Literal["squared error", "cross-entropy"] = "squared error"
    bias: bool = True
    lr: float = 0.1

    @property
    def title(self) -> str:
        """Return the sizes, long runs of one size shortened, and the batch: 784-1000x10-10, batch 128."""
        hidden, repeated = self.sizes[1:-1], len(set(self.sizes[1:-1])) == 1 and len(self.sizes) > 5
        middle = [f"{hidden[0]}x{len(hidden)}"] if repeated else map(str, hidden)
        return f"{'-'.join([str(self.sizes[0]), *middle, str(self.sizes[-1])])}, batch {self.batch}"

    @property
    def flops(self) -> int:
        """Return the additions and multiplications of a step's matrix products: net^l, ∂L/∂W^l, and the errors."""
        weights = [n_in * n_out for n_in, n_out in zip(self.sizes, self.sizes[1:], strict=False)]
        return 2 * self.batch * (3 * sum(weights) - weights[0])  # nobody needs the error of the input

    @property
    def formulas(self) -> str:
        """Return activation and loss in words."""
        return f"{self.activation}, {self.loss}{'' if self.bias else ', no biases'}"


C128 = Case("c128", (784, 256, 10), 128)

CASES = {
    case.name: case
    for case in (
        Case("f", (2, 2, 1), 1, bias=False),  # the lecture's X2, its weights, input and target
        Case("a", (784, 30, 10), 10),
        Case("b", (256, 100, 100, 10), 32),
        C128,
        replace(C128, name="c1024", batch=1024),
        Case("d", (784, 500, 500, 10), 128, "relu", "cross-entropy"),
        Case("e", (784, *[1000] * 10, 10), 128),  # 10⁶ weights a layer, sigmoid and squared error as in the lecture
    )
}
QUICK = ("f", "a", "b", "c128")
FED = tuple(CASES)[1:]
"""The cases that train on images, batch after batch; case f has one sample."""

AXES = {
    "depth": {n: Case(f"depth {n}", (100, *[100] * n, 10), 32) for n in (1, 2, 4, 8, 16, 32)},
    "width": {n: Case(f"width {n}", (n, n, n), 64) for n in (32, 64, 128, 256, 512, 1024)},
    "batch": {n: Case(f"batch {n}", (784, 256, 10), n) for n in (1, 4, 16, 64, 256, 1024)},
}
LABELS = {
    "depth": "hidden layers of 100 (batch 32)",
    "width": "units n of n-n-n (batch 64)",
    "batch": "batch (784-256-10)",
}
"""What grows along each of the ``AXES``, from small to large; the rest stays."""


@dataclass(frozen=True, eq=False)
class Problem:
    """A case with its numbers: x (N, n^0), one-hot t (N, n^L) and labels (N,); every network starts the same."""

    case: Case
    x: Tensor
    t: Tensor
    labels: Tensor

    def network(self) -> Network:
        """Make the network with its first parameters, anew at each call."""
        case = self.case
        if case.name == "f":
            weights = lecture.x2_network().state_dict().values()
            layers = [layer for w in weights for layer in (Linear(w.float()), Sigmoid())]
            return Network(tuple(layers), SquaredError("mean"))
        return mlp(
            case.sizes,
            activation=ReLU() if case.activation == "relu" else Sigmoid(),
            loss=SquaredError("mean") if case.loss == "squared error" else SoftmaxCrossEntropy("mean"),
            generator=torch.Generator().manual_seed(0),
        )

    def parameters(self) -> list[Tensor]:
        """Copy the first parameters: W^1, b^1, W^2, ..., or the W alone where the case has no biases."""
        return list(self.network().state_dict().values())

    def arrays(self) -> list[Array]:
        """Copy the first parameters into numpy arrays."""
        return [p.numpy().copy() for p in self.parameters()]


def problem(case: Case) -> Problem:
    """Draw the numbers of a case: pixels in [0, 1) and random classes, or the lecture's example."""
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(case.batch, case.sizes[0], generator=generator)
    labels = torch.randint(case.sizes[-1], (case.batch,), generator=generator)
    t = one_hot(labels, case.sizes[-1], like=x)
    if case.name == "f":
        x, t = torch.tensor([lecture.X2_INPUT]), torch.tensor([lecture.X2_TARGET])
    return Problem(case, x, t, labels)
