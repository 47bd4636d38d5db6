"""What a function computes on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

MOST = 120


class Values(TorchFunctionMode):
    """While it is entered, every tensor that comes out of an operation is kept, up to so many."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        super().__init__()
        self.found: list[Tensor] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call the operation, and keep what comes out."""
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor) and made.is_floating_point() and len(self.found) < MOST:
            self.found.append(made.detach())
        return made
