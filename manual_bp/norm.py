"""Layer normalisation: each row with mean 0 and variance 1, then a weight and a bias for each column.

For a row of n numbers, and a small ε so that nothing is divided by 0:

    forward    N1    c_j = x_j − Σ_i x_i / n      v = Σ_i c_i² / n      r = 1 / √(v + ε)      h_j = c_j r
               N2    y_j = w_j h_j + b_j
    backward   N3    ∂L/∂w_j = −Σ e_j h_j      ∂L/∂b_j = −Σ e_j          over the rows
               N4    error of h_j = w_j e_j      error of r = Σ_j (error of h_j) c_j
                     error of v = −½ r³ (error of r)
                     error of c_j = r (error of h_j) + 2 c_j (error of v) / n
                     error of x_j = error of c_j − Σ_i (error of c_i) / n

c reaches h on two paths, directly and through r, and x reaches c on two, directly and through the mean: their errors
are added (E11). The order of the sums is autograd's, so that every bit agrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from manual_bp.layer import NEW, ByName, check_first_parameter, check_kind, check_like, check_parameter, constant


class SavedNorm(NamedTuple):
    """What LayerNorm's backward reads, and beside it scratch, which nothing reads from one call to the next."""

    c: Tensor  # as x
    r: Tensor  # (..., 1)
    h: Tensor  # as x
    scratch: NormScratch


class NormScratch(NamedTuple):
    """Tensors to write into."""

    rows: Tensor  # as x
    products: Tensor  # as x
    row: Tensor  # (..., 1)
    cube: Tensor  # (..., 1)


@dataclass(frozen=True, eq=False, repr=False)
class LayerNorm:
    """Turn x (N, ..., n) into y of the same shape: its last dimension is a row.

    ``weight`` and ``bias`` are (n,), as in ``nn.LayerNorm``, whose ``eps`` is our ``epsilon``.
    """

    weight: Tensor
    bias: Tensor
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        """Check the parameters, and take them without the history that autograd may have noted."""
        check_first_parameter("LayerNorm", "a weight", self.weight, "(n,)")
        check_parameter("LayerNorm", "a bias", self.bias, self.weight.shape, like=self.weight)
        if not isinstance(self.epsilon, float | int) or isinstance(self.epsilon, bool) or not 0 <= self.epsilon < 1:
            raise ValueError(f"LayerNorm expects an epsilon from 0 to 1, got {self.epsilon!r}")
        object.__setattr__(self, "weight", self.weight.detach())
        object.__setattr__(self, "bias", self.bias.detach())

    def __repr__(self) -> str:
        """Return the number of columns: LayerNorm(128)."""
        return f"{type(self).__name__}({len(self.weight)})"

    def forward(self, x: Tensor, out: tuple[Tensor, SavedNorm] | None = None) -> tuple[Tensor, SavedNorm]:
        """Return y = w h + b (N1, N2); saves c, r and h."""
        if out is None:
            _check_rows("x", x, self.weight)
        y, saved = out or _new(x)
        c, r, h, (_, squares, mean, _) = saved
        torch.sub(x, torch.mean(x, -1, keepdim=True, out=mean), out=c)
        torch.mean(torch.mul(c, c, out=squares), -1, keepdim=True, out=r)
        r.add_(constant(self.epsilon, r.dtype)).rsqrt_()
        torch.mul(c, r, out=h)
        return torch.mul(h, self.weight, out=y).add_(self.bias), saved

    def backward(
        self, error: Tensor, saved: SavedNorm, out: tuple[Tensor | None, ByName] | None = None
    ) -> tuple[Tensor, ByName]:
        """Return the error of x (N4), then the gradients (N3)."""
        (c, r, h, (error_of_h, products, error_of_v, cube)), (error_of_x, d_parameters) = saved, out or NEW
        if error_of_x is None:
            check_like("LayerNorm", "the error of y", error, h)
        n = constant(float(c.shape[-1]), c.dtype)
        torch.mul(error, self.weight, out=error_of_h)
        error_of_r = torch.sum(torch.mul(error_of_h, c, out=products), -1, keepdim=True, out=error_of_v)
        error_of_r.mul_(constant(-0.5, r.dtype)).mul_(torch.pow(r, 3, out=cube))  # now that of v
        on_the_other_path = torch.mul(error_of_v.div_(n), c, out=products)
        error_of_x = torch.mul(error_of_h, r, out=error_of_x).add_(on_the_other_path).add_(on_the_other_path)
        error_of_x.sub_(torch.sum(error_of_x, -1, keepdim=True, out=error_of_v).div_(n))
        return error_of_x, self.gradients(error, saved, d_parameters)

    def gradients(self, error: Tensor, saved: SavedNorm, out: ByName | None = None) -> ByName:
        """Return ∂L/∂w = −Σ e h and ∂L/∂b = −Σ e over the rows (N3)."""
        d, products, rows = {} if out is None else out, saved.scratch.products, tuple(range(error.ndim - 1))
        d["weight"] = torch.sum(torch.mul(error, saved.h, out=products), rows, out=d.get("weight")).neg_()
        d["bias"] = torch.sum(error, rows, out=d.get("bias")).neg_()
        return d


def _new(x: Tensor) -> tuple[Tensor, SavedNorm]:
    """Return room for y, what is saved and the scratch."""
    y, c, h, rows, products = (torch.empty_like(x) for _ in range(5))
    r, row, cube = (torch.empty_like(x[..., :1]) for _ in range(3))
    return y, SavedNorm(c, r, h, NormScratch(rows, products, row, cube))


def _check_rows(name: str, x: Tensor, like: Tensor) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(f"LayerNorm expects {name} as a torch.Tensor, got {type(x).__name__}")
    if x.ndim < 2 or x.shape[-1] != len(like) or 0 in x.shape:
        raise ValueError(f"LayerNorm expects {name} of shape (N, ..., {len(like)}), N at least 1, got {tuple(x.shape)}")
    check_kind("LayerNorm", name, x, like)
