"""The linear part of a layer: total input of its units (E1) and what flows back through the weights.

    forward    E1    net_i = Σ_j W_ij x_j + b_i
    backward   E14   error of x_j = Σ_k W_kj δ_k
               E12   ∂L/∂W_ij = −δ_i x_j      ∂L/∂b_i = −δ_i

In matrices, with a row for each sample: net = x Wᵀ + b, error of x = δ W, ∂L/∂W = −δᵀ x (which sums over the rows, E7).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from manual_bp.layer import NEW, ByName, check_first_parameter, check_parameter, check_rows


@dataclass(frozen=True, eq=False, repr=False)
class Linear:
    """Turn x (N, n_in) into net (N, n_out), and δ into the error of x.

    ``weight`` is (n_out, n_in), the layout of ``nn.Linear.weight``; ``bias`` is (n_out,) or None.
    """

    weight: Tensor
    bias: Tensor | None = None

    def __post_init__(self) -> None:
        """Check the parameters, and take them without the history that autograd may have noted."""
        check_first_parameter("Linear", "a weight", self.weight, "(n_out, n_in)")
        if self.bias is not None:
            check_parameter("Linear", "a bias", self.bias, self.weight.shape[:1], like=self.weight)
        object.__setattr__(self, "weight", self.weight.detach())
        object.__setattr__(self, "bias", None if self.bias is None else self.bias.detach())

    def __repr__(self) -> str:
        """Return the numbers of units: Linear(784 → 30)."""
        n_out, n_in = self.weight.shape
        return f"{type(self).__name__}({n_in} → {n_out}{'' if self.bias is not None else ', no bias'})"

    def forward(self, x: Tensor, out: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Return net = x Wᵀ + b (E1); saves x."""
        if out is None:
            check_rows("Linear", "x", x, self.weight.shape[1], like=self.weight)
        net, _ = out or NEW
        if self.bias is None:
            return torch.mm(x, self.weight.t(), out=net), x
        return torch.addmm(self.bias, x, self.weight.t(), out=net), x

    def backward(
        self, error: Tensor, saved: Tensor, out: tuple[Tensor | None, ByName] | None = None
    ) -> tuple[Tensor, ByName]:
        """Return the error of x, δ W (the sum in E14), then the gradients (E12)."""
        delta, x, (error_of_x, d_parameters) = error, saved, out or NEW
        if error_of_x is None:
            check_rows("Linear", "the error of net", delta, self.weight.shape[0], like=self.weight)
        error_of_x = sent_back(delta, self.weight, x, error_of_x)
        return error_of_x, self.gradients(delta, x, d_parameters)

    def gradients(self, error: Tensor, saved: Tensor, out: ByName | None = None) -> ByName:
        """Return ∂L/∂W = −δᵀ x and ∂L/∂b = −Σ δ over the rows (E12)."""
        delta, x, d = error, saved, {} if out is None else out
        # 0 W − δᵀ x: the sign costs nothing inside the product, and beta=0 never reads W.
        d["weight"] = torch.addmm(self.weight, delta.t(), x, beta=0, alpha=-1, out=d.get("weight"))
        if self.bias is not None:
            d["bias"] = torch.sum(delta, 0, out=d.get("bias")).neg_()
        return d


def sent_back(delta: Tensor, weight: Tensor, x: Tensor, out: Tensor | None = None) -> Tensor:
    """Return δ W (N, n_in), what flows back through the weights to x.

    Where x lies in memory column by column, it is (Wᵀ δᵀ)ᵀ: autograd's order there, which the last bit shows.
    """
    if x.stride() != (1, x.shape[0]):
        return torch.mm(delta, weight, out=out)
    transposed = torch.mm(weight.t(), delta.t(), out=None if out is None else out.t())
    return transposed.t() if out is None else out
