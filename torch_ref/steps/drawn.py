"""Random numbers that float64 shares with a coarser dtype.

At the same seed torch draws other numbers in float64 than in float32. A function that draws its own, as dropout does,
would be another function there: with another mask, nothing of it could be compared in float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from torch_ref.steps.guarded import as_it_was
from torch_ref.steps.step import Step, can_flow, plain

COMPLEX = {torch.float32: torch.complex64}
"""The complex dtype of the same digits."""

FROM_A_SHAPE = frozenset({"rand", "randn", "rand_like", "randn_like"})


class DrawnAs(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is entered, numbers of float64 are drawn in another dtype, and then widened."""

    def __init__(self, dtype: torch.dtype) -> None:
        """Take the dtype."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.narrow = {torch.float64: dtype, torch.complex128: COMPLEX.get(dtype, torch.complex128)}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Tell torch that nobody compiles this: it would load its compiler, which takes more than a second."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call the operation; where it draws, in the other dtype."""
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **kwargs)
        first = args[0] if args and isinstance(args[0], Tensor) else None
        if name in FROM_A_SHAPE:
            wide = kwargs.get("dtype") or (torch.get_default_dtype() if first is None else first.dtype)
            return func(*args, **{**kwargs, "dtype": self.narrow.get(wide, wide)}).to(wide)
        if name.endswith("_") and first is not None and first.dtype in self.narrow:
            return first.copy_(func(first.to(self.narrow[first.dtype]), *args[1:], **kwargs))
        return func(*args, **kwargs)


@contextmanager
def drawn_alike(step: Step) -> Iterator[None]:
    """Let what is inside draw in float64 what the reference draws at the numbers given."""
    dtypes = [torch.empty((), dtype=t.dtype).real.dtype for t in step.inputs.values() if can_flow(t)]
    dtype = max(dtypes, key=lambda dtype: torch.finfo(dtype).eps)
    if dtype == torch.float64 or not _draws(step):
        yield
        return
    with DrawnAs(dtype):
        yield


def _draws(step: Step) -> bool:
    """Tell whether the reference draws random numbers."""
    inputs, fixed = ({name: plain(t).clone() for name, t in given.items()} for given in (step.inputs, step.fixed))
    with as_it_was(), torch.no_grad():
        before = torch.get_rng_state()
        step.reference(inputs, fixed)
        return not torch.equal(before, torch.get_rng_state())
