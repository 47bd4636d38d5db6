"""One method of a student's class at one point, and the formulas that it gives.

A class may keep to the protocol, forward(x) -> (y, saved) and backward(error, saved) -> (error of x, gradients). Or it
keeps everything on itself: forward(x) -> y and backward(error) -> error of x, with the gradients in self.dW and
self.db, or under another usual name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .calls import Call, Failure, answer, bytes_of, described
from .wire import Message

Made = tuple[np.ndarray | None, Failure | None]
"""What one formula gave, or what it did instead."""

LETTERS = {
    "weight": "W w Weight", "bias": "b B Bias",
    "weight_ih_l0": "W Wx W_ih Wxh W_xh weight_ih", "bias_ih_l0": "b b_ih bx bias_ih",
    "weight_hh_l0": "V Wh W_hh Whh U weight_hh", "bias_hh_l0": "c b_hh bh bias_hh",
}  # fmt: skip
"""What people call a parameter; its gradient is then dW, grad_W, W_grad, or W in a dict of gradients."""

GRADIENTS = ("d{}", "d_{}", "grad_{}", "{}_grad", "g{}", "g_{}")


class Formula:
    """One method at one point."""

    def __init__(self, module: ModuleType, asked: Message, method: str, point: Message) -> None:
        """Take the student's module, the job, the method and the numbers."""
        self.asked, self.method, self.makes, self.arrays = asked, method, point["makes"], asked["arrays"]
        self.passed = {name: given_as(array, self.arrays) for name, array in point["passed"].items()}
        parameters = {name: given_as(array, self.arrays) for name, array in point["parameters"].items()}
        self.exact = [*parameters.values(), *self.passed.values()]
        self.call = Call(self.passed | parameters, asked["path"], asked["memory_limit"])
        self.is_loss = "t" in self.passed
        self.narrow = False
        """Whether forward gave fewer digits than it was given."""
        kind: Any = getattr(module, asked["class"], None)
        self.owner = self.call(lambda: kind(**parameters, **point["settings"]))

    def values(self) -> list[Message]:
        """Return what the method gives for each formula, or the failure, as it is sent."""
        found = [(None, self.call.failure)] * len(self.makes) if self.call.failure else self._values()
        said = [(array, failure or self.call.failure) for array, failure in found]
        return [{"array": a, "failure": list(why) if why else None, "narrow": self.narrow} for a, why in said]

    def _values(self) -> list[Made]:
        if self.method == "output":
            return [self._answer(self._call("output", self.passed["x"]), "output(x) -> y")]
        if self.method == "forward":
            return [self._answer(self._forward()[0], self._protocol())]
        return self._backward()

    def _answer(self, came: Any, expected: str) -> Made:
        return (None, self.call.failure) if self.call.failure and came is None else answer(came, expected, self.arrays)

    def _protocol(self) -> str:
        return "forward(x, t) -> (L, saved)" if self.is_loss else "forward(x) -> (y, saved)"

    def _keeps(self) -> bool:
        """Tell whether the class keeps on itself what its backward reads."""
        taken = taken_by(getattr(self.owner, "backward", None))
        return taken == (0 if self.is_loss else 1)

    def _call(self, name: str, *given: Any) -> Any:
        method = getattr(self.owner, name, None)
        if method is None:
            self.call.failure = Failure("missing", f"{self.asked['class']} has no method {name}")
            return None
        return self.call(method, *given)

    def _forward(self) -> tuple[Any, Any]:
        """Return y (or L) and what was saved; None for y where it is no such thing."""
        given = [self.passed[name] for name in ("x", "t") if name in self.passed]
        passed = self._call("forward", *given)
        if self.call.failure and passed is None:
            return None, None
        if isinstance(passed, tuple | list) and len(passed) == 2:
            return passed[0], passed[1]
        if self._keeps():
            return passed, None
        text = f"gives {described(passed)} where {self._protocol()} is expected"
        self.call.failure = self.call.failure or Failure("wrong-return", text)
        return None, None

    def _backward(self) -> list[Made]:
        y, saved = self._forward()
        if self.call.failure and y is None:
            text = f"forward {self.call.failure.text}: there is nothing for backward to read"
            return [(None, Failure("nothing-to-read", text))] * len(self.makes)
        own = self._call("output", self.passed["x"]) if self.is_loss else y
        saved = self._with_the_right_y(saved, own)
        self.call.failure = None
        if self.is_loss:
            given = () if self._keeps() else (saved,)
            return [self._answer(self._call("backward", *given), "backward(saved) -> error of x")]
        if self._keeps():
            returned = self._call("backward", self.passed["error"])
            return [self._of_keeping(returned, makes) for makes in self.makes]
        returned = self._call("backward", self.passed["error"], saved)
        return [self._of_layer(returned, makes) for makes in self.makes]

    def _of_layer(self, returned: Any, makes: str) -> Made:
        expected = "backward(error, saved) -> (error of x, gradients)"
        if not (isinstance(returned, tuple | list) and len(returned) == 2):
            if self.call.failure and returned is None:
                return None, self.call.failure
            return None, Failure("wrong-return", f"gives {described(returned)} where {expected} is expected")
        error, gradients = returned
        if makes == "error":
            return self._answer(error, expected)
        if not isinstance(gradients, dict) or makes not in gradients:
            return None, self.call.failure or Failure("wrong-return", f"gives no gradient of {makes}")
        return self._answer(gradients[makes], expected)

    def _of_keeping(self, returned: Any, makes: str) -> Made:
        error = returned[0] if isinstance(returned, tuple | list) and returned else returned
        if makes == "error":
            return self._answer(error, "backward(error) -> error of x")
        if self.call.failure and returned is None:
            return None, self.call.failure
        gradient = kept_gradient(self.owner, makes, self.exact)
        if gradient is None:
            text = f"gives no gradient of {makes}: expected it in self.{_names_of(makes)[0]} after backward(error)"
            return None, Failure("wrong-return", text)
        return self._answer(gradient, f"a gradient of {makes}")

    # ------------------------------------------------------------------------------ a wrong forward costs no backward

    def _with_the_right_y(self, saved: Any, own: Any) -> Any:
        """Return what was saved with the right y for its own, and every digit where forward has dropped some."""
        x, right = self.passed["x"], self.passed["y"]
        self.narrow = _is_narrower(own, x)
        kept = vars(self.owner) if hasattr(self.owner, "__dict__") else {}

        def mended(part: Any) -> Any:
            if not isinstance(part, Tensor | np.ndarray) or type(part) is not type(x):
                return part
            if part is own or (same(part, own) and not same(part, x)):
                fits = type(own) is type(right) and own.shape == right.shape
                return copy(right) if fits and not same(own, right) else part
            if (step := _step_of(part, own)) is not None and own.shape == right.shape:
                return copy(right[:, step])
            if self.narrow and _is_narrower(part, x):
                whole = (q for q in self.exact if q.shape == part.shape and same(_as(q, part), part))
                return copy(next(whole, _as(part, x)))
            return part

        for name, value in list(kept.items()):
            if (new := mapped(value, mended)) is not value:
                kept[name] = new
        return mapped(saved, mended)


