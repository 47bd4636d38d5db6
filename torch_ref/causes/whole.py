"""Mistakes in a function that works entry by entry as a whole, whatever it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from torch_ref.causes.slopes import FUNCTIONS, OTHERS, slope_at
from torch_ref.causes.tape import Tape, is_near
from torch_ref.steps.graph import Key

Slope = Callable[[Tensor], Tensor | None]
"""The derivative of the function at other inputs; None where it cannot be computed there."""


def of_whole(tape: Tape, slope: Slope) -> Iterator[tuple[str, str, Tensor]]:
    """Yield what may go wrong in d times the derivative, where the function has one."""
    if tape.stops or len(tape.outputs) != 1 or tape.outputs[0].shape != tape.target.shape or tape.target.is_complex():
        return
    y, d, x = tape.outputs[0].detach(), tape.upstream[0], tape.target.detach()
    s = tape.gradient([torch.ones_like(d)])
    if s is None or not is_near(tape.total, d * s):
        return
    yield "slope-added", "the derivative is added, not multiplied", d + s
    yield "slope-divided", "divides by the derivative", d / torch.where(s == 0, 1.0, s)
    if _is_piecewise_linear(x, s, slope):  # there another argument only makes it another mask
        reversed_one = slope(-x)
        if reversed_one is not None:
            yield "wrong-mask", "the mask is reversed", d * reversed_one
    for code, text, argument in (
        ("slope-at-output", "the derivative is taken at the output", y),
        ("slope-at-upstream", "the derivative is taken at the gradient from above", d),
        ("wrong-argument", "the derivative is taken at the argument with the wrong sign", -x),
        ("wrong-argument", "the derivative is taken at twice the argument", 2 * x),
        ("wrong-argument", "the derivative is taken at half the argument", x / 2),
        ("upstream-twice", "what came from above is inside the argument, too", d * x),
    ):
        at = slope(argument)
        if at is not None:
            yield code, text, d * at
    for code, text, other in _other_slopes(x, y, s):
        yield code, text, d * other
    yield from _masked(x, d, s, slope)


def of_stretch(tape: Tape, values: Mapping[Key, Tensor]) -> Iterator[tuple[str, str, Tensor]]:
    """Yield the same of what lies between a value and the one behind it, where that is a function entry by entry.

    Of one operation that is known there is more to say.
    """
    first, *others = tape.operations
    if first.name in FUNCTIONS and not others:
        return
    x = tape.target.detach()
    for key, d in tape.stops.items():
        y = values.get(key)
        if y is None or y.is_complex() or not y.shape == d.shape == x.shape:
            continue
        y, s = y.detach(), tape.slope_at(key)
        if s is None or not is_near(tape.total, d * s) or bool((s == s.flatten()[0]).all()):
            continue
        is_of_one_piece = len(torch.unique(s)) > 2
        for code, text, other in _other_slopes(x, y, s) if is_of_one_piece else _of_pieces(x, y, s):
            yield code, text, d * other
        return


def _other_slopes(x: Tensor, y: Tensor, s: Tensor) -> Iterator[tuple[str, str, Tensor]]:
    """Yield what may stand for the derivative s of y in x."""
    for at_output, at_input in ((y * (1 - y), x * (1 - x)), (1 - y * y, 1 - x * x)):
        if is_near(s, at_output):
            yield "slope-at-input", "the formula for the derivative is given the input; its output is meant", at_input
    for name in OTHERS:
        yield "slope-of-another-function", f"the derivative is that of {name}", slope_at(FUNCTIONS[name], x)
    for text, value in (
        ("the output", y),
        ("the input", x),
        ("1 − the output", 1 - y),
        ("the output (1 − the output)", y * (1 - y)),
        ("1 − the square of the output", 1 - y * y),
        ("the square of the output", y * y),
    ):
        yield "slope-miswritten", f"{text} stands for the derivative", value


def _of_pieces(x: Tensor, y: Tensor, s: Tensor) -> Iterator[tuple[str, str, Tensor]]:
    """Yield the same of a function of straight pieces, as ReLU."""
    low, high = s.min(), s.max()
    yield "wrong-mask", "the mask is reversed", torch.where(s == high, low, high)
    yield "wrong-mask", "below 0 the derivative is 0", torch.where(x > 0, s, 0.0)
    yield "wrong-mask", "below 0 the derivative is that above", torch.full_like(s, float(high))
    yield "slope-miswritten", "the output stands for the derivative", y
    yield "slope-miswritten", "the input stands for the derivative", x


def _is_piecewise_linear(x: Tensor, s: Tensor, slope: Slope) -> bool:
    """Tell whether nothing but the sign of the argument counts: the derivative is the same at any multiple of it."""
    others = [slope(2 * x), slope(x / 2)]
    return all(other is not None and torch.equal(other, s) for other in others)


def _masked(x: Tensor, d: Tensor, s: Tensor, slope: Slope) -> Iterator[tuple[str, str, Tensor]]:
    """Yield what comes out where the two sides of a threshold are exchanged, or it is another one."""
    low, high = slope(-x.abs()), slope(x.abs())
    if low is None or high is None:
        return
    yield "wrong-mask", "what holds below 0 is taken above, and the other way round", d * torch.where(x > 0, low, high)
    for text, other in (
        ("that of what came from above", d),
        ("another", x - 1),
        ("another", x + 1),
        ("another", x - 0.5),
    ):
        at_x_low, at_x_high = torch.where(x > 0, torch.ones_like(s), s), torch.where(x > 0, s, torch.ones_like(s))
        yield "wrong-mask", f"the mask is {text}", d * torch.where(other > 0, at_x_high, at_x_low)
    yield "slope-miswritten", "below 0 the derivative is 0", d * torch.where(x > 0, s, 0.0)
    yield "wrong-mask", "above 0 the derivative is 0", d * torch.where(x > 0, 0.0, s)
