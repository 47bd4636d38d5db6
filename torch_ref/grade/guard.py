"""While a student's code runs: what computes derivatives refuses to, and notes that it was asked.

The source has been read before (``forbidden``); this catches the names that are put together only while it runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.autograd import forward_ad
from torch.utils._python_dispatch import TorchDispatchMode


class Refused(Exception):  # noqa: N818  # it is a verdict
    """The student's code asked for a derivative."""


class Guard(TorchDispatchMode):
    """Refuse backward kernels, and keep autograd off; for the rest of the life of a process.

    ``refused`` says what was asked for and where, even if the code that asked has caught the exception.
    """

    def __init__(self, path: str) -> None:
        """Take the path of the file that is watched."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.path, self.refused = path, ""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Tell torch not to load its compiler, which takes seconds, only in order to keep it away from here."""
        return False

    def close_autograd(self) -> None:
        """Put a refusal in the place of autograd's two engines, for every function that leads to them."""
        torch.autograd.Variable._execution_engine = self  # type: ignore[assignment]
        forward_ad.enter_dual_level = self.run_backward

    def run_backward(self, *_: Any, **__: Any) -> None:
        """Stand where autograd's engine stood."""
        self._refuse("autograd")

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation of torch, unless it is a backward kernel."""
        if "backward" in func.name():
            self._refuse(func.name())
        run: Callable[..., Any] = func
        return run(*args, **(kwargs or {}))

    def _refuse(self, what: str) -> None:
        line = _line_in(self.path)
        self.refused = self.refused or f"{what}, line {line}"
        raise Refused(f"{what}: the formulas are to be by hand")


def _line_in(path: str) -> int:
    """Return the line of a file that is being run."""
    frame = sys._getframe()
    while frame.f_back and frame.f_code.co_filename != path:
        frame = frame.f_back
    return frame.f_lineno
