"""The notebook's exercises: what is right, which mistakes are common, and what is said of an answer.

    print(UPDATE.mark(my_update))      Not answered yet.  /  Right.  /  Wrong: the learning rate is missing.

An answer is a number or a function. A function is called with numbers that nobody has seen, and is right where it gives
what the right formula gives; a mistake is recognised by what the wrong formula gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

OPEN, RIGHT = "Not answered yet.", "Right."
CLOSE = 1e-6
"""A relative error that no arithmetic of ours reaches, and no mistake stays below."""

Calls = Sequence[tuple[Any, ...]]


def _nothing() -> Calls:
    return [()]


@dataclass(frozen=True)
class Exercise:
    """What a reader is asked for: a number, or a function of the inputs."""

    right: Callable[..., Any]
    mistakes: Mapping[str, Callable[..., Any]]
    """By what is said of them; the first that gives the reader's numbers is named."""
    inputs: Callable[[], Calls] = _nothing
    """Makes what a function is called with, call by call, and anew each time: a reader's function may change it. For a
    number that is one call without inputs."""
    decimals: int | None = None
    """How many decimals are asked for, where the reader rounds."""

    def mark(self, answer: object) -> str:
        """Say whether an answer is right and, where it is wrong, what is wrong with it."""
        if answer is None:
            return OPEN
        try:
            given = [answer(*inputs) for inputs in self.inputs()] if callable(answer) else [answer]
        except Exception as error:  # a reader's function may do anything
            return f"Wrong: it raises {type(error).__name__}: {error}."
        if any(value is None for value in given):
            return OPEN
        numbers = [value for value in given if isinstance(value, int | float | Tensor)]
        if len(numbers) < len(given):
            return f"Wrong: expected numbers or tensors, got {given[0]!r}."
        return self._marked([_tensor(value) for value in numbers])

    def _marked(self, given: Sequence[Tensor]) -> str:
        if len(given) != len(self.inputs()):
            return "Wrong: expected a function, got a number."
        expected = self._numbers_of(self.right)
        if self._same(given, expected):
            return RIGHT
        for said, mistake in self.mistakes.items():
            if self._same(given, self._numbers_of(mistake)):
                return f"Wrong: {said}."
        return f"Wrong: {_described(given, expected, self.inputs())}"

    def _numbers_of(self, formula: Callable[..., Any]) -> list[Tensor]:
        return [_tensor(formula(*inputs)) for inputs in self.inputs()]

    def _same(self, found: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
        return all(self._close(a, b) for a, b in zip(found, others, strict=True))

    def _close(self, a: Tensor, b: Tensor) -> bool:
        if a.shape != b.shape:
            return False
        if self.decimals is not None:
            return bool((a - b).abs().max() <= 0.51 * 10**-self.decimals)
        return _are_close(a, b)


def _are_close(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).norm() <= CLOSE * b.norm())


def _described(found: Sequence[Tensor], expected: Sequence[Tensor], inputs: Calls) -> str:
    """Say what is wrong where no known mistake fits: the shape, a sign, a factor, or the first number that is."""
    for a, b in zip(found, expected, strict=True):
        if a.shape != b.shape:
            return f"expected the shape {tuple(b.shape)}, got {tuple(a.shape)}."
    a, b = (torch.cat([value.flatten() for value in values]) for values in (found, expected))
    factor = float(a @ b / (b @ b))
    if math.isclose(factor, -1, rel_tol=CLOSE) and _are_close(a, -b):
        return "the sign."
    if len(a) > 1 and factor and _are_close(a, factor * b):  # any number is a multiple of any other
        return f"the right answer times {factor:.6g}."
    if inputs == [()]:
        return "no mistake that we know gives this number."
    where = next(n for n, pair in enumerate(zip(found, expected, strict=True)) if not _are_close(*pair))
    asked = ", ".join(str(_plain(value)) for value in inputs[where])
    return f"for ({asked}) expected {_plain(expected[where])}, got {_plain(found[where])}."


def _tensor(value: float | Tensor) -> Tensor:
    return torch.as_tensor(value).detach().double()


def _plain(value: object) -> object:
    """Return numbers that can be read: four decimals, in lists where there are several."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, Tensor):
        return _plain(value.tolist())
    return round(value, 4) if isinstance(value, float) else value


# ------------------------------------------------------------------------------------------------------ the exercises


def _sigma(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def _rows(seed: int, *shape: int) -> Tensor:
    """Draw numbers for an exercise on tensors, the same at every start."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1


def _graph(n: int) -> tuple[Tensor, Tensor]:
    """Return a loss, and the net that it was computed from, for autograd."""
    net = _rows(n, n, 3).requires_grad_()
    return (0.5 * (0.3 - torch.sigmoid(net)) ** 2).sum(), net


