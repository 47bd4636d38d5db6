"""A training step as a list of calls: found out once, then repeated without the Python around them.

Where every formula writes into tensors that are ready (``out=``), a step is the same operations on the same tensors,
batch after batch. What Python does between them costs more than they do in a small network, so it is done once: a
Recorder notes each operation with its arguments while the formulas run, and calling the notes in order is the step.
They are the operations that the formulas ran, in their order, so every bit is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

FIXED = {
    *(
        getattr(Tensor, name).__get__
        for name in ("shape", "dtype", "device", "ndim", "is_cuda", "is_meta", "requires_grad")
    ),
    *(
        getattr(Tensor, name)
        for name in ("size", "numel", "dim", "stride", "is_floating_point", "is_set_to", "__len__")
    ),
}
"""What may be asked of a tensor without its values: the answers are the same at every repetition. Not data_ptr: who
asks for it writes where torch does not see it."""


class Recorder(TorchFunctionMode):
    """Run what is inside ``with``, and note every operation that writes into a tensor.

    ``calls`` repeats it: the same operations on the same tensors, with the values that these hold then. That is the
    whole effect unless ``obstacle`` names an operation whose repetition would not do: one that makes a new tensor
    (the notes would go on with the old one) or takes values into Python (where they may decide what happens next).
    """

    def __init__(self) -> None:
        """Begin with nothing noted."""
        super().__init__()
        self.calls: list[Callable[[], object]] = []
        self.obstacle: str | None = None
        self._within_a_whole = False

    def whole(self, call: Callable[[], object]) -> None:
        """Run ``call`` and note it as it is, not the operations in it: it may read what changes between steps."""
        self._within_a_whole = True
        try:
            call()
        finally:
            self._within_a_whole = False
        self.calls.append(call)

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run one operation and note it, or what stands in the way."""
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        if self._within_a_whole or function in FIXED:
            return result
        given = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
        if any(result is tensor for tensor in given):  # in place, or out=
            self.calls.append(partial(function, *args, **kwargs))
        elif not _is_view(result, given) and self.obstacle is None:
            self.obstacle = getattr(function, "__name__", str(function))
        return result


def _is_view(result: object, given: list[Tensor]) -> bool:
    """Return whether the result shares the memory of what was given: made once, a view is good for ever."""
    if not isinstance(result, Tensor):
        return False
    memory = result.untyped_storage().data_ptr()
    return memory != 0 and any(memory == tensor.untyped_storage().data_ptr() for tensor in given)
