"""Whether autograd can follow a function of numpy arrays: it is tried once, and beside numpy itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from manual_bp.layer import described
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

GIVES_NO_ARRAY = "a gradient check expects forward to give arrays of float16, float32 or float64, or numbers, got {}"

OTHERS_EACH_TIME = (
    "a gradient check expects a forward that gives the same numbers at every call, got others at the second: it keeps "
    "something between its calls, or draws from a random generator of its own"
)

NOT_FINITE = "autograd gives a gradient that is not finite"


def reason_not_to_follow(forward: Callable[..., Any], followed: Callable[..., Any], arguments: Arguments) -> str:
    """Say why a function cannot be followed at its arguments; '' where it can. Raise what forward itself raises.

    ``forward`` and ``followed`` are functions of tensors: ``steps.adapted``.
    """
    here = _by_numpy(forward, arguments)
    leaves = {name: plain(t).clone().requires_grad_(can_flow(t)) for name, t in arguments.tensors.items()}
    try:
        outputs = _outputs(followed, arguments, leaves)
    except Exception as error:  # of somebody's forward, inside of which CannotFollow may have become another error
        return str(cannot_follow_in(error) or f"forward raises {type(error).__name__} when it is followed: {error}")
    if not _are_alike(here, outputs):
        if not _are_alike(here, _by_numpy(forward, arguments)):
            raise ValueError(OTHERS_EACH_TIME)
        return OTHER_NUMBERS
    wanted = {name: leaf for name, leaf in leaves.items() if leaf.requires_grad}
    with torch.inference_mode(mode=False), torch.enable_grad():
        found = gradients_of(outputs, wanted, [torch.ones_like(y) for y in outputs])
    if all_finite(*here) and not all_finite(*(d for d in found.values() if d is not None)):
        return NOT_FINITE
    return ""


def _by_numpy(forward: Callable[..., Any], arguments: Arguments) -> tuple[Tensor, ...]:
    """Return what forward gives for arrays; raise TypeError where it takes or gives something else."""
    try:
        found = _outputs(forward, arguments, {name: plain(t).clone() for name, t in arguments.tensors.items()})
    except TypeError as error:
        if "Tensor" in str(error):
            raise TypeError(TAKES_TENSORS.format(", ".join(arguments.tensors), error)) from error
        raise
    if not all(isinstance(y, Tensor) for y in found):
        raise TypeError(GIVES_NO_ARRAY.format(", ".join(map(described, found))))
    return found


def cannot_follow_in(error: BaseException | None) -> CannotFollow | None:
    """Return the CannotFollow that became another error on its way; None where there is none."""
    while error is not None and not isinstance(error, CannotFollow):
        error = error.__cause__ or error.__context__
    return error


def _outputs(function: Callable[..., Any], arguments: Arguments, tensors: dict[str, Tensor]) -> tuple[Any, ...]:
    with as_it_was(), torch.inference_mode(mode=False), torch.enable_grad():
        found = arguments.having(tensors).call(function)
    return sequence(found) if isinstance(found, Tensor | tuple | list) else (found,)


def _are_alike(here: tuple[Tensor, ...], others: tuple[Any, ...]) -> bool:
    return len(here) == len(others) and all(map(_alike, here, others))


def _alike(here: Tensor, followed: Any) -> bool:
    """Tell whether both are the same within what two ways of rounding make of it."""
    if not isinstance(followed, Tensor):
        return False
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
