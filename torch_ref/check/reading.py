"""How the checks name a layer in their messages: by its type and the shapes of its parameters, never by numbers."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor


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
