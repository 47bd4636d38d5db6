"""Whether autograd can follow a function of numpy arrays: it is tried once, and beside numpy itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from torch_ref.followed.cannot import CannotFollow
from torch_ref.numbers.witness import all_finite
from torch_ref.steps.arguments import Arguments
from torch_ref.steps.guarded import as_it_was
from torch_ref.steps.step import can_flow, gradients_of, plain, sequence

OTHER_NUMBERS = "forward gives other numbers when it is followed: it asks for the types of its arrays or draws numbers"

TAKES_TENSORS = (
    "a gradient check expects inputs that forward takes, got {0} as numpy array, of which forward says: {1}. If it "
    "takes tensors, give torch.from_numpy({0})"
)

NOT_FINITE = "autograd gives a gradient that is not finite"


def reason_not_to_follow(forward: Callable[..., Any], followed: Callable[..., Any], arguments: Arguments) -> str:
    """Say why a function cannot be followed at its arguments; '' where it can. Raise what forward itself raises.

    ``forward`` and ``followed`` are functions of tensors: ``steps.adapted``.
    """
    try:
        here = _outputs(forward, arguments, {name: plain(t).clone() for name, t in arguments.tensors.items()})
    except TypeError as error:
        if "Tensor" in str(error):
            raise TypeError(TAKES_TENSORS.format(", ".join(arguments.tensors), error)) from error
        raise
    leaves = {name: plain(t).clone().requires_grad_(can_flow(t)) for name, t in arguments.tensors.items()}
    try:
        outputs = _outputs(followed, arguments, leaves)
    except Exception as error:  # of somebody's forward, inside of which CannotFollow may have become another error
        return str(cannot_follow_in(error) or f"forward raises {type(error).__name__} when it is followed: {error}")
    if len(outputs) != len(here) or not all(map(_alike, here, outputs)):
        return OTHER_NUMBERS
    wanted = {name: leaf for name, leaf in leaves.items() if leaf.requires_grad}
    with torch.inference_mode(mode=False), torch.enable_grad():
        found = gradients_of(outputs, wanted, [torch.ones_like(y) for y in outputs])
    if all_finite(*here) and not all_finite(*(d for d in found.values() if d is not None)):
        return NOT_FINITE
    return ""


def cannot_follow_in(error: BaseException | None) -> CannotFollow | None:
    """Return the CannotFollow that became another error on its way; None where there is none."""
    while error is not None and not isinstance(error, CannotFollow):
        error = error.__cause__ or error.__context__
    return error


def _outputs(function: Callable[..., Any], arguments: Arguments, tensors: dict[str, Tensor]) -> tuple[Any, ...]:
    with as_it_was(), torch.inference_mode(mode=False), torch.enable_grad():
        found = arguments.having(tensors).call(function)
    return sequence(found) if isinstance(found, Tensor | tuple | list) else (found,)


def _alike(here: Any, followed: Any) -> bool:
    """Tell whether both are the same within what two ways of rounding make of it."""
    if not isinstance(here, Tensor) or not isinstance(followed, Tensor):
        return type(here) is type(followed)
    if here.shape != followed.shape or here.dtype != followed.dtype:
        return False
    if not can_flow(here):
        return torch.equal(here, followed)
    share = torch.finfo(here.dtype).eps ** 0.5
    size = float(here.detach().abs().nan_to_num(0.0, 0.0, 0.0).max()) if here.numel() else 0.0
    return torch.allclose(here, followed.detach(), rtol=share, atol=share * size, equal_nan=True)


def is_of_numpy(reference: Callable[..., Any], arguments: Arguments) -> bool:
    """Tell whether a reference takes arrays: it gives no tensors for tensors."""
    leaves = {name: plain(t).clone().requires_grad_(can_flow(t)) for name, t in arguments.tensors.items()}
    try:
        return not all(isinstance(y, Tensor) for y in _outputs(reference, arguments, leaves))
    except Exception:  # of a reference that takes no tensors
        return True
