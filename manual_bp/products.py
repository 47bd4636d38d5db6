"""The linear part of a layer, its products computed by a library that torch's own ``mm`` does not call.

    mkldnn    oneDNN, which comes with torch
    numpy     the BLAS of numpy, on the memory of the tensors themselves: nothing is copied

The equations are those of ``linear``: E1, E14, E12. Each library adds the same terms in an order of its own, so its
products are equal to torch's within rounding, and not to the last bit. Which one is fastest depends on the processor
and on the shapes, so it is measured (``training.engine.fastest``). Where a library cannot multiply (an operator that
this torch does not have, another device or dtype), torch does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.overrides import wrap_torch_function

from manual_bp.layer import NEW, ByName, check_rows
from manual_bp.linear import Linear

Multiply = Callable[[Tensor, Tensor, Tensor | None, float, Tensor | None], Tensor]
"""(a, b, c, sign, out) -> sign · a b + c, with a (m, k), b (k, n), c (n,) or None, sign 1 or −1; written into out."""


class Library(NamedTuple):
    """Who multiplies."""

    name: str
    dtypes: tuple[torch.dtype, ...]
    multiply: Multiply
    is_here: Callable[[], bool]
    """Whether it can multiply in this process."""


@dataclass(frozen=True, eq=False, repr=False)
class LibraryLinear(Linear):
    """A ``Linear`` whose three products a library computes: the same parameters, numbers equal within rounding."""

    library: Library = field(kw_only=True)

    def __repr__(self) -> str:
        """Return the numbers of units, and who multiplies: LibraryLinear(784 → 30, numpy)."""
        return f"{super().__repr__()[:-1]}, {self.library.name})"

    def forward(self, x: Tensor, out: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Return net = x Wᵀ + b (E1); saves x."""
        if not self._takes(x):
            return super().forward(x, out)
        if out is None:
            check_rows("Linear", "x", x, self.weight.shape[1], like=self.weight)
        net, _ = out or NEW
        return product(self.library, x, self.weight.t(), self.bias, out=net), x

    def backward(
        self, error: Tensor, saved: Tensor, out: tuple[Tensor | None, ByName] | None = None
    ) -> tuple[Tensor, ByName]:
        """Return the error of x, δ W (the sum in E14), then the gradients (E12)."""
        delta, x, (error_of_x, d_parameters) = error, saved, out or NEW
        if not self._takes(delta, x):
            return super().backward(delta, x, out)
        if error_of_x is None:
            check_rows("Linear", "the error of net", delta, self.weight.shape[0], like=self.weight)
        error_of_x = product(self.library, delta, self.weight, out=error_of_x)
        return error_of_x, self.gradients(delta, x, d_parameters)

    def gradients(self, error: Tensor, saved: Tensor, out: ByName | None = None) -> ByName:
        """Return ∂L/∂W = −δᵀ x and ∂L/∂b = −Σ δ over the rows (E12)."""
        delta, x, d = error, saved, {} if out is None else out
        if not self._takes(delta, x):
            return super().gradients(delta, x, out)
        d["weight"] = product(self.library, delta.t(), x, sign=-1, out=d.get("weight"))
        if self.bias is not None:
            d["bias"] = torch.sum(delta, 0, out=d.get("bias")).neg_()
        return d

    def _takes(self, *given: Tensor) -> bool:
        """Tell whether the library multiplies such tensors; what does not fit the weights torch's products refuse."""
        w = self.weight
        fits = all(isinstance(t, Tensor) and t.dtype == w.dtype for t in given)
        return fits and w.device.type == "cpu" and w.dtype in self.library.dtypes and self.library.is_here()


@wrap_torch_function(lambda library, a, b, c=None, *, sign=1, out=None: (a, b, c, out))
def product(
    library: Library, a: Tensor, b: Tensor, c: Tensor | None = None, *, sign: float = 1, out: Tensor | None = None
) -> Tensor:
    """Return sign · a b + c, of a (m, k), b (k, n) and c (n,), by a library; by torch where it must not read one.

    To a Recorder it is one operation: what goes on inside, beside torch or in new memory, a repetition does again.
    """
    return library.multiply(a, b, c, sign, out)


# ------------------------------------------------------------------------------------------------------ the libraries


def _by_torch(a: Tensor, b: Tensor, c: Tensor | None, sign: float, out: Tensor | None) -> Tensor:
    left = a if sign == 1 else -a
    return torch.mm(left, b, out=out) if c is None else torch.addmm(c, left, b, out=out)


def _by_numpy(a: Tensor, b: Tensor, c: Tensor | None, sign: float, out: Tensor | None) -> Tensor:
    if not _are_plain(a, b, c):
        return _by_torch(a, b, c, sign, out)
    made = a.new_empty(a.shape[0], b.shape[1]) if out is None else out
    left, right, net = a.numpy(), b.numpy(), made.numpy()
    with np.errstate(all="ignore"):  # torch does not warn of infinity either
        np.matmul(_dense(left if sign == 1 else np.negative(left)), _dense(right), out=net)
        if c is not None:
            net += c.numpy()
    return made


def _by_mkldnn(a: Tensor, b: Tensor, c: Tensor | None, sign: float, out: Tensor | None) -> Tensor:
    if not _are_plain(a, b, c):
        return _by_torch(a, b, c, sign, out)
    made = _onednn(a, b.t(), c)  # it has no out=: the product is moved, and the sign is set on the way
    if out is None:
        return made if sign == 1 else made.neg_()
    return out.copy_(made) if sign == 1 else torch.neg(made, out=out)


def _onednn(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    """Return x wᵀ + b by the operator of oneDNN in torch that multiplies dense tensors: a product, nothing else."""
    net: Tensor = torch.ops.mkldnn._linear_pointwise(x, w, b, "none", [], "")  # noqa: TID251
    return net


def _are_plain(*given: Tensor | None) -> bool:
    """Tell whether numpy may read the tensors' memory: not where autograd notes a history, or torch.func maps them."""
    try:
        for tensor in given:
            if tensor is not None:
                tensor.numpy()
    except (RuntimeError, TypeError):
        return False
    return True


def _dense(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return rows or columns that lie side by side: any other array numpy multiplies without its BLAS."""
    return array if array.flags.forc else np.ascontiguousarray(array)


def _numpy_is_here() -> bool:
    return True  # manual_bp needs it anyway


@cache
def _mkldnn_is_here() -> bool:
    """Tell whether this torch has the operator, in the form that is called here."""
    one = torch.ones(1, 1, dtype=torch.float32, device="cpu")
    try:
        return _onednn(one, one, one[0]).item() == 2
    except (AttributeError, RuntimeError, TypeError):
        return False


MKLDNN = Library("mkldnn", (torch.float32,), _by_mkldnn, _mkldnn_is_here)
NUMPY = Library("numpy", (torch.float32, torch.float64), _by_numpy, _numpy_is_here)
LIBRARIES = {library.name: library for library in (MKLDNN, NUMPY)}
"""Everyone who can multiply in torch's place, by name."""
