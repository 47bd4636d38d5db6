"""A pair of plain functions, forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from manual_bp.layer import described
from torch_ref.numbers.agreement import Tolerance, check_tolerance
from torch_ref.steps.function import by_formula, function_step
from torch_ref.verdict.judge import report_of
from torch_ref.verdict.report import Report


def check_function(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    inputs: Sequence[Any],
    *,
    reference: Callable[..., Any] | None = None,
    tolerance: Tolerance | None = None,
    differences: bool = True,
    strict: bool = False,
    power: bool = True,
) -> Report:
    """Compare a handwritten ``backward`` with autograd through ``reference``, or through ``forward`` itself.

        check_function(lambda x: x**3, lambda d_y, x: 3 * d_y * x**2, [x])

    ``inputs`` are the arguments in order: tensors of any shapes, and anything else, which is handed on as it is.
    ``forward(*inputs)`` returns one tensor or several. ``backward(*gradients of the outputs, *inputs)`` returns the
    gradient of each input in order, in the input's shape, None for what has none. Gradients are +∂L/∂input, as
    autograd's. Those of all floating-point and complex inputs are compared, whatever their ``requires_grad``; None for
    an input that requires none is no fault, and the report's ``not_compared`` names it, as it does a container of
    tensors, whose gradients are not looked at. The inputs are left as they were.

    The report has a row for each output and 'gradient of x' for each input, by the names of forward's arguments.
    ``tolerance``, ``differences``, ``strict`` and ``power`` are those of ``check_layer``.

    Whatever backward raises is part of the report. Raises TypeError where a function cannot be called, no input is a
    floating-point tensor, the reference returns no tensors, or a tolerance is no number by dtype; ValueError where
    autograd cannot differentiate the reference, or where it gives other numbers at every call.
    """
    check_tolerance(tolerance)
    for name, given in (("forward", forward), ("backward", backward), ("reference", reference or forward)):
        if not callable(given):
            raise TypeError(f"check_function expects a {name} that can be called, got {described(given)}")
    compute = by_formula(forward, backward, inputs)
    step = function_step(forward, reference or forward, inputs, compute, tolerance)
    return report_of(step, differences=differences, strict=strict, power=power)
