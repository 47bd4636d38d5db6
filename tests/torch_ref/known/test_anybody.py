"""Causes in code that nothing is known of: a layer gives errors, a function gives gradients, each with its sign."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from manual_bp import Network, SoftmaxCrossEntropy, SquaredError, mlp
from torch_ref import check_function, check_layer, crosscheck


@dataclass(frozen=True)
class Cube:
    """x³, whose derivative depends on ``wrong``."""

    wrong: str

    def forward(self, x, out=None):
        return x**3, x

    def backward(self, error, saved, out=None):
        return gradient(self.wrong, error, saved), {}


def gradient(wrong: str, came: Tensor, x: Tensor) -> Tensor:
    slope = 3 * x**2
    return {"missing": came, "alone": slope, "twice": came * slope**2, "negative": -came, "thrice": 3 * came}[wrong]


MISSING = "the derivative is missing: the error came through unchanged"


@pytest.mark.long(but=2)
@pytest.mark.parametrize(
    ("wrong", "code", "cause"),
    [
        ("missing", "slope-missing", MISSING),
        ("alone", "upstream-missing", "the error is missing (the derivative alone)"),
        ("twice", "slope-twice", "the derivative is applied twice"),
        ("negative", "slope-missing", f"{MISSING}, and the sign is wrong"),
        ("thrice", "slope-missing", f"{MISSING}, and a factor of 3"),
    ],
)
def test_a_layer_and_a_function_have_the_same_causes(wrong: str, code: str, cause: str) -> None:
    x = torch.randn(6, 5).double()
    (of_layer,) = check_layer(Cube(wrong), x, lambda x: x**3).guilty
    (of_function,) = check_function(lambda x: x**3, lambda d, x: gradient(wrong, d, x), [x]).guilty
    assert [(row.code, row.cause) for row in (of_layer, of_function)] == [(code, cause)] * 2


def test_beside_another_mistake_a_factor_that_is_no_number_explains_nothing() -> None:
    x = torch.randn(6, 5).double()
    (row,) = check_function(lambda x: x**3, lambda d, x: 0.766283 * d, [x]).guilty
    assert row.code == "no-pattern"


def test_an_output_is_never_explained_as_a_gradient() -> None:
    @dataclass(frozen=True)
    class Squared(SoftmaxCrossEntropy):
        def output(self, x):
            return super().output(x) ** 2

    good = mlp([5, 4, 3], loss=SoftmaxCrossEntropy(), dtype=torch.float64)
    report = crosscheck(Network(good.layers, Squared()), torch.randn(6, 5).double(), torch.arange(6) % 3)
    assert {row.quantity: row.code for row in report.guilty} == {"y": "no-pattern"}


def test_a_loss_that_is_wrong_in_both_directions_is_not_called_another_function() -> None:
    """Only where its error is right can the loss be the odd one out."""

    @dataclass(frozen=True)
    class TwiceWrongError(SquaredError):
        def forward(self, x, t, out=None):
            loss, saved = super().forward(x, t)
            return 2 * loss, saved

        def backward(self, saved, out=None):
            return -super().backward(saved)

    good = mlp([5, 4, 3], dtype=torch.float64)
    report = crosscheck(Network(good.layers, TwiceWrongError()), torch.randn(6, 5).double(), torch.rand(6, 3).double())
    assert {row.quantity: row.cause for row in report.guilty} == {"L": "a factor of 2", "e^2": "the sign is wrong"}
