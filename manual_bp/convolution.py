"""A convolution: the linear part of a layer whose units each see a small window, all of them with the same weights.

The window p, q holds at the kernel's place i, j the pixel u = p s + i − P, v = q s + j − P (stride s, padding P).
Over all places, and all channels d of x:

    forward    C1    net_cpq = Σ_dij W_cdij x_duv + b_c
    backward   C2    error of x_duv = Σ_cij W_cdij δ_cpq        over all windows p, q that hold the pixel
               C3    ∂L/∂W_cdij = −Σ_pq δ_cpq x_duv      ∂L/∂b_c = −Σ_pq δ_cpq

It is E1, E14 and E12 with a pattern in the indices. The pixels of all windows are put side by side, ``columns``
(c_in k_h k_w, h′ w′) for each sample. Then C1 is net = W columns + b, the error of the columns is Wᵀ δ, which is added
up at the pixels (E11), and ∂L/∂W is −δ columnsᵀ, summed over the samples (E7).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from manual_bp.layer import NEW, ByName, check_first_parameter, check_like, check_parameter
from manual_bp.windows import Pair, Windows, check_images, pair


class SavedColumns(NamedTuple):
    """What Conv2d's backward reads, and beside it scratch, which nothing reads from one call to the next."""

    columns: Tensor  # (N, c_in, k_h, k_w, h′, w′)
    size: Pair  # h and w of x
    scratch: ColumnsScratch


class ColumnsScratch(NamedTuple):
    """Tensors to write into."""

    error: Tensor  # of the columns, (N, c_in, k_h, k_w, h′, w′)
    products: Tensor  # −δ columnsᵀ of each sample, (N, c_out, c_in, k_h, k_w)


@dataclass(frozen=True, eq=False, repr=False)
class Conv2d:
    """Turn images x (N, c_in, h, w) into net (N, c_out, h′, w′), and δ into the error of x.

    ``weight`` is (c_out, c_in, k_h, k_w), the layout of ``nn.Conv2d.weight``; ``bias`` is (c_out,) or None. The kernel
    moves by ``stride``, over an image with ``padding`` zeros on each side: whole numbers, or pairs (down, across).
    """

    weight: Tensor
    bias: Tensor | None = None
    stride: int | Pair = 1
    padding: int | Pair = 0

    def __post_init__(self) -> None:
        """Check the parameters, and take them without the history that autograd may have noted."""
        check_first_parameter("Conv2d", "a weight", self.weight, "(c_out, c_in, k_h, k_w)")
        if self.bias is not None:
            check_parameter("Conv2d", "a bias", self.bias, self.weight.shape[:1], like=self.weight)
        object.__setattr__(self, "weight", self.weight.detach().contiguous())
        object.__setattr__(self, "bias", None if self.bias is None else self.bias.detach())
        object.__setattr__(self, "stride", pair("Conv2d", "stride", self.stride, least=1))
        object.__setattr__(self, "padding", pair("Conv2d", "padding", self.padding, least=0))

    def __repr__(self) -> str:
        """Return the channels and the kernel: Conv2d(1 → 6, 5 × 5, padding 2)."""
        c_out, c_in, height, width = self.weight.shape
        said = [f"{c_in} → {c_out}", f"{height} × {width}"]
        for name, value, usual in (("stride", self.windows.stride, 1), ("padding", self.windows.padding, 0)):
            if value != (usual, usual):
                said.append(f"{name} {value[0] if value[0] == value[1] else value}")
        return f"{type(self).__name__}({', '.join(said)}{'' if self.bias is not None else ', no bias'})"

    @property
    def windows(self) -> Windows:
        """Return which pixels the kernel sees."""
        _, _, height, width = self.weight.shape
        return Windows((height, width), self.stride, self.padding)  # type: ignore[arg-type]  # pairs since __post_init__

    def forward(self, x: Tensor, out: tuple[Tensor, SavedColumns] | None = None) -> tuple[Tensor, SavedColumns]:
        """Return net = W columns + b (C1); saves the columns."""
        if out is None:
            check_images("Conv2d", x, self.windows, self.weight.shape[1], like=self.weight)
        net, saved = out or self._new(x)
        for i, j, (rows, across), (u, v) in self.windows.places(*x.shape[2:]):
            saved.columns[:, :, i, j, rows, across].copy_(x[:, :, u, v])  # at the padding they stay zero
        columns, w = _matrices(saved.columns), self._weights(len(x))
        if self.bias is None:
            torch.bmm(w, columns, out=net.flatten(2))
        else:
            torch.baddbmm(self.bias[:, None], w, columns, out=net.flatten(2))
        return net, saved

    def backward(
        self, error: Tensor, saved: SavedColumns, out: tuple[Tensor | None, ByName] | None = None
    ) -> tuple[Tensor, ByName]:
        """Return the error of x, Wᵀ δ added up at the pixels (C2), then the gradients (C3)."""
        delta, (columns, size, scratch), (error_of_x, d_parameters) = error, saved, out or NEW
        if error_of_x is None:
            self._check_error(delta, columns)
            error_of_x = delta.new_empty(*columns.shape[:2], *size)
        torch.bmm(self._weights(len(delta)).transpose(1, 2), delta.flatten(2), out=_matrices(scratch.error))
        error_of_x.zero_()
        for i, j, (rows, across), (u, v) in self.windows.places(*size):
            error_of_x[:, :, u, v].add_(scratch.error[:, :, i, j, rows, across])
        return error_of_x, self.gradients(delta, saved, d_parameters)

    def gradients(self, error: Tensor, saved: SavedColumns, out: ByName | None = None) -> ByName:
        """Return ∂L/∂W = −Σ δ columnsᵀ and ∂L/∂b = −Σ δ, over the samples and, in b, the windows (C3)."""
        delta, products, d = error, saved.scratch.products, {} if out is None else out
        if out is None:
            self._check_error(delta, saved.columns)
        torch.bmm(delta.flatten(2), _matrices(saved.columns).transpose(1, 2), out=products.flatten(2))
        d["weight"] = torch.sum(products, 0, out=d.get("weight")).neg_()
        if self.bias is not None:
            d["bias"] = torch.sum(delta, (0, 2, 3), out=d.get("bias")).neg_()
        return d

    def _weights(self, n: int) -> Tensor:
        """Return W as one matrix for each sample, (N, c_out, c_in k_h k_w): N views of the same numbers."""
        return self.weight.flatten(1).expand(n, -1, -1)

    def _new(self, x: Tensor) -> tuple[Tensor, SavedColumns]:
        """Return room for net, the columns (zeros, which stay where the padding is) and the scratch."""
        (n, c_in, height, width), c_out = x.shape, self.weight.shape[0]
        h, w = self.windows.counted(height, width)
        columns = x.new_zeros(n, c_in, *self.windows.kernel, h, w)
        scratch = ColumnsScratch(torch.empty_like(columns), x.new_empty(n, *self.weight.shape))
        return x.new_empty(n, c_out, h, w), SavedColumns(columns, (height, width), scratch)

    def _check_error(self, delta: Tensor, columns: Tensor) -> None:
        check_like("Conv2d", "the error of net", delta, columns[:, 0, 0, 0, None].expand(-1, len(self.weight), -1, -1))


def _matrices(columns: Tensor) -> Tensor:
    """Return the columns of each sample as a matrix, (N, c_in k_h k_w, h′ w′)."""
    return columns.flatten(4).flatten(1, 3)
