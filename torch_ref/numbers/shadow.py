"""A calculation that runs anyway, in its own dtype, and beside it the same in float64, exactly and rounded at random.

While ``Shadows`` is entered, every operation is computed once more for each of its lanes, at the float64 numbers of
that lane. So what a backward pass through somebody's graph should give is known in float64, and how far rounding moves
it, without a second forward pass: the numbers that the graph keeps are meant as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from torch_ref.numbers.operands import each_changed, tensors_in
from torch_ref.numbers.rounding import Rounded, is_exact
from torch_ref.numbers.witness import LEAP, Witness, doubled_tensor, is_inexact

WIDER = {
    torch.float16: torch.float64,
    torch.bfloat16: torch.float64,
    torch.float32: torch.float64,
    torch.complex64: torch.complex128,
}
"""The dtypes that an operation may ask for, and what a lane asks for instead."""

IN_STEPS: dict[str, Callable[..., Tensor]] = {
    "_log_softmax_backward_data": lambda g, y, dim, _: g - y.exp() * g.sum(dim, keepdim=True),
    "_softmax_backward_data": lambda g, y, dim, _: y * g - y * (y * g).sum(dim, keepdim=True),
    "sigmoid_backward": lambda g, y: g * ((1 - y) * y),
    "tanh_backward": lambda g, y: g * (1 - y * y),
}
"""Kernels inside of which large terms cancel: in a lane that rounds, every step of them is rounded."""

SMALL = 2.0**-8
"""Of the numbers that a dtype tells apart: larger ones are whole though they were rounded."""

FINE = torch.finfo(torch.float64).eps


class Lane:
    """One calculation in float64: exact without a rounding, otherwise with every operation rounded at random."""

    def __init__(self, rounding: Rounded | None = None) -> None:
        """Take the rounding, which is moved on by every operation."""
        self.rounding = rounding
        self._of: WeakTensorKeyDictionary = WeakTensorKeyDictionary()

    def of(self, t: Tensor) -> Tensor:
        """Return the tensor of this lane; one that was not computed here is meant as it is, but for a rounding."""
        if t not in self._of:
            self._of[t] = self._begun(t)
        found: Tensor = self._of[t]
        return found

    def _begun(self, t: Tensor) -> Tensor:
        wide = doubled_tensor(t.detach())
        wide = wide.clone() if wide.dtype == t.dtype else wide  # what is written into it is no business of the real one
        if self.rounding:
            self.rounding.eps = unit_of(t)
            self.rounding.move(wide)
            _put_back(t, wide, _whole_in(t))
        return wide

    def given(self, values: Any) -> Any:
        """Return the arguments of an operation as this lane has them."""

        def mine(value: Any) -> Any:
            if isinstance(value, torch.dtype):
                return WIDER.get(value, value)
            return self.of(value) if isinstance(value, Tensor) and is_inexact(value) else value

        return each_changed(values, mine)

    def follow(self, func: Any, given: Any, found: Any, whole_in: Callable[[Tensor], Tensor | None]) -> int:
        """Compute an operation in this lane, of which the real result is known; return how many terms it added."""
        args, kwargs = given
        tensors = tensors_in(found)
        reals = [t for t in tensors if is_inexact(t)]
        if tensors and not reals:  # a mask is the same in every lane, and what is done in place is done
            return 1
        try:
            mine = [t for t in tensors_in(func(*args, **kwargs)) if is_inexact(t)]
        except Exception:  # of a kernel for one dtype only: its real result has to do
            mine = [doubled_tensor(t).clone() for t in reals]
        terms = 1
        if self.rounding and reals:
            self.rounding.eps = max(unit_of(t) for t in reals)
            if (name := func.overloadpacket.__name__) in IN_STEPS:
                with self.rounding:
                    mine = [IN_STEPS[name](*args)]
            terms = self.rounding.after(func, given, mine)
            if not is_exact(func):
                for real, shadow in zip(reals, mine, strict=True):
                    _put_back(real, shadow, whole_in(real))
        for real, shadow in zip(reals, mine, strict=True):
            self._of[real] = shadow
        return terms


class Shadows(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is entered, every operation is computed in each lane too."""

    def __init__(self, seeds: Sequence[int]) -> None:
        """Take the seeds of the lanes that round; a lane that does not comes first."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.exact, self.rounded = Lane(), tuple(Lane(Rounded(0.0, seed)) for seed in seeds)
        self._terms: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
        self._coarsest = FINE

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Tell torch that nobody compiles this: it would load its compiler, which takes more than a second."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call the operation, and the same in every lane."""
        lanes = (self.exact, *self.rounded)
        given = [lane.given((args, dict(kwargs or {}))) for lane in lanes]  # before it writes into what it was given
        before = [self._terms_of(t) for t in tensors_in((args, kwargs))]
        found = func(*args, **(kwargs or {}))
        whole_in = cache(_whole_in)  # the same for each lane
        terms = max(
            lane.follow(func, of_lane, found, whole_in)
            for lane, of_lane in zip(reversed(lanes), reversed(given), strict=True)
        )
        for t in tensors_in(found):
            if is_inexact(t):
                self._terms[t] = max([terms, *before])
                self._coarsest = max(self._coarsest, torch.finfo(t.dtype).eps)
        return found

    def _terms_of(self, t: Tensor) -> int:
        return self._terms.get(t, 1)  # type: ignore[no-untyped-call, no-any-return]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out of the lanes what is computed inside, and compute it as if there were none."""
        with torch._C._DisableTorchDispatch():
            yield

    def witness(self, value: Tensor) -> Witness:
        """Return what a tensor that came out should be, by the lanes; copies, which later operations leave alone.

        It was made of numbers that a forward pass, or somebody's backward pass, had rounded already.
        """
        eps = torch.finfo(value.dtype).eps
        finer = FINE / LEAP if self._coarsest == eps == FINE else 1.0
        with self.paused():
            exact, terms = self.exact.of(value).clone(), self._terms_of(value)
            runs = tuple(partial(_run, lane.of(value).clone(), terms) for lane in self.rounded)
            own = value.detach().clone()
        return Witness(own, partial(_same, exact), runs, finer=finer, given=eps)


def _whole_in(real: Tensor) -> Tensor | None:
    """Tell which numbers are small and whole: an exponent, a mask, a label, and what is computed of them.

    These are exact; None stands for none. What is 0 without a rounding stays 0 with it; a sum that is 0 only here,
    because its terms cancel, is 0 by chance.
    """
    if real.is_complex():
        return None
    whole = (real == real.round()) & (real.abs() < SMALL / torch.finfo(real.dtype).eps) & (real != 0)
    return whole if bool(whole.any()) else None


def _put_back(real: Tensor, shadow: Tensor, whole: Tensor | None) -> None:
    """Put back the numbers that no rounding moves."""
    if whole is not None:
        shadow.copy_(torch.where(whole, real.to(shadow.dtype), shadow))


def _same(t: Tensor) -> Tensor:
    return t


def _run(t: Tensor, terms: int) -> tuple[Tensor, int]:
    return t, terms


def unit_of(t: Tensor) -> float:
    """Return by what a tensor is moved: its unit in the last place, but no less than a leap."""
    return max(torch.finfo(t.dtype).eps, LEAP)
