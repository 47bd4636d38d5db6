"""A call of a student's method: what it raises, changes or returns instead of numbers becomes a failure in words."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

LARGEST = 100_000
"""Entries of an array that is worth sending: an answer has about a hundred."""

SECRETIVE = 200
"""Letters of an exception's message that are shown."""


class Failure(NamedTuple):
    """What a student's code did instead of giving numbers, as a code for programs and in words for readers."""

    code: str
    text: str


class Call:
    """Calls of a student's code, and whether it left its arguments as they were."""

    def __init__(self, arguments: Mapping[str, Any], path: str, mebibytes: int) -> None:
        """Take the arrays that must not change, the student's file and the limit of memory."""
        self.arguments, self.path, self.mebibytes = arguments, path, mebibytes
        self.before = {name: bytes_of(array) for name, array in arguments.items()}
        self.failure: Failure | None = None

    def __call__(self, code: Any, *given: Any) -> Any:
        """Return what the code returns; None, and ``failure``, where it raises anything, be it SystemExit."""
        returned = None
        try:
            returned = code(*given)
        except BaseException as error:
            self.failure = self.failure or self._raised(error)
        changed = [name for name, array in self.arguments.items() if bytes_of(array) != self.before[name]]
        if changed:
            self.failure = self.failure or Failure("changes-input", f"changes {', '.join(changed)} in place")
        return returned

    def _raised(self, error: BaseException) -> Failure:
        """Return type, message and line."""
        if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
            return Failure("out-of-memory", f"takes more than {self.mebibytes} MiB of memory")
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == self.path]
        where = f" ({self.path}:{lines[-1]})" if lines else ""
        message = " ".join(str(error).split())[:SECRETIVE]
        return Failure("raises", f"raises {type(error).__name__}{': ' if message else ''}{message}{where}")


def bytes_of(array: Any) -> bytes:
    """Return the numbers of an array or a tensor as bytes."""
    return (array.detach().numpy() if isinstance(array, Tensor) else array).tobytes()


def answer(came: Any, expected: str, arrays: bool) -> tuple[np.ndarray | None, Failure | None]:
    """Return what a formula gave as an array of an ordinary kind and size, or what it is instead."""
    if arrays and isinstance(came, float | np.generic):  # a sum of numpy's is no array
        came = np.asarray(came)
    if not isinstance(came, np.ndarray if arrays else Tensor):
        return None, Failure("wrong-return", f"gives {described(came)} where {expected} is expected")
    kind = "an array" if arrays else "a tensor"
    if isinstance(came, Tensor):
        if came.layout != torch.strided or came.device.type != "cpu":
            return None, Failure("wrong-return", f"gives {kind} of another kind ({came.layout}, on {came.device})")
        came = came.as_subclass(Tensor).detach()
    if str(came.dtype).removeprefix("torch.") not in ("float32", "float64"):
        return None, Failure("wrong-return", f"gives {kind} of dtype {came.dtype}")
    size = came.numel() if isinstance(came, Tensor) else came.size
    if size > LARGEST or came.ndim > 8:
        return None, Failure("wrong-return", f"gives {kind} of shape {tuple(came.shape)}, far too large")
    return np.array(came.contiguous().numpy() if isinstance(came, Tensor) else came), None


def described(value: object) -> str:
    """Say what came where something else was expected: 'a tuple of 3', 'a Tensor', 'None'."""
    if isinstance(value, type):
        return repr(value)
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
