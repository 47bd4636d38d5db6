"""Mistakes in a function that works entry by entry as a whole, whatever it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from torch_ref.causes.slopes import FUNCTIONS, OTHERS, slope_at
from torch_ref.causes.tape import Tape, is_near

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
    for name in OTHERS:
        yield "slope-of-another-function", f"the derivative is that of {name}", d * slope_at(FUNCTIONS[name], x)
    for text, value in (
        ("the output", y),
        ("the input", x),
        ("1 − the output", 1 - y),
        ("the output (1 − the output)", y * (1 - y)),
    ):
        yield "slope-miswritten", f"{text} stands for the derivative", d * value
    yield from _masked(x, d, s, slope)


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
