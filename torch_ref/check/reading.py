"""How the checks name a layer in their messages: by its type and the shapes of its parameters, never by numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._pytree import tree_leaves

from torch_ref.steps.step import plain


def shapes(tensors: Mapping[str, Tensor]) -> str:
    """Return names and shapes: 'gain (5,), shift (5,)'; 'no parameters' where there are none."""
    return ", ".join(f"{name} {tuple(t.shape)}" for name, t in tensors.items()) or "no parameters"


def named(owner: object, tensors: Mapping[str, Tensor]) -> str:
    """Return a layer's type with the shapes of its parameters: LayerNorm(gain (5,), shift (5,))."""
    return f"{type(owner).__name__}({shapes(tensors) if tensors else ''})"


def check_names(layer: object, mine: Mapping[str, Tensor]) -> None:
    """Raise ValueError where a layer's parameter bears the name of its input."""
    if "x" in mine:
        raise ValueError(
            f"a check expects parameters with names other than x, the input's, got {named(layer, mine)}. What a "
            "layer keeps and is no parameter has a name that begins with _"
        )


def check_no_autocast() -> None:
    """Raise RuntimeError under autocast, which rounds what it likes on either side."""
    if any(torch.is_autocast_enabled(device) for device in ("cpu", "cuda")):
        raise RuntimeError(
            "a gradient check expects no autocast, which rounds some operations and leaves others: check outside of "
            "it, or inside torch.autocast(..., enabled=False), with the inputs in the dtype that you mean"
        )


def unchanged(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function as it is; of an ``nn.Module`` one that leaves its statistics, and computes in float64 too."""
    if not isinstance(function, nn.Module):
        return function
    module = function

    def computed(*inputs: Any, **named: Any) -> Any:
        tensors = [t for t in tree_leaves((inputs, named)) if isinstance(t, Tensor)]
        in_float64 = any(t.dtype == torch.float64 for t in tensors)
        held = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        copies = {name: plain(t).clone() for name, t in held.items()}
        state = {name: t.double() if in_float64 and t.is_floating_point() else t for name, t in copies.items()}
        return functional_call(module, state, inputs, named)

    return computed
