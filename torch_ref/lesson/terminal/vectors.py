"""The formulas of a walk tensor by tensor: of whole vectors and matrices, for one sample.

⊙ multiplies entry by entry, and a function of a vector is that of each of its entries.
"""

from __future__ import annotations

from manual_bp import SoftmaxCrossEntropy
from torch_ref.lesson.walk.activations import activation_of
from torch_ref.lesson.walk.examples import Example
from torch_ref.lesson.walk.expression import GLUE, Product, Ref, Writing
from torch_ref.lesson.walk.functions import Apply

VECTORS = Writing(lambda name: name, f"{GLUE}⊙{GLUE}")


def formulas(name: str, example: Example) -> tuple[str, ...]:
    """Return what a tensor is equal to, written in one way or two: of net^1 'W^1 x^0 + b^1'."""
    if name.endswith(" after"):
        parameter = name.removesuffix(" after")
        return (f"{parameter} − η ∂L/∂{parameter}",)
    quantity, l = _indexed(name, example.network.depth)
    softmax = isinstance(example.network.loss_function, SoftmaxCrossEntropy)
    match quantity:
        case "net":
            return (f"W^{l} x^{l - 1} + b^{l}" if example.has_biases else f"W^{l} x^{l - 1}",)
        case "y" if softmax:
            return f"softmax(net^{l})", f"e^(net^{l}) / Σ_k e^(net^{l}_k)"
        case "x" | "y":
            return (Apply(activation_of(example.network).function, Ref(f"net^{l}")).text(VECTORS),)
        case "L":
            return ("−Σ_k t_k ln(y_k)" if softmax else "½ Σ_k (t_k − y_k)²",)
        case "e" | "δ" if l == example.network.depth and (quantity == "e" or softmax):
            return ("t − y",)
        case "e":
            return (f"(W^{l + 1})ᵀ δ^{l + 1}",)
        case "δ":
            return _delta(l, example)
        case "∂L/∂W":
            return (f"−δ^{l} (x^{l - 1})ᵀ",)
        case _:
            return (f"−δ^{l}",)


def _delta(l: int, example: Example) -> tuple[str, ...]:
    """Return σ′ ⊙ e, and that with σ′ put in, where it is not 1 or 0."""
    net, e, x = f"net^{l}", f"e^{l}", "y" if l == example.network.depth else f"x^{l}"
    slope = activation_of(example.network).slope(Ref(x), Ref(net))
    written = [f"σ′({net}) ⊙ {e}", Product((*slope, Ref(e))).text(VECTORS).replace(GLUE, " ")]
    return tuple(dict.fromkeys(written))


def _indexed(name: str, depth: int) -> tuple[str, int]:
    """Take a name apart: ('∂L/∂W', 2) of '∂L/∂W^2'; y is of the last layer, and L has none."""
    stem, _, index = name.partition("^")
    return stem, int(index or depth)