def _by_autograd(loss: Tensor, net: Tensor) -> Tensor:
    return torch.autograd.grad(loss, net)[0]


UNIT = Exercise(
    lambda: _sigma(-2),
    {
        "this is net, and σ of it is missing": lambda: -2,
        "this is the first unit": lambda: _sigma(4),
        "the second input is −1, not 1": lambda: _sigma(0),
        "the sign of net": lambda: _sigma(2),
    },
    decimals=2,
)
"""1: x^1_2 of X1 for the input (1, −1)."""

PARAMETERS = Exercise(
    lambda: 784 * 30 + 30 + 30 * 10 + 10,
    {
        "the biases are missing": lambda: 784 * 30 + 30 * 10,
        "a bias belongs to each unit of the layers 1 and 2, and to no input": lambda: 784 * 31 + 30 * 11 + 10,
        "the layers are multiplied with each other": lambda: 784 * 30 * 10,
        "these are the units": lambda: 784 + 30 + 10,
    },
)
"""2: how many numbers θ has for 784-30-10."""

ENTROPY = Exercise(
    lambda: -math.log(0.2),
    {
        "the sign: a probability is below 1, and its logarithm below 0": lambda: math.log(0.2),
        "the logarithm is ln, not that to the base 10": lambda: -math.log10(0.2),
        "the logarithm is ln, not that to the base 2": lambda: -math.log2(0.2),
        "only the class of the target counts, since t is 0 for the others": lambda: (
            -sum(map(math.log, (0.7, 0.2, 0.1)))
        ),
        "the target is class 2, not class 1": lambda: -math.log(0.7),
        "this is the squared error (E6)": lambda: (0.7**2 + 0.8**2 + 0.1**2) / 2,
    },
    decimals=2,
)
"""3: the cross-entropy of y = (0.7, 0.2, 0.1), t = (0, 1, 0)."""

CHAIN = Exercise(
    lambda s: 2 * _sigma(s) * _sigma(s) * (1 - _sigma(s)),
    {
        "the inner derivative is missing, that of σ": lambda s: 2 * _sigma(s),
        "the outer derivative is missing, that of the square": lambda s: _sigma(s) * (1 - _sigma(s)),
        "the outer derivative is 2 σ(s), not 2 s": lambda s: 2 * s * _sigma(s) * (1 - _sigma(s)),
        "the derivatives of a chain are multiplied, not added": lambda s: 2 * _sigma(s) + _sigma(s) * (1 - _sigma(s)),
        "the derivative of σ is σ (1 − σ), not σ": lambda s: 2 * _sigma(s) ** 2,
        "the derivative of σ is σ (1 − σ), not 1 − σ": lambda s: 2 * _sigma(s) * (1 - _sigma(s)),
        "this is the function, not its derivative": lambda s: _sigma(s) ** 2,
    },
    lambda: [(0.7,), (-1.3,), (2.0,)],
)
"""4: the derivative of z = σ(s)²."""

LOSS = Exercise(
    lambda: 0.5 * (0.9 - 0.690283) ** 2,
    {
        "the ½ is missing": lambda: (0.9 - 0.690283) ** 2,
        "the square is missing": lambda: 0.5 * (0.9 - 0.690283),
        "the ½ and the square are missing: this is t − y": lambda: 0.9 - 0.690283,
        "this is the loss for the target 0.5": lambda: 0.5 * (0.5 - 0.690283) ** 2,
    },
    decimals=4,
)
"""5: L of X2 with the target 0.9."""

DELTA = Exercise(
    lambda x, w, d: x * (1 - x) * sum(a * b for a, b in zip(w, d, strict=True)),
    {
        "σ′ is missing: this is the error, the sum of E14": lambda x, w, d: sum(map(math.prod, zip(w, d, strict=True))),
        "σ′ is x (1 − x), not x": lambda x, w, d: x * sum(a * b for a, b in zip(w, d, strict=True)),
        "σ′ is x (1 − x), not 1 − x": lambda x, w, d: (1 - x) * sum(a * b for a, b in zip(w, d, strict=True)),
        "x is already σ(net): σ is applied twice": lambda x, w, d: (
            _sigma(x) * (1 - _sigma(x)) * sum(a * b for a, b in zip(w, d, strict=True))
        ),
        "the weights are missing in the sum": lambda x, w, d: x * (1 - x) * sum(d),
        "the δ of the units above are missing in the sum": lambda x, w, d: x * (1 - x) * sum(w),
        "only the first unit above is counted: the sum is missing": lambda x, w, d: x * (1 - x) * w[0] * d[0],
        "the sum is over the products, not a product of sums": lambda x, w, d: x * (1 - x) * sum(w) * sum(d),
    },
    lambda: [(0.68, [0.3, -0.8], [-0.04, 0.1]), (0.2, [1.5, 0.4, -0.7], [0.02, -0.3, 0.09])],
)
"""6: δ of a hidden unit from its output, the weights to the units above, and their δ (E14, E16)."""

