"""A training step as a list of calls: found out once, then repeated without the Python around them.

Where every formula writes into tensors that are ready (``out=``), a step is the same operations on the same tensors,
batch after batch. What Python does between them costs more than they do in a small network, so it is done once: a
Recorder notes each operation with its arguments while the formulas run, and calling the notes in order is the step.
They are the operations that the formulas ran, in their order, so every bit is the same.

A Recorder sees what torch does. What a layer does besides (numpy on a tensor's memory, ``torch.jit``, an attribute that
changes between steps) it does not see; two records of two steps tell most of that by their ``same_calls``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

FIXED = {
    *(getattr(Tensor, name).__get__ for name in ("shape", "dtype", "device", "ndim", "is_meta")),
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
        given = list(_tensors((*args, *kwargs.values())))
        if any(result is tensor for tensor in given):  # in place, or out=
            self.calls.append(partial(function, *args, **kwargs))
        elif not _is_view(result, given) and self.obstacle is None:
            self.obstacle = getattr(function, "__name__", str(function))
        return result


def _tensors(values: Iterable[object]) -> Iterator[Tensor]:
    """Yield the tensors among the arguments of a call, those of an index or a list included."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from _tensors(value)


def _is_view(result: object, given: list[Tensor]) -> bool:
    """Return whether the result is a part of the one tensor given: made once, a view is good for ever.

    With a second tensor, an index perhaps, its values chose the part.
    """
    if not isinstance(result, Tensor) or len(given) != 1:
        return False
    memory = result.untyped_storage().data_ptr()
    return memory != 0 and memory == given[0].untyped_storage().data_ptr()


def same_calls(one: Recorder, other: Recorder) -> bool:
    """Return whether two records name the same operations on the same memory with the same numbers.

    Both must still be there: the memory of a tensor that is gone may be another's.
    """
    return [_description(call) for call in one.calls] == [_description(call) for call in other.calls]


def _description(value: object) -> object:
    match value:
        case partial(func=function, args=args, keywords=keywords):
            return function, _description(args), {name: _description(given) for name, given in keywords.items()}
        case Tensor():
            return value.data_ptr(), value.shape, value.stride(), value.dtype
        case tuple() | list():
            return [_description(given) for given in value]
        case _:
            return value
