"""What a layer gives with ``out=``, in the tensors of another batch: it has to be what it gives without."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from manual_bp.directions import takes_out
from manual_bp.layer import own_copy
from torch_ref.numbers.agreement import relative_difference
from torch_ref.steps.calling import Call, is_pair
from torch_ref.steps.step import Failure, Step, Value, same
from torch_ref.steps.upstream import random_like

UNITS = 64
"""Units in the last place of the norm: what the same formula may give otherwise in other tensors."""

STALE = "stale-buffer"


def of_another_batch(t: Tensor) -> Tensor:
    """Return random numbers of about the size of a tensor, never its own."""
    if not t.is_floating_point():
        return t.flip(0) if t.ndim else t
    size = float(t.double().norm()) / max(t.numel(), 1) ** 0.5 or 1.0
    return random_like(t, 7) * size


def is_alike(again: Tensor, first: Tensor) -> bool:
    """Tell whether two results of the same formula at the same numbers are the same but for the last bits."""
    if again.shape != first.shape or again.dtype != first.dtype:
        return False
    if same(again, first):
        return True
    is_counted = not (first.is_floating_point() or first.is_complex())
    return not is_counted and relative_difference(again, first) <= UNITS * torch.finfo(first.dtype).eps


def stale_buffers(step: Step, values: Mapping[str, Value]) -> dict[str, Failure]:
    """Return what a layer that is right gives otherwise with ``out=``; nothing where its methods do not take it."""
    if not all(step.compared(name, value).ok for name, value in values.items()):
        return {}
    layer: Any = own_copy(step.owner)  # type: ignore[type-var]
    (error,), output, error_of_x = step.errors, step.outputs[0].name, step.gradients["x"].name
    x = step.inputs["x"]
    other_x, other_error = of_another_batch(x), of_another_batch(error)
    call = Call(step.inputs | {"error": error})

    def tried(method: Callable[..., Any], *given: Any, out: Any) -> Any:
        return call(lambda: method(*given, out=out)) if takes_out(method) else call(method, *given)

    def of_other() -> tuple[Any, Any, Any]:
        room = layer.forward(other_x)
        both = layer.backward(other_error, room[1])
        alone = layer.gradients(other_error, room[1]) if callable(getattr(layer, "gradients", None)) else None
        return room, both, alone

    rooms = call(of_other)
    if rooms is None:  # it cannot take another batch, and nobody asked for one
        return {}
    room, both, alone = rooms
    passed = tried(layer.forward, x, out=room)
    if not is_pair(passed):
        return {} if call.failure is None else {output: Failure(STALE, f"with out= it {call.failure.text}")}
    found: dict[str, Any] = {output: passed[0].clone() if isinstance(passed[0], Tensor) else passed[0]}
    returned = tried(layer.backward, error, passed[1], out=both)
    e, d = returned if is_pair(returned) else (None, None)
    found[error_of_x] = e.clone() if isinstance(e, Tensor) else e
    last = d if alone is None else tried(layer.gradients, error, passed[1], out=alone)
    for name, made in step.gradients.items():
        if name == "x":
            continue
        of_both, by_itself = (g.get(name) if isinstance(g, Mapping) else None for g in (d, last))
        right = values[made.name].tensor
        differs = isinstance(of_both, Tensor) and right is not None and not _same(of_both, right)
        found[made.name] = of_both if differs else by_itself
    if call.failure:
        return {error_of_x: Failure(STALE, f"with out= it {call.failure.text}")}
    other = Failure(STALE, "gives other numbers with out=, in the tensors of another batch")
    return {name: other for name, again in found.items() if not _same(again, values[name].tensor)}


def _same(again: Any, first: Tensor | None) -> bool:
    return isinstance(again, Tensor) and first is not None and is_alike(again, first)
