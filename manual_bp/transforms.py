"""Transforms that PyTorch carries on a tensor: torch.func's derivatives, forward-mode AD, autocast.

By hand nobody notes an operation for them. A derivative of a handwritten pass would be 0 without a word, and a product
under autocast would have another dtype than what it is written into. So they are told apart where tensors come in.
"""

from __future__ import annotations

import torch
from torch import Tensor


def check_untransformed(owner: str, name: str, t: Tensor) -> None:
    """Raise RuntimeError where torch.func or forward-mode AD differentiates by ``t``; vmap may come along."""
    if _is_differentiated(t):
        raise RuntimeError(
            f"{owner} expects {name} without a transform of torch.func or forward-mode AD around it (grad, vjp, jvp, "
            "jacrev, jacfwd, hessian): by hand they would see a derivative of 0. Network.backward and "
            "Network.input_error compute the gradients; torch_ref.mirror(network) gives modules to transform"
        )


def check_in_memory(owner: str, t: Tensor) -> None:
    """Raise RuntimeError where ``t`` was made inside a transform: its numbers lie in no memory of its own there."""
    if torch._C._functorch.is_functorch_wrapped_tensor(t):
        raise RuntimeError(f"{owner} expects to be made outside of a transform of torch.func: make it before")


def _is_differentiated(t: Tensor) -> bool:
    """Tell whether a derivative is taken by ``t``. Inside a transform every tensor is wrapped, a new one too."""
    functorch = torch._C._functorch
    while functorch.is_functorch_wrapped_tensor(t):
        if not functorch.is_batchedtensor(t) and (t.requires_grad or _has_tangent(t)):
            return True
        t = functorch.get_unwrapped(t)
    return _has_tangent(t)


def _has_tangent(t: Tensor) -> bool:
    return torch._unpack_dual(t, level=0)[1] is not None


def check_no_autocast(owner: str, t: Tensor) -> None:
    """Raise RuntimeError under autocast for the device of ``t``."""
    kind = t.device.type
    if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
        raise RuntimeError(
            f"{owner} expects no torch.autocast around it: it chooses another dtype for every product, and by hand "
            "every tensor has that of the network. Leave it, or make the network in the dtype that you want"
        )
