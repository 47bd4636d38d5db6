"""Planted faults: mistakes that people make in a backward pass, each a small change of one formula.

    planted = FAULTS["linear-error-transposed"].plant(network, l=2)     # a copy with one wrong formula
    crosscheck(planted, x, t).verdict                                   # has to name it

A fault names the formula that it spoils, by the type that owns it and by what it makes, and the cause that the
checker has to find. ``python -m torch_ref faults`` tries them all.
"""

from __future__ import annotations

from manual_bp import Linear, ReLU, Sigmoid, SoftmaxCrossEntropy, SquaredError, Tanh
from torch_ref.known.faults import catalogue
from torch_ref.known.faults.fault import Fault

__all__ = ["FAULTS", "Fault"]

FAULTS: dict[str, Fault] = {
    f"{prefix}-{name}": Fault(f"{prefix}-{name}", of, makes, cause, wrong)
    for of, prefix, rows in (
        (Linear, "linear", catalogue.LINEAR),
        (Sigmoid, "sigmoid", catalogue.SIGMOID),
        (Tanh, "tanh", catalogue.TANH),
        (ReLU, "relu", catalogue.RELU),
        (SquaredError, "squared", catalogue.SQUARED),
        (SoftmaxCrossEntropy, "entropy", catalogue.ENTROPY),
    )
    for name, makes, cause, wrong in rows
}