GRADIENT = Exercise(
    lambda delta, x: -delta.T @ x,
    {
        "the sign: δ is −∂L/∂net": lambda delta, x: delta.T @ x,
        "it is transposed: W has a row for each unit, (n_out, n_in)": lambda delta, x: -x.T @ delta,
        "the gradients of the samples are added up, not averaged": lambda delta, x: -delta.T @ x / len(x),
        "the sign, and the gradients of the samples are added up, not averaged": lambda delta, x: delta.T @ x / len(x),
        "only the first sample is counted": lambda delta, x: -delta[:1].T @ x[:1],
    },
    lambda: [(_rows(1, 4, 3), _rows(2, 4, 5)), (_rows(3, 7, 2), _rows(4, 7, 2))],
)
"""7: ∂L/∂W of a batch from δ (N, n_out) and x (N, n_in) (E12)."""


AUTOGRAD = Exercise(
    lambda loss, net: -_by_autograd(loss, net),
    {
        "the sign: autograd gives +∂L/∂net": _by_autograd,
        "this is the loss, not a derivative of it": lambda loss, net: loss,
        "this is net, not a derivative": lambda loss, net: net,
    },
    lambda: [_graph(2), _graph(5)],
)
"""8: δ from a loss, and the net that it was computed from, by autograd."""

UPDATE = Exercise(
    lambda w, g, lr: w - lr * g,
    {
        "the sign: this goes uphill": lambda w, g, lr: w + lr * g,
        "the learning rate is missing": lambda w, g, lr: w - g,
        "the weight itself is missing: this is only the step": lambda w, g, lr: -lr * g,
        "the gradient is multiplied by η, not divided": lambda w, g, lr: w - g / lr,
        "the gradient has the weight as a factor": lambda w, g, lr: w - lr * g * w,
    },
    lambda: [(0.4, 0.25, 0.5), (-1.2, 0.3, 2.0)],
)
"""9: a weight after an update (E9)."""

SOFTMAX = Exercise(
    lambda net, t: t - net.softmax(1),
    {
        "the sign: δ is t − y": lambda net, t: net.softmax(1) - t,
        "the softmax is missing: y is not net": lambda net, t: t - net,
        "y is a softmax here, not a sigmoid": lambda net, t: t - net.sigmoid(),
        "the softmax runs over the samples: the classes are dimension 1": lambda net, t: t - net.softmax(0),
        "there is no slope here: y (1 − y) is too much": lambda net, t: (
            net.softmax(1) * (1 - net.softmax(1)) * (t - net.softmax(1))
        ),
        "e^net is not divided by its sum": lambda net, t: t - net.exp(),
    },
    lambda: [(_rows(1, 3, 4), torch.eye(4, dtype=torch.float64)[:3])],
)
"""10: δ of a softmax layer from net and one-hot targets, both (N, n) (E17)."""

LEAKY = Exercise(
    lambda error, net: torch.where(net > 0, error, 0.1 * error),
    {
        "the derivative is missing: the error came through unchanged": lambda error, net: error,
        "where net is below 0 the slope is 0.1, not 0": lambda error, net: torch.where(net > 0, error, 0 * error),
        "the error is missing: this is the slope alone": lambda error, net: torch.where(net > 0, 1.0, 0.1).double(),
        "this is the forward formula of the error": lambda error, net: torch.where(error > 0, error, 0.1 * error),
        "the two sides are exchanged": lambda error, net: torch.where(net > 0, 0.1 * error, error),
        "the slope is 1 or 0.1, not net or 0.1 net": lambda error, net: torch.where(net > 0, net, 0.1 * net) * error,
    },
    lambda: [(_rows(1, 5, 4), _rows(2, 5, 4))],
)
"""11: δ of a leaky ReLU, z where z > 0 and 0.1 z elsewhere, from the error and net (E15)."""

EXERCISES = {
    "UNIT": UNIT, "PARAMETERS": PARAMETERS, "ENTROPY": ENTROPY, "CHAIN": CHAIN, "LOSS": LOSS, "DELTA": DELTA,
    "GRADIENT": GRADIENT, "AUTOGRAD": AUTOGRAD, "UPDATE": UPDATE, "SOFTMAX": SOFTMAX, "LEAKY": LEAKY,
}  # fmt: skip
"""In the order of the notebook's parts."""
