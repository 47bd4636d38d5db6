"""What every quantity is called, by which formula it is made, and where that formula stands in the code.

A formula is named by the type that owns it and by what it makes: ``forward``, ``error`` (of the input), the name of
a parameter for its gradient, and for a loss ``output`` (the network's answer y), ``forward`` (L) and ``error``.
A layer of your own has no equation number; a subclass of one of ours has its parent's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from manual_bp import Linear, ReLU, Sigmoid, SoftmaxCrossEntropy, SquaredError, Tanh

FORMULAS: dict[type, dict[str, tuple[str, str]]] = {
    Linear: {
        "forward": ("E1", "net^{l} = W^{l} x^{below} + b^{l}"),
        "error": ("E14", "e^{below} = (W^{l})ᵀ δ^{l}"),
        "weight": ("E12", "∂L/∂W^{l}_ij = −Σ δ^{l}_i x^{below}_j"),
        "bias": ("E12", "∂L/∂b^{l} = −Σ δ^{l}"),
    },
    Sigmoid: {
        "forward": ("E2", "x^{l} = σ(net^{l}), σ(z) = 1 / (1 + e^−z)"),
        "error": ("E16", "δ^{l} = σ′(net^{l}) e^{l}, σ′ = x^{l} (1 − x^{l})"),
    },
    Tanh: {
        "forward": ("E2", "x^{l} = tanh(net^{l})"),
        "error": ("E15", "δ^{l} = σ′(net^{l}) e^{l}, σ′ = 1 − (x^{l})²"),
    },
    ReLU: {
        "forward": ("E2", "x^{l} = max(0, net^{l})"),
        "error": ("E15", "δ^{l} = σ′(net^{l}) e^{l}, σ′ = 1 if x^{l} > 0 else 0"),
    },
    SquaredError: {
        "output": ("E4", "y = x^L"),
        "forward": ("E6", "L = ½ Σ (t − y)²{mean}"),
        "error": ("E13", "{error} = t − y{mean}"),
    },
    SoftmaxCrossEntropy: {
        "output": ("E5", "y_k = e^net_k / Σ_j e^net_j"),
        "forward": ("E8", "L = −Σ t ln y{mean}"),
        "error": ("E17", "{error} = t − y{mean}"),
    },
}


@dataclass(frozen=True)
class Quantity:
    """One tensor of a pass, and the formula that makes it."""

    name: str
    """The lecture's name: net^1, δ^2, ∂L/∂W^3, ..."""
    formula: str = "-"
    """The lecture's number, or '-'."""
    text: str = ""
    """The formula itself."""
    layer: int | None = None
    """The lecture's index of the layer whose formula it is; None for a loss, or outside a network."""
    owner: str = ""
    """The name of the layer's type."""


def quantity(name: str, owner: object, makes: str, layer: int | None = None) -> Quantity:
    """Return the quantity that ``owner``, of layer ``layer``, makes, with its formula where the lecture has one."""
    kind = next((kind for kind in type(owner).__mro__ if makes in FORMULAS.get(kind, {})), None)
    type_name = type(owner).__name__
    if kind is None:
        return Quantity(name, "-", name, layer, type_name)
    number, text = FORMULAS[kind][makes]
    mean = ", over N" if getattr(owner, "reduction", "") == "mean" else ""
    if layer is None:
        text = text.replace("^{l}", "").replace("^{below}", "")
    filled = text.format(l=layer, below=(layer or 0) - 1, mean=mean, error=name)
    return Quantity(name, number, filled, layer, type_name)


def source_of(function: Callable[..., object] | None) -> str:
    """Return 'file.py:12', where the function or method is defined: relative to the working directory if below it."""
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    if code is None:
        return ""
    path = Path(code.co_filename)
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return f"{shown}:{code.co_firstlineno}"
