"""A student's formula at one point: called with the right inputs, and whatever comes back put into plain terms."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from manual_bp.layer import described
from torch_ref.grade.messages import Message
from torch_ref.steps.calling import Call, is_pair, substituted
from torch_ref.steps.step import Failure, Value

LARGEST = 100_000
"""Entries of a tensor that is worth sending: an answer has about a hundred."""


class StudentsCall(Call):
    """A call of somebody's method that can say in which line of their file it went wrong."""

    def __init__(self, arguments: dict[str, Tensor], asked: Message) -> None:
        """Take the tensors that must not change, and the job."""
        super().__init__(arguments)
        self.asked = asked

    def __call__(self, method: Any, *given: Any) -> Any:
        """Return what the method returns; None where it raises anything, be it SystemExit."""
        try:
            return super().__call__(method, *given)
        except BaseException as error:  # not an Exception: SystemExit, KeyboardInterrupt
            self.failure = self.raised(error)
            return None

    def raised(self, error: BaseException) -> Failure:
        """Return type, message and line."""
        if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
            return Failure("out-of-memory", f"takes more than {self.asked['memory_limit']} MiB of memory")
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == self.asked["path"]]
        where = f" ({Path(self.asked['path']).name}:{lines[-1]})" if lines else ""
        message = " ".join(str(error).split())[:200]
        return Failure("raises", f"raises {type(error).__name__}{': ' if message else ''}{message}{where}")


class StudentsFormula:
    """One formula at one point."""

    def __init__(self, module: ModuleType, asked: Message, point: Message) -> None:
        """Take the student's module, the job and the numbers."""
        self.asked, self.makes = asked, asked["makes"]
        self.passed: dict[str, Tensor] = point["passed"]
        self.call = StudentsCall(self.passed | point["parameters"], asked)
        kind: Any = getattr(module, asked["class"], None)
        self.owner = self.call(lambda: kind(**point["parameters"], **point["settings"]))

    def value(self) -> Value:
        """Return what the formula gives."""
        if self.call.failure:
            return Value(None, None, self.call.failure)
        if self.makes == "output":
            return self.call.value(self._call("output", self.passed["x"]), None, "output(x) -> y")
        if self.makes == "forward":
            y, _ = self._forward()
            return self.call.value(y, None, self._protocol())
        return self._backward()

    def _protocol(self) -> str:
        return "forward(x, t) -> (L, saved)" if "t" in self.passed else "forward(x) -> (y, saved)"

    def _call(self, name: str, *given: Any) -> Any:
        method = getattr(self.owner, name, None)
        if method is None:
            self.call.failure = Failure("missing", f"{self.asked['class']} has no method {name}")
            return None
        return self.call(method, *given)

    def _forward(self) -> tuple[Any, Any]:
        """Return y (or L) and what was saved, two times None for anything else."""
        given = [self.passed[name] for name in ("x", "t") if name in self.passed]
        passed = self._call("forward", *given)
        if is_pair(passed):
            return passed[0], passed[1]
        if not self.call.failure:
            text = f"gives {described(passed)} where {self._protocol()} is expected"
            self.call.failure = Failure("wrong-return", text)
        return None, None

    def _backward(self) -> Value:
        y, saved = self._forward()
        if self.call.failure and y is None:
            text = f"forward {self.call.failure.text}: there is nothing for backward to read"
            return Value(None, None, Failure("nothing-to-read", text))
        is_loss = "t" in self.passed
        own = self._call("output", self.passed["x"]) if is_loss else y
        saved = substituted(saved, own, self.passed["y"])
        self.call.failure = None
        if is_loss:
            return self.call.value(self._call("backward", saved), None, "backward(saved) -> error of x")
        return self._of_layer(self._call("backward", self.passed["error"], saved))

    def _of_layer(self, returned: Any) -> Value:
        expected = "backward(error, saved) -> (error of x, gradients)"
        if not is_pair(returned):
            return self.call.value(returned if not isinstance(returned, Tensor) else None, None, expected)
        error, gradients = returned
        if self.makes == "error":
            return self.call.value(error, None, expected)
        if not isinstance(gradients, dict) or self.makes not in gradients:
            failure = Failure("wrong-return", f"gives no gradient of {self.makes}")
            return Value(None, None, self.call.failure or failure)
        return self.call.value(gradients[self.makes], None, expected)


def plain(value: Value) -> Message:
    """Return a value as what can be sent: an ordinary tensor of an ordinary size, and words."""
    t, failure = value.tensor, value.failure
    if t is not None and (unusual := _unusual(t)):
        t, failure = None, Failure("wrong-return", f"gives a tensor {unusual}")
    sent = None if t is None else t.as_subclass(Tensor).clone().contiguous()
    return {"tensor": sent, "failure": list(failure) if failure else None}


def _unusual(t: Tensor) -> str:
    """Say what is unusual about a tensor that cannot be an answer; '' where it can."""
    if t.layout != torch.strided or t.device.type != "cpu":
        return f"of another kind ({t.layout}, on {t.device})"
    if t.dtype not in (torch.float32, torch.float64):
        return f"of dtype {t.dtype}"
    return f"of shape {tuple(t.shape)}, far too large" if t.numel() > LARGEST else ""
