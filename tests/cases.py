"""The tables that drive the tests: layers, losses, networks, weights, and what counts as equal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from manual_bp import (
    RNN,
    AvgPool2d,
    Conv2d,
    Dropout,
    Flatten,
    LastStep,
    Layer,
    LayerNorm,
    LibraryLinear,
    Linear,
    Loss,
    MaxPool2d,
    Network,
    ReLU,
    Sigmoid,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
    Unflatten,
    mlp,
)
from manual_bp.products import LIBRARIES, Library
from torch_ref import Report
from torch_ref.trial.trial import WEIGHTS

DTYPES = (torch.float32, torch.float64)

FINITE_DIFFERENCE_STEP = 1e-5
FINITE_DIFFERENCE_TOLERANCE = 1e-8
"""Of the norm, in float64 only: the step's own error is about 1e-10 (its square) and rounding adds 1e-11 (2e-16 over
the step, times what cancels); a fault of 0.05 % is 50,000 times larger. In float32 the error would be 2e-4."""

ROUNDING = 1e-14
"""Of the norm, in float64: the same sums in another order, 50 units in the last place."""


@dataclass(frozen=True)
class Case:
    """A layer, how to make it, and the shape of its input: odd, unequal sizes."""

    name: str
    make: Callable[[torch.dtype], Layer]
    shape: tuple[int, ...] = (4, 5)
    exact: bool = True
    """Whether it is equal to autograd to the last bit, and not within rounding."""

    def input(self, dtype: torch.dtype, rows: int = 4) -> Tensor:
        """Return a random x, away from the kink of ReLU."""
        x = torch.randn(rows, *self.shape[1:], dtype=dtype)
        return x + 0.1 * torch.sign(x)


def linear(dtype: torch.dtype, *, bias: bool = True) -> Linear:
    return Linear(torch.randn(3, 5, dtype=dtype), torch.randn(3, dtype=dtype) if bias else None)


def library_linear(dtype: torch.dtype, library: Library, *, bias: bool = True) -> LibraryLinear:
    made = linear(dtype, bias=bias)
    return LibraryLinear(made.weight, made.bias, library=library)


def convolution(dtype: torch.dtype, *, kernel: tuple[int, int] = (3, 3), bias: bool = True, **settings) -> Conv2d:
    weight = torch.randn(5, 3, *kernel, dtype=dtype)
    return Conv2d(weight, torch.randn(5, dtype=dtype) if bias else None, **settings)


def layer_norm(dtype: torch.dtype) -> LayerNorm:
    return LayerNorm(torch.randn(5, dtype=dtype), torch.randn(5, dtype=dtype))


def rnn(dtype: torch.dtype) -> RNN:
    return RNN(*(torch.randn(*shape, dtype=dtype) / 2 for shape in ((3, 5), (3, 3), (3,), (3,))))


@dataclass(frozen=True, eq=False)
class Scale:
    """A layer of somebody else: y = a x, which allocates every time and has no ``gradients`` of its own."""

    a: Tensor

    def forward(self, x, out=None):
        return self.a * x, x

    def backward(self, error, saved, out=None):
        return self.a * error, {"a": -(error * saved).sum(0)}


CASES = (
    Case("Linear", linear),
    Case("Linear without bias", lambda dtype: linear(dtype, bias=False)),
    *(
        Case(f"LibraryLinear of {name}", lambda dtype, library=library: library_linear(dtype, library), exact=False)
        for name, library in LIBRARIES.items()
    ),
    Case("Sigmoid", lambda dtype: Sigmoid()),
    Case("Tanh", lambda dtype: Tanh()),
    Case("ReLU", lambda dtype: ReLU()),
    *(
        Case(f"Conv2d {name}", lambda dtype, settings=settings: convolution(dtype, **settings), (4, 3, 7, 6))
        for name, settings in {
            "3 x 3": {},
            "padded": {"padding": 1},
            "by steps": {"stride": (2, 3), "padding": (0, 2)},
            "without bias": {"bias": False},
            "2 x 5": {"kernel": (2, 5)},
            "1 x 1": {"kernel": (1, 1), "stride": 2},
        }.items()
    ),
    Case("MaxPool2d", lambda dtype: MaxPool2d(2), (4, 3, 7, 6)),
    Case("MaxPool2d that overlaps", lambda dtype: MaxPool2d((3, 2), stride=(1, 2)), (4, 3, 7, 6)),
    Case("AvgPool2d", lambda dtype: AvgPool2d(2), (4, 3, 7, 6)),
    Case("AvgPool2d that overlaps", lambda dtype: AvgPool2d(3, stride=1), (4, 3, 7, 6)),
    Case("Dropout", lambda dtype: Dropout(0.4, seed=11)),
    Case("Dropout of images", lambda dtype: Dropout(0.2), (4, 3, 7, 6)),
    Case("LayerNorm", layer_norm),
    Case("LayerNorm of sequences", layer_norm, (4, 3, 5)),
    Case("RNN", rnn, (4, 6, 5)),
    Case("LastStep", lambda dtype: LastStep(), (4, 6, 5)),
    Case("Flatten", lambda dtype: Flatten(), (4, 3, 7, 6)),
    Case("Unflatten", lambda dtype: Unflatten((3, 2, 2)), (4, 12)),
)
ACTIVATIONS: tuple[Layer, ...] = (Sigmoid(), Tanh(), ReLU())
LOSSES: tuple[Loss, ...] = (
    SquaredError("sum"),
    SquaredError("mean"),
    SoftmaxCrossEntropy("sum"),
    SoftmaxCrossEntropy("mean"),
)


def loss_id(loss: Loss) -> str:
    return f"{type(loss).__name__}-{getattr(loss, 'reduction', '')}"


def targets(rows: int, classes: int, dtype: torch.dtype) -> Tensor:
    """Return random confidences: entries from 0 to 1, each row summing to 1."""
    return torch.softmax(torch.randn(rows, classes, dtype=dtype), 1)


REGIMES = WEIGHTS  # initial, trained and saturated


def network(
    sizes: tuple[int, ...],
    activation: Layer,
    loss: Loss,
    dtype: torch.dtype,
    regime: Callable[[Network], None] = lambda made: None,
) -> Network:
    """Return a network with random weights and biases, none of them zero."""
    made = mlp(sizes, activation=activation, loss=loss, dtype=dtype)
    regime(made)
    return made


def assert_identical(by_hand: Tensor, reference: Tensor, what: str = "") -> None:
    """Raise unless the two agree to the last bit (0 and -0 count as one number)."""
    if not torch.equal(by_hand, reference):
        raise AssertionError(
            f"{what} differs by up to {(by_hand - reference).abs().max():.3e}:\n{by_hand}\n{reference}"
        )


def assert_equal(by_hand: Tensor, reference: Tensor, what: str, *, exact: bool) -> None:
    """Raise unless the two agree, to the last bit or within the rounding of their dtype."""
    if exact:
        assert_identical(by_hand, reference, what)
    else:
        assert_close(by_hand, reference, 50 * torch.finfo(reference.dtype).eps, what)


def assert_close(by_hand: Tensor, reference: Tensor, tolerance: float, what: str = "") -> None:
    """Raise unless the difference is at most ``tolerance`` of the reference's norm, which must not be zero."""
    if by_hand.shape != reference.shape:
        raise AssertionError(f"{what} has shape {tuple(by_hand.shape)}, expected {tuple(reference.shape)}")
    norm = float(reference.norm())
    off = float((by_hand - reference).norm())
    if not (norm > 0 and off <= tolerance * norm):
        raise AssertionError(
            f"{what} is off by {off:.3e}, with a norm of {norm:.3e} and a tolerance of {tolerance:.0e}"
        )


def directional_derivative(function: Callable[[Tensor], Tensor], at: Tensor, direction: Tensor) -> Tensor:
    """Return J v by central finite differences: neither our formulas nor autograd."""
    h = FINITE_DIFFERENCE_STEP
    return (function(at + h * direction) - function(at - h * direction)) / (2 * h)


def blamed(report: Report) -> dict[str, str]:
    """Return the likely cause of every guilty quantity."""
    return {row.quantity: row.cause for row in report.guilty}
