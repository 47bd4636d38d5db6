"""The network whose forward and backward students write as a whole: this one, or one of the lecturer's.

A lecturer's file has a forward in torch, in plain operations or not, and the shapes of what it takes. Letters stand for
sizes that are drawn, numbers for themselves; N is the number of samples. Its parameters are all that is not x or t.

    SHAPES = {"x": ("N", "n"), "t": ("N", "k"), "W1": ("m", "n"), "b1": ("m",), "W2": ("k", "m"), "b2": ("k",)}
    TARGETS = "one-hot"                    # or "numbers"

    def forward(x, t, W1, b1, W2, b2): ...; return L
"""

from __future__ import annotations

import inspect
import runpy
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import torch
from torch import Tensor

from torch_ref.grade.unusable import UnusableFileError
from torch_ref.known import Formula

Shape = tuple[str | int, ...]

SHAPES: dict[str, Shape] = {
    "x": ("N", "n"), "t": ("N", "k"), "W1": ("m", "n"), "b1": ("m",), "W2": ("k", "m"), "b2": ("k",),
}  # fmt: skip


class Network:
    """Stands for the whole network where the grader speaks of classes; a student may write a class of this name."""

    @staticmethod
    def formula(makes: str) -> Formula:
        """Return what is asked for: L, or the gradient of a parameter."""
        symbol = "L" if makes == "forward" else f"∂L/∂{makes}"
        return Formula("-", symbol, symbol)


NAME = Network.__name__


def forward(x: Tensor, t: Tensor, W1: Tensor, b1: Tensor, W2: Tensor, b2: Tensor) -> Tensor:  # noqa: N803  # the lecture's letters
    """Return L of two layers, of sigmoids and of a softmax, with cross-entropy."""
    net1 = x @ W1.T + b1
    x1 = torch.sigmoid(net1)
    net2 = x1 @ W2.T + b2
    y = torch.softmax(net2, 1)  # noqa: F841  # a value that has a name
    return -(t * torch.log_softmax(net2, 1)).sum() / len(x)


@dataclass(frozen=True, eq=False)
class WholeNetwork:
    """A forward pass, and the shapes of what it takes."""

    forward: Callable[..., Tensor]
    shapes: Mapping[str, Shape]
    targets: Literal["one-hot", "numbers"] = "one-hot"
    source: str = ""
    """The lines of the forward pass, for the template."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Return the names of the parameters."""
        return tuple(name for name in self.shapes if name not in ("x", "t"))

    @property
    def makes(self) -> tuple[str, ...]:
        """Return what is asked for."""
        return ("forward", *self.parameters)

    def values(self, given: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return L, and every variable of the forward pass by name."""
        found: dict[str, Any] = {}
        code = getattr(self.forward, "__code__", None)

        def seen(frame: FrameType, event: str, _: Any) -> None:
            if event == "return" and frame.f_code is code:
                found.update(frame.f_locals)

        before = sys.getprofile()
        sys.setprofile(seen)
        try:
            loss = self.forward(**given)
        finally:
            sys.setprofile(before)
        return loss, {name: value for name, value in found.items() if isinstance(value, Tensor)} | {"L": loss}


DEFAULT = WholeNetwork(forward, SHAPES, "one-hot", inspect.getsource(forward))


@cache
def read(path: Path | None) -> WholeNetwork:
    """Return the network of a lecturer's file, or our own; raise UnusableFileError where the file has none."""
    if path is None:
        return DEFAULT
    try:
        found = runpy.run_path(str(path))
    except Exception as error:  # the lecturer's own file, which may raise anything
        raise UnusableFileError(f"{path}: cannot be run: {type(error).__name__}: {error}") from error
    passed, shapes, targets = found.get("forward"), found.get("SHAPES"), found.get("TARGETS", "numbers")
    if not callable(passed) or not isinstance(shapes, dict):
        raise UnusableFileError(f"{path}: expected a function forward(x, t, ...) and SHAPES, a dict of what it takes")
    takes = set(inspect.signature(passed).parameters)
    if not {"x", "t"} < set(shapes) or takes != set(shapes):
        raise UnusableFileError(
            f"{path}: expected SHAPES of x, t and the parameters, as forward takes them ({', '.join(sorted(takes))}), "
            f"got {', '.join(map(str, shapes))}"
        )
    fine = all(isinstance(s, tuple) and all(isinstance(n, str | int) and n for n in s) for s in shapes.values())
    if not fine or targets not in ("one-hot", "numbers"):
        raise UnusableFileError(
            f'{path}: expected shapes as ("N", 3), of letters and numbers, and TARGETS "one-hot" or "numbers"'
        )
    return WholeNetwork(passed, shapes, targets, inspect.getsource(passed))
