"""What an exhibit of the museum is, and all of them: gradient mistakes from public reports.

Each file in ``exhibits`` shows one mistake in our own words and our own code:

    forward(*inputs)       the function, right
    right, wrong           its backward: backward(d, *inputs), or a torch.autograd.Function
    inputs()               numbers at which the mistake shows
    EXHIBIT                what is known of it
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import torch
from torch import Tensor

import torch_ref
from torch_ref import Report

Which = Literal["right", "wrong"]
Check = Literal["check_function", "check_autograd_function", "check_gradients", "check_lines"]


@dataclass(frozen=True)
class Exhibit:
    """What is known of a mistake, and what a check has to say of it."""

    title: str
    """The mistake in a few words."""
    source: str
    """The address of the public report."""
    check: Check
    """The check that a user would call, with default arguments."""
    guilty: tuple[str, ...]
    """The quantities that it has to accuse; empty where it accuses the whole pass."""
    causes: frozenset[str]
    """The codes of the causes that a careful teacher would accept."""
    needs: dict[str, Any] = field(default_factory=dict)
    """Arguments other than default without which the check cannot tell right from wrong here."""
    why: str = ""
    """Why it needs them."""
    line: str = ""
    """For check_lines: the line that has to be accused."""
    not_yet: str = ""
    """What the checker still gets wrong here; empty where nothing is."""


@dataclass(frozen=True)
class Shown:
    """An exhibit with its functions, under the name of its file."""

    name: str
    module: ModuleType

    @property
    def card(self) -> Exhibit:
        """Return what is known of it."""
        card: Exhibit = self.module.EXHIBIT
        return card

    def backward(self, which: Which) -> Any:
        """Return the right or the wrong backward."""
        return getattr(self.module, which)

    def report(self, which: Which, *, defaults: bool = False) -> Report:
        """Make the one call that a user would make."""
        options = {} if defaults else self.card.needs
        return CALLS[self.card.check](self.module.forward, self.backward(which), self.module.inputs(), options)


def _gradients(forward: Callable[..., Any], backward: Callable[..., Any], inputs: list[Any], options: Any) -> Report:
    names = inspect.signature(forward).parameters
    gradients = dict(zip(names, backward(torch.ones(()), *inputs), strict=True))
    parameters = {name: x for name, x in zip(names, inputs, strict=True) if gradients[name] is not None}
    return torch_ref.check_gradients(lambda: forward(*inputs), parameters, gradients, **options)


CALLS: dict[Check, Callable[..., Report]] = {
    "check_function": lambda forward, backward, x, options: torch_ref.check_function(forward, backward, x, **options),
    "check_autograd_function": lambda forward, function, x, options: torch_ref.check_autograd_function(
        function, x, forward, **options
    ),
    "check_gradients": _gradients,
    "check_lines": lambda forward, backward, x, options: torch_ref.check_lines(forward, backward, x, **options),
}


def normal(*shapes: tuple[int, ...], seed: int = 0, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Draw normal numbers in these shapes, the same at every call."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]


def exhibits() -> list[Shown]:
    """Return all exhibits, in the order of their names."""
    return list(_found())


def _found() -> Iterator[Shown]:
    for path in sorted(Path(__file__).with_name("exhibits").glob("*.py")):
        yield Shown(path.stem, importlib.import_module(f"museum.exhibits.{path.stem}"))
