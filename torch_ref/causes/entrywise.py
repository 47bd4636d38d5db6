"""Another expression in place of the slope of an operation that works entry by entry, in every step of a loop, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from torch_ref.causes.rewrites import Codes, Mistake, Site
from torch_ref.steps.program import Call, Rewrite

Slope = Callable[[Tensor, Tensor], Tensor]
"""Of the input and the output."""

ENTRYWISE = frozenset(
    {"sigmoid", "tanh", "exp", "log", "log1p", "log2", "log10", "sin", "cos", "atan", "erf", "softplus"}
    | {"silu", "gelu", "elu", "sqrt", "square", "rsqrt"}
)

SLOPES: tuple[tuple[str, str, Slope], ...] = (
    ("slope-miswritten", "1 − its output", lambda x, y: 1 - y),
    ("slope-miswritten", "its output", lambda x, y: y),
    ("slope-miswritten", "its output with a minus", lambda x, y: -y),
    ("slope-miswritten", "its output (1 − its output)", lambda x, y: y * (1 - y)),
    ("slope-miswritten", "1 − the square of its output", lambda x, y: 1 - y * y),
    ("slope-miswritten", "the square of its output", lambda x, y: y * y),
    ("slope-miswritten", "1 + its output", lambda x, y: 1 + y),
    ("slope-at-input", "its input (1 − its input)", lambda x, y: x * (1 - x)),
    ("slope-at-input", "1 − the square of its input", lambda x, y: 1 - x * x),
    ("another-tensor", "its input", lambda x, y: x),
    ("slope-miswritten", "1 over its input", lambda x, y: 1 / x),
    ("slope-miswritten", "1 over 1 + its input", lambda x, y: 1 / (1 + x)),
    ("slope-miswritten", "1 over its output", lambda x, y: 1 / y),
)

OF_ROOT: tuple[tuple[str, str, Slope], ...] = (
    ("wrong-power", "½, without 1 over the root,", lambda x, y: torch.full_like(x, 0.5)),
    ("wrong-power", "½ over the square of the root", lambda x, y: 0.5 / x),
    ("wrong-power", "half the root", lambda x, y: y / 2),
)


def of_slope_of_site(site: Site) -> Iterator[Mistake]:
    """Yield that another expression stands for the derivative."""
    name, out = site.name, site.out
    if name == "pow" and len(site.call.args) > 1 and site.call.args[1] == 0.5:
        name = "sqrt"
    if name not in ENTRYWISE or out is None or len(site.operands) != 1 or site.operands[0][1].is_complex():
        return
    for code, text, slope in (*(OF_ROOT if name == "sqrt" else ()), *SLOPES):
        is_logarithm = name in ("log2", "log10") and text == "1 over its input"
        only = Codes("wrong-logarithm" if is_logarithm else code, "", "")
        yield Mistake(only, f"{text} stands for the derivative of the {name}", site.everywhere(_with(slope)))
    at_output = Codes("slope-at-output", "", "")
    yield Mistake(at_output, f"the derivative of the {name} is taken at its output", site.everywhere(_at_output))
    twice = Codes("slope-twice", "", "")
    yield Mistake(twice, f"the derivative of the {name} is applied twice", site.everywhere(_twice))


def _with(slope: Slope) -> Rewrite:
    def rewrite(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        x = args[0]
        return slope(x.detach(), call.function(*args, **kwargs).detach()) * x

    return rewrite


def _at_output(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    return _slope(call, call.function(*args, **kwargs).detach(), args, kwargs) * args[0]


def _twice(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    return _slope(call, args[0].detach(), args, kwargs) ** 2 * args[0]


def _slope(call: Call, x: Tensor, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    at = x.clone().requires_grad_()
    return torch.autograd.grad(call.function(at, *args[1:], **kwargs).sum(), at)[0]
