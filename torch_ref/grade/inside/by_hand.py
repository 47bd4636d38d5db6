"""While a student's code runs, what computes derivatives refuses to, and says that it was asked.

The source has been read before (``forbidden``); this catches the names that are put together only while it runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch.autograd import forward_ad
from torch.utils import _python_dispatch
from torch.utils._python_dispatch import TorchDispatchMode


class Refused(Exception):  # noqa: N818  # it is a verdict
    """The student's code asked for a derivative, or for somebody else's formulas."""


class Refusal:
    """Sends what was asked for, and where, at once: it cannot be taken back."""

    def __init__(self) -> None:
        """Begin without a listener: nothing is refused before a student's code runs."""
        self.path = ""
        self.send: Callable[[dict[str, Any]], None] = lambda _: None

    def __call__(self, what: str) -> None:
        """Say so and raise."""
        self.send({"refused": f"{what}, line {_line_in(self.path)}"})
        raise Refused(f"{what}: the formulas are to be by hand")


refuse = Refusal()


class NoKernels(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Refuses backward kernels, and dual numbers; for the rest of the life of a process."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Tell torch not to load its compiler, which takes seconds, only in order to keep it away from here."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation of torch, unless it is a backward kernel."""
        name = func.name()
        if "backward" in name:
            refuse(name)
        if "_make_dual" in name or "_fw_primal" in name:
            refuse("autograd")
        run: Callable[..., Any] = func
        return run(*args, **(kwargs or {}))


class _NoEngine:
    """Stands where autograd's engine stood."""

    def run_backward(self, *_: Any, **__: Any) -> None:
        """Refuse."""
        refuse("autograd")


def _no_derivative(*_: Any, **__: Any) -> Any:
    refuse("autograd")


MODES = (torch.inference_mode(), NoKernels())  # type: ignore[no-untyped-call]
"""What a student's code runs under."""

DERIVATIVES = {
    "torch._C": ("_ImperativeEngine", "_EngineBase", "_enter_dual_level"),
    "torch._C._functorch": ("_grad_increment_nesting", "_jvp_increment_nesting"),
    "torch._C._VariableFunctions": ("_make_dual",),
    "torch._C._autograd": (
        "_pop_saved_tensors_default_hooks", "_saved_tensors_hooks_disable", "_saved_tensors_hooks_enable",
        "_saved_tensors_hooks_set_tracing",
    ),
}  # fmt: skip
"""What leads to autograd's two engines, by where it is."""

WAYS_ROUND = {
    "torch._C": (
        "_pop_torch_dispatch_stack", "_unset_dispatch_mode", "_get_dispatch_mode", "_get_dispatch_stack_at",
        "_DisableTorchDispatch", "_ExcludeDispatchKeyGuard", "_ForceDispatchKeyGuard", "_jit_get_operation_overload",
        "PyTorchFileReader",
    ),
}  # fmt: skip
"""What would lead round the mode, or read files past Python."""


def close_autograd() -> None:
    """Let all of torch that makes derivatives refuse, wherever it is kept; in this process and all forked from it.

    Last, what keeps a tensor for a backward pass refuses: whoever still finds the engine has nothing to give to it.
    """
    for mode in MODES:
        mode.__enter__()
    refused: dict[int, Any] = {id(torch.autograd.Variable._execution_engine): _NoEngine()}
    refused[id(_python_dispatch._disable_current_modes)] = nullcontext  # as a tensor does that is printed
    for where in (DERIVATIVES, WAYS_ROUND):
        for holder, names in where.items():
            refused |= {id(old): _no_derivative for name in names if (old := _found(holder, name)) is not None}
    for name, module in list(sys.modules.items()):
        if module is not None and name.partition(".")[0] == "torch":
            _close(name, module, refused)
    _close("torch.ops.aten", torch.ops.aten, refused)
    torch.autograd.Variable._execution_engine = _NoEngine()  # type: ignore[assignment]
    forward_ad.enter_dual_level = _no_derivative
    for look_up in ("_jit_get_operation", "_get_operation_overload"):
        setattr(torch._C, look_up, _without_backward(getattr(torch._C, look_up)))
    torch._C._autograd._push_saved_tensors_default_hooks(_no_derivative, _no_derivative)


def _without_backward(look_up: Callable[..., Any]) -> Callable[..., Any]:
    """Return a look-up of operations that refuses those for a backward pass."""

    def found(name: str, *more: Any) -> Any:
        return refuse(name) if "backward" in name else look_up(name, *more)

    return found


def _found(holder: str, name: str) -> Any:
    """Return what torch._C has under a name; None in a version of torch that has no such thing."""
    found: Any = torch
    for part in (*holder.split(".")[1:], name):
        found = getattr(found, part, None)
    return found


def _close(name: str, holder: Any, refused: dict[int, Any]) -> None:
    """Let what a module of torch has refuse: what is refused by itself, and every function for a backward pass."""
    for key, value in list(vars(holder).items()):
        if id(value) in refused:
            setattr(holder, key, refused[id(value)])
        elif "backward" in key and callable(value) and not isinstance(value, type):
            what = "autograd" if name.startswith("torch.autograd") else f"{name}.{key}"
            setattr(holder, key, lambda *_, what=what, **__: refuse(what))


def _line_in(path: str) -> int:
    """Return the line of a file that is being run."""
    frame = sys._getframe()
    while frame.f_back and frame.f_code.co_filename != path:
        frame = frame.f_back
    return frame.f_lineno
