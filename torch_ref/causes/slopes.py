"""Mistakes in an operation that works entry by entry: its slope is missing, twice, at another place, of another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as fn

from torch_ref.causes.tape import Operation

Function = Callable[[Tensor], Tensor]

FUNCTIONS: dict[str, Function] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "exp": torch.exp,
    "log": torch.log,
    "log1p": torch.log1p,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "sin": torch.sin,
    "cos": torch.cos,
    "atan": torch.atan,
    "erf": torch.erf,
    "softplus": fn.softplus,
    "silu": fn.silu,
    "gelu": fn.gelu,
    "elu": fn.elu,
    "leakyrelu": fn.leaky_relu,
    "hardswish": fn.hardswish,
    "hardsigmoid": fn.hardsigmoid,
    "hardtanh": fn.hardtanh,
    "logsigmoid": fn.logsigmoid,
    "abs": torch.abs,
}
"""By the names that autograd has for their operations."""

OTHERS = ("sigmoid", "tanh", "relu", "leakyrelu", "softplus", "exp", "hardsigmoid", "sin", "cos")
"""Those whose slope people take for another one's."""

INVERSES: dict[str, Function] = {"sigmoid": torch.logit, "tanh": torch.atanh, "exp": torch.log, "sqrt": torch.square}
"""Of operations that keep their output alone."""


FACTOR_MISSING = "of a product one factor is missing"


class Change(NamedTuple):
    """A mistake in what an operation hands on to one of its inputs."""

    code: str
    text: str
    position: int
    gradient: Tensor
    told: Callable[[], tuple[str, str]] | None = None
    """Finds its code and text where these take long: most mistakes are tried and not told."""

    def in_words(self) -> Change:
        """Return it with its code and text."""
        return self if self.told is None else self._replace(code=(told := self.told())[0], text=told[1], told=None)


def of_function(one: Operation) -> Iterator[Change]:
    """Yield the mistakes of an operation of one input that has a slope; a product has two."""
    if one.name not in ("mul", "div"):
        yield from of_slope(one)


def of_slope(one: Operation) -> Iterator[Change]:
    """Yield the mistakes of an operation with a slope."""
    for i, slope in enumerate(one.slopes):
        if slope is not None:
            yield from _of(one, i, slope)


def _of(one: Operation, i: int, s: Tensor) -> Iterator[Change]:
    c = one.came
    if bool((s == s.flatten()[0]).all()):  # a sum, a difference, a constant factor
        return
    of = f"of {one.name}"
    largest = s.max() if not s.is_complex() else s.flatten()[0]
    is_mask = bool(((s == 0) | (s == largest)).all())
    is_constant = bool((c == c.flatten()[0]).all())
    is_product = one.name == "mul"  # whose derivative is the other factor
    missing = (
        ("wrong-mask", f"the mask {of} is missing")
        if is_mask
        else ("term-missing", FACTOR_MISSING)
        if is_product
        else ("slope-missing", f"the derivative {of} is missing")
    )
    yield Change(*missing, i, c * largest if is_mask else c)
    twice = ("wrong-power", "of a product one factor is there twice")
    yield Change(*(twice if is_product else ("slope-twice", f"the derivative {of} is applied twice")), i, c * s * s)
    if not is_constant:
        yield Change("upstream-missing", f"the derivative {of} stands alone: what came from above is missing", i, s)
    yield Change("slope-added", f"the derivative {of} is added, not multiplied", i, c + s)
    if one.name != "exp":  # there it is the other sign of the argument
        divided = c / torch.where(s == 0, 1.0, s)
        yield Change("slope-divided", f"what came from above is divided by the derivative {of}", i, divided)
    yield Change("upstream-twice", f"what came from above is multiplied in twice at {one.name}", i, c * c * s)
    if one.name == "pow":
        yield from _of_power(one, i)
    if is_mask and not s.is_complex():
        yield Change("wrong-mask", f"the mask {of} is reversed", i, c * (largest - s))
        yield Change("wrong-mask", f"the mask {of} is that of what came from above", i, c * (c > 0))
    if one.name in FUNCTIONS:
        yield from _of_known(one, i, s)


