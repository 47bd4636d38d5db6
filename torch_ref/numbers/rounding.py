"""How far rounding moves each number of a calculation: every operation of it is rounded once more, at random.

The calculation runs in float64, and the result of each operation that rounds is moved by one unit in the last place of
a coarser dtype, up or down. What comes out lies as far from the exact result as the roundings of that dtype can move
it, whoever orders them: where large terms cancel, far. A sum of n terms in an order of its own can be √n times worse;
so the longest sum is counted too, wherever it stands.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from random import Random
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from torch_ref.numbers.operands import tensors_in

EXACT = frozenset(
    """
    _conj_physical _local_scalar_dense _to_copy abs amax amin arange argmax argmin as_strided bernoulli_ cat ceil
    clamp clamp_max clamp_min clone conj_physical constant_pad_nd copy copy_ copysign cummax cummin detach
    diag_embed diagonal_backward diagonal_copy dropout embedding empty empty_like empty_strided expand_copy eye fill
    fill_ flip floor frac full full_like gather hardtanh hardtanh_backward index index_select isnan lift_fresh
    lift_fresh_copy linalg_diagonal masked_fill masked_fill_ masked_scatter masked_select max
    max_pool2d_with_indices maximum median min minimum mode nan_to_num native_dropout ne neg new_empty
    new_empty_strided new_full new_ones new_zeros normal_ one_hot ones ones_like permute rand rand_like randn
    randn_like random_ real relu relu_ repeat rescale resize_ roll round scalar_tensor scatter select_backward
    select_scatter set_ sgn sign slice_backward slice_scatter sort stack take threshold threshold_backward topk tril
    triu trunc unbind unfold unfold_backward uniform_ where zero_ zeros zeros_like
    """.split()  # noqa: SIM905  # a list of them has one line each
)
"""Operations that move, choose or make numbers, and round none: equal numbers have to stay equal for them."""

LENGTH = 65_537
"""Of the random signs that are drawn once; a larger tensor sees them again and again."""


class Rounded(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is entered, each operation's result is moved by ``eps`` at random, and ``terms`` counts."""

    def __init__(self, eps: float, seed: int) -> None:
        """Take the unit in the last place and the seed of the random signs."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.eps = eps
        self.terms = 1
        self._random = Random(seed)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Tell torch that nobody compiles this: it would load its compiler, which takes more than a second."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call the operation, and move what it rounds."""
        found = func(*args, **(kwargs or {}))
        self.terms = max(self.terms, self.after(func, (args, kwargs), found))
        return found

    def after(self, func: Any, given: Any, found: Any) -> int:
        """Move what an operation rounded; return the number of terms that it added for one number."""
        if is_exact(func):
            return 1
        outputs = [t for t in tensors_in(found) if _has_fraction(t)]
        terms = 1
        if outputs and not _is_pointwise(func):
            tensors = tensors_in(given)
            terms = max(_terms(tensors, y) for y in outputs)
        for y in outputs:
            self.move(y)
        return terms

    def move(self, y: Tensor) -> Tensor:
        """Move every number of a tensor up or down, in place."""
        at = self._random.randrange(LENGTH)
        moved = _moves(self.eps, y.dtype)[at : at + min(y.numel(), LENGTH)].to(y.device)
        if y.numel() <= LENGTH:
            return y.mul_(moved.view(y.shape))
        rest = y.numel() % LENGTH
        if not y.is_contiguous():
            return y.mul_(moved.repeat(-(-y.numel() // LENGTH))[: y.numel()].view(y.shape))
        flat = y.view(-1)
        flat[: y.numel() - rest].view(-1, LENGTH).mul_(moved)
        flat[y.numel() - rest :].mul_(moved[:rest])
        return y


class InOrder(Rounded):  # type: ignore[no-untyped-call]
    """While it is entered, each result is moved the farther the later a number stands in it, down or, for −1, up.

    So of equal numbers the first, or the last, is the largest, in each operation by itself.
    """

    def __init__(self, eps: float, sign: int) -> None:
        """Take how far the last number is moved, of the size of the numbers, and which way."""
        super().__init__(eps, 0)
        self.sign = sign

    def move(self, y: Tensor) -> Tensor:
        """Move the numbers of a tensor, in place."""
        size = float(torch.linalg.vector_norm(y)) / y.numel() ** 0.5 or 1.0
        steps = torch.linspace(0, self.sign * self.eps * size, y.numel(), dtype=torch.float64, device=y.device)
        return y.sub_(steps.view(y.shape))


@cache
def _signs() -> Tensor:
    """Return the random signs; each operation sees them from another place on."""
    signs = torch.randint(0, 2, (2 * LENGTH,), generator=torch.Generator().manual_seed(0), dtype=torch.int8)
    return (signs * 2 - 1).double()


@lru_cache(16)
def _moves(eps: float, dtype: torch.dtype) -> Tensor:
    """Return the numbers that move by a unit, at least that of the dtype: 1 + ε and 1 − ε."""
    return (1 + max(eps, torch.finfo(dtype).eps) * _signs()).to(dtype)


@cache
def is_exact(func: Any) -> bool:
    """Tell whether an operation rounds nothing."""
    return func.overloadpacket.__name__ in EXACT or _is_view(func)


@cache
def _is_pointwise(func: Any) -> bool:
    return torch.Tag.pointwise in func.tags


def _is_view(func: Any) -> bool:
    """Tell whether what an operation returns lies in its input, unchanged."""
    return any(r.alias_info is not None and not r.alias_info.is_write for r in func._schema.returns)


def _has_fraction(t: Tensor) -> bool:
    return t.numel() > 0 and (t.is_floating_point() or t.is_complex())


def _terms(given: list[Tensor], y: Tensor) -> int:
    """Return about how many terms were added for one number of y, for a sum, a product, or one along a dimension."""
    sizes = sorted((t.numel() for t in given), reverse=True)
    if not sizes:
        return 1
    summed = sizes[0] / y.numel()
    product = math.sqrt(sizes[0] * sizes[1] / y.numel()) if len(sizes) > 1 else 1.0
    along = max(y.shape, default=1) if len(sizes) == 1 else 1
    return max(1, round(min(max(summed, product, along), sizes[0])))


Tensors = dict[str, Tensor]


def rounded_run(
    evaluate: Callable[[Tensors, Tensors], Mapping[str, Tensor]],
    given: Tensors,
    fixed: Tensors,
    eps: float,
    seed: int,
) -> tuple[Mapping[str, Tensor], int]:
    """Return what ``evaluate`` gives at a random rounding of everything, and the length of its longest sum."""
    return _run(Rounded(eps, seed), evaluate, given, fixed)


def ordered_run(
    evaluate: Callable[[Tensors, Tensors], Mapping[str, Tensor]],
    given: Tensors,
    fixed: Tensors,
    eps: float,
    sign: int,
) -> Mapping[str, Tensor]:
    """Return what ``evaluate`` gives where of equal numbers the first is the largest everywhere; for −1 the last."""
    return _run(InOrder(eps, sign), evaluate, given, fixed)[0]


def _run(
    mode: Rounded, evaluate: Callable[[Tensors, Tensors], Mapping[str, Tensor]], given: Tensors, fixed: Tensors
) -> tuple[Mapping[str, Tensor], int]:
    moved = {name: mode.move(t.clone()) if _has_fraction(t) else t for name, t in given.items()}
    with mode:
        found = dict(evaluate(moved, fixed))
    return found, mode.terms