def given_as(array: np.ndarray, arrays: bool) -> Any:
    """Return an array as a class takes it: a tensor, where it is not one of numpy."""
    return array if arrays else torch.from_numpy(array).clone()


def taken_by(method: Any) -> int | None:
    """Return how many arguments a method takes; None where that cannot be said."""
    try:
        taken = inspect.signature(method).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in taken):
        return None
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in taken)


def _names_of(parameter: str) -> list[str]:
    """Return under which names a layer keeps the gradient of a parameter on itself."""
    return [shape.format(name) for shape in GRADIENTS for name in (*LETTERS.get(parameter, "").split(), parameter)]


def kept_gradient(owner: Any, of: str, given: list[Any]) -> Any:
    """Return the gradient that a layer keeps on itself, or in a dict; a dict of its parameters has none."""
    kept = vars(owner) if hasattr(owner, "__dict__") else {}
    named = [kept[name] for name in _names_of(of) if kept.get(name) is not None]
    for value in kept.values():
        if isinstance(value, dict):
            names = (*_names_of(of), of, *LETTERS.get(of, "").split())
            named += [value[name] for name in names if name in value]
    arrays = (v for v in named if isinstance(v, Tensor | np.ndarray))
    return next((v for v in arrays if not any(same(v, other) for other in given)), None)


def _step_of(part: Any, own: Any) -> int | None:
    """Return which step of a sequence (N, T, n) an array (N, n) is, as it came out; None where it is none."""
    if type(own) is not type(part) or own.ndim != 3 or part.ndim != 2:
        return None
    return next((t for t in range(own.shape[1]) if same(part, own[:, t])), None)


def _is_narrower(array: Any, than: Any) -> bool:
    floats = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}
    sizes = [floats.get(str(getattr(a, "dtype", "")).removeprefix("torch."), 0) for a in (array, than)]
    return 0 < sizes[0] < sizes[1]


def _as(array: Any, like: Any) -> Any:
    return array.to(like.dtype) if isinstance(array, Tensor) else array.astype(like.dtype)


def copy(array: Any) -> Any:
    """Return an array of its own."""
    return array.clone() if isinstance(array, Tensor) else array.copy()


def same(a: Any, b: Any) -> bool:
    """Tell whether two arrays are of one kind, and the same to the last bit."""
    if type(a) is not type(b) or a.shape != b.shape or a.dtype != b.dtype:
        return False
    return bytes_of(a.contiguous() if isinstance(a, Tensor) else a) == bytes_of(
        b.contiguous() if isinstance(b, Tensor) else b
    )


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a value with every array in its tuples, lists, dicts and dataclasses changed; itself where none is."""
    if isinstance(value, Tensor | np.ndarray):
        return change(value)
    if isinstance(value, dict):
        found = {key: mapped(inner, change) for key, inner in value.items()}
        return value if all(found[key] is value[key] for key in value) else found
    if isinstance(value, tuple | list):
        new = [mapped(inner, change) for inner in value]
        if all(a is b for a, b in zip(new, value, strict=True)):
            return value
        return type(value)(*new) if hasattr(value, "_fields") else type(value)(new)
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            before = getattr(value, field.name)
            if (after := mapped(before, change)) is not before:
                object.__setattr__(value, field.name, after)
    return value
