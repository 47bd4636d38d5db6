"""What torch does while the formulas run, noted as calls that do it again.

Where every formula writes into tensors that are ready (``out=``), a step is the same operations on the same tensors,
batch after batch. A Recorder notes each operation with its arguments while the formulas run. Calling the notes in order
runs the same operations again, so every bit is the same.

A Recorder sees what torch does. What a layer does besides (numpy on a tensor's memory, ``torch.jit``, an attribute that
changes between steps) it does not see; the records of two steps are the ``same`` only where there is little of that.
A function that hands itself to torch by ``wrap_torch_function``, as ``products.product`` does, is seen as one
operation, whatever it does inside.
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
        if function in FIXED:
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


def same(one: object, other: object) -> bool:
    """Return whether two lists of calls, or what else a part of a step gives, are the same on the same memory.

    Calls are the same where they name the same operations on the same memory with the same numbers. Both sides must
    still be there: the memory of a tensor that is gone may be another's.
    """
    return _description(one) == _description(other)


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