def _of_known(one: Operation, i: int, s: Tensor) -> Iterator[Change]:
    """Yield what may go wrong where the function is known, with its input and its output."""
    function, c = FUNCTIONS[one.name], one.came
    x, y = _input_and_output(one)
    if x is None or y is None:
        return
    of = f"of {one.name}"
    at = slope_at(function, y)
    yield Change("slope-at-output", f"the derivative {of} is taken at its output", i, c * at)
    if one.name == "sigmoid":
        yield Change("slope-at-input", f"the formula for the derivative {of} is given the input", i, c * x * (1 - x))
        yield Change(
            "slope-at-upstream", f"the formula for the derivative {of} is given the gradient", i, c * c * (1 - c)
        )
    if one.name == "tanh":
        yield Change("slope-at-input", f"the formula for the derivative {of} is given the input", i, c * (1 - x * x))
        yield Change(
            "slope-at-upstream", f"the formula for the derivative {of} is given the gradient", i, c * (1 - c * c)
        )
    for text, argument in (("with the wrong sign", -x), ("of the gradient", c), ("times 2", 2 * x), ("times ½", x / 2)):
        code = "slope-at-upstream" if argument is c else "wrong-argument"
        yield Change(code, f"the derivative {of} is taken at the argument {text}", i, c * slope_at(function, argument))
    for text, value in (
        ("its input", x),
        ("its output", y),
        ("1 − its output", 1 - y),
        ("the square of its output", y * y),
        ("1 − the square of its output", 1 - y * y),
        ("its output (1 − its output)", y * (1 - y)),
        ("1 − its input", 1 - x),
        ("twice its input", 2 * x),
        ("1 + its output", 1 + y),
    ):
        code = "another-tensor" if value is x else "slope-miswritten"
        yield Change(code, f"{text} stands for the derivative {of}", i, c * value)
    for name in OTHERS:
        if name != one.name:
            slope = slope_at(FUNCTIONS[name], x)
            yield Change("slope-of-another-function", f"the derivative is that of {name}, not {of}", i, c * slope)
    for threshold in (1.0, 0.5, -1.0):
        if one.name in ("relu", "leakyrelu", "elu", "hardtanh"):
            yield Change("wrong-mask", f"the mask {of} has another threshold", i, c * (x > threshold))
    yield Change("applied-twice", f"the derivative is that {of} applied twice", i, c * s * at)


def _input_and_output(one: Operation) -> tuple[Tensor | None, Tensor | None]:
    function = FUNCTIONS[one.name]
    x, y = one.saved("self"), one.saved("result")
    if x is None and y is not None and one.name in INVERSES:
        x = INVERSES[one.name](y)
    if x is None or x.shape != one.came.shape:
        return None, None
    return x, function(x) if y is None or y.shape != x.shape else y


def slope_at(function: Function, x: Tensor) -> Tensor:
    """Return the derivative of a function of single numbers."""
    with torch.enable_grad():
        leaf = x.detach().clone().requires_grad_()
        (found,) = torch.autograd.grad(function(leaf).sum(), leaf)
    return found


def of_power(one: Operation, values: Sequence[Tensor]) -> Iterator[Change]:
    """Yield what may stand for the base of a power in its derivative."""
    x, p = one.saved("self"), getattr(one.node, "_saved_exponent", None)
    if one.name != "pow" or x is None or not isinstance(p, float | int):
        return
    for v in values:
        if v.shape != x.shape or torch.equal(v, x):
            continue
        is_part = any(w.shape == x.shape and (torch.equal(v - w, x) or torch.equal(w - v, x)) for w in values)
        code, text = (
            ("term-missing", "of a difference one part is missing")
            if is_part
            else ("another-tensor", "another tensor stands for what is squared")
        )
        for sign in (1, -1):
            yield Change(code, text, 0, sign * one.came * p * v ** (p - 1))


def _of_power(one: Operation, i: int) -> Iterator[Change]:
    x, p = one.saved("self"), getattr(one.node, "_saved_exponent", None)
    if x is None or not isinstance(p, float | int):
        return
    yield Change("wrong-power", f"the factor {p:g} of the derivative of a power is missing", i, one.came * x ** (p - 1))
    yield Change("wrong-power", "the derivative of a power keeps its exponent", i, one.came * p * x**p)
    small = one.came * p * torch.where(x == 0, 1.0, x) ** (p - 2)
    yield Change("wrong-power", "the derivative of a power has an exponent that is one too small", i, small)
    yield Change("sign-alone", "only the sign of what is squared is used", i, one.came * p * x.sign())
    yield Change("sign-alone", "only the sign of what is squared is used", i, one.came * x.sign())
    yield Change("wrong-power", "a power stands for its derivative", i, one.came * x**p)
