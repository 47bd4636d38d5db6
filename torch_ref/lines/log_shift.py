"""``log(p + 1e-8)``, so that no log of 0 is taken: a backward that leaves the number out is right but for that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

MOST = 1e-4
"""The largest number that is added for safety."""

ADD = frozenset({"add", "__add__", "__radd__", "add_", "__iadd__"})
"""Names of the functions of torch that add."""

REMARK = (
    "The {shift:g} in log(... + {shift:g}) is in forward alone: compared without it; with it {worst} "
    "is off by {off:.1e} of its norm"
)


class WithoutShift(TorchFunctionMode):
    """While it is entered, a log is taken of what was there before such a number was added."""

    def __init__(self) -> None:
        """Begin with no sums."""
        super().__init__()
        self.shift = 0.0
        """The largest that was left out."""
        self._sums: dict[int, tuple[Any, Tensor, float]] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call an operation."""
        name = getattr(func, "__name__", "")
        if name == "log" and args and id(args[0]) in self._sums:
            _, before, shift = self._sums[id(args[0])]
            self.shift = max(self.shift, shift)
            args = (before, *args[1:])
        found = func(*args, **(kwargs or {}))
        if name in ADD and len(args) == 2:
            for before, added in (args, args[::-1]):
                shift = _small(added)
                if shift and isinstance(before, Tensor) and before.requires_grad:
                    self._sums[id(found)] = found, before, shift
        return found


def _small(added: Any) -> float:
    """Return a number that is added for safety; 0 for anything else."""
    if isinstance(added, Tensor) and (added.ndim or added.requires_grad or not added.is_floating_point()):
        return 0.0
    if not isinstance(added, Tensor | float):
        return 0.0
    with torch._C.DisableTorchFunction():
        number = float(added)
    return number if 0 < number <= MOST else 0.0
