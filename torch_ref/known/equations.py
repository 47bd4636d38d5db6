r"""The lecture's equations, E1 to E17: the one table that page, terminal, checker and documents read.

Each has its name in words, its formula in LaTeX for the page, and in plain text for everything else. E13 is the whole
δ of an output unit, E14 the whole δ of a hidden unit. Each is computed in two steps: the error e first, which is cited
as "E13, its t − y" and "E14, its sum"; then δ = σ′ e, which is E15 at every layer.
"""

from __future__ import annotations

from typing import NamedTuple


class Equation(NamedTuple):
    """One equation of the lecture."""

    words: str
    latex: str
    text: str


EQUATIONS = {
    "E1": Equation(
        "total input of a unit",
        r"\text{net}^l_i = \sum_j W^l_{ij}\, x^{l-1}_j + b^l_i",
        "net^l_i = Σ_j W^l_ij x^(l−1)_j + b^l_i",
    ),
    "E2": Equation("output of a unit", r"x^l_i = \sigma(\text{net}^l_i)", "x^l_i = σ(net^l_i)"),
    "E3": Equation("sigmoid", r"\sigma(z) = \frac{1}{1 + e^{-z}}", "σ(z) = 1 / (1 + e^(−z))"),
    "E4": Equation(
        "the whole network",
        r"y = f(x) = \sigma(W^L \cdots \sigma(W^2\, \sigma(W^1 x + b^1) + b^2) \cdots + b^L)",
        "y = f(x) = σ(W^L … σ(W^2 σ(W^1 x + b^1) + b^2) … + b^L)",
    ),
    "E5": Equation(
        "softmax", r"y_k = \frac{e^{\text{net}_k}}{\sum_j e^{\text{net}_j}}", "y_k = e^(net_k) / Σ_j e^(net_j)"
    ),
    "E6": Equation(
        "squared error of one sample",
        r"L(\theta) = \frac{1}{2} \sum_k (t_k - y_k)^2",
        "L(θ) = ½ Σ_k (t_k − y_k)²",
    ),
    "E7": Equation("total loss over the training data", r"C(\theta) = \sum_n L^{(n)}(\theta)", "C(θ) = Σ_n L^(n)(θ)"),
    "E8": Equation("cross-entropy", r"L(\theta) = -\sum_k t_k \ln y_k", "L(θ) = −Σ_k t_k ln y_k"),
    "E9": Equation("gradient descent", r"\theta \leftarrow \theta - \eta\, \nabla C(\theta)", "θ ← θ − η ∇C(θ)"),
    "E10": Equation(
        "chain rule, one path",
        r"y = g(x),\; z = h(y): \quad \frac{dz}{dx} = \frac{dz}{dy} \cdot \frac{dy}{dx}",
        "y = g(x), z = h(y): dz/dx = dz/dy · dy/dx",
    ),
    "E11": Equation(
        "chain rule, two paths",
        r"x = g(s),\; y = h(s),\; z = k(x, y): \quad \frac{dz}{ds} = \frac{\partial z}{\partial x} \cdot "
        r"\frac{dx}{ds} + \frac{\partial z}{\partial y} \cdot \frac{dy}{ds}",
        "x = g(s), y = h(s), z = k(x, y): dz/ds = ∂z/∂x · dx/ds + ∂z/∂y · dy/ds",
    ),
    "E12": Equation(
        "gradient of a weight, and of a bias",
        r"\frac{\partial L}{\partial W^l_{ij}} = -\delta^l_i\, x^{l-1}_j, \quad "
        r"\frac{\partial L}{\partial b^l_i} = -\delta^l_i",
        "∂L/∂W^l_ij = −δ^l_i x^(l−1)_j, ∂L/∂b^l_i = −δ^l_i",
    ),
    "E13": Equation(
        "δ of an output unit",
        r"\delta^L_i = \sigma'(\text{net}^L_i)\,(t_i - y_i)",
        "δ^L_i = σ′(net^L_i) (t_i − y_i)",
    ),
    "E14": Equation(
        "δ of a hidden unit",
        r"\delta^l_i = \sigma'(\text{net}^l_i) \sum_k W^{l+1}_{ki}\, \delta^{l+1}_k, \quad l < L",
        "δ^l_i = σ′(net^l_i) Σ_k W^(l+1)_ki δ^(l+1)_k, l < L",
    ),
    "E15": Equation(
        "both cases in one: the slope times the error",
        r"\delta^l = \sigma'(\text{net}^l) \cdot e^l, \quad e^L = t - y, \quad e^l = (W^{l+1})^\top \delta^{l+1}",
        "δ^l = σ′(net^l) · e^l, e^L = t − y, e^l = (W^(l+1))ᵀ δ^(l+1)",
    ),
    "E16": Equation(
        "slope of the sigmoid",
        r"\sigma'(\text{net}^l_i) = \sigma(\text{net}^l_i)\,(1 - \sigma(\text{net}^l_i)) = x^l_i\,(1 - x^l_i)",
        "σ′(net^l_i) = σ(net^l_i) (1 − σ(net^l_i)) = x^l_i (1 − x^l_i)",
    ),
    "E17": Equation(
        "δ of an output unit behind softmax and cross-entropy", r"\delta^L_i = t_i - y_i", "δ^L_i = t_i − y_i"
    ),
}
"""By number, in the lecture's order."""
