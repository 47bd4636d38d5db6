"""A ``torch.autograd.Function``, however it gets its inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.autograd.gradcheck import GradcheckError, gradcheck

from torch_ref.numbers.agreement import Tolerance, check_tolerance
from torch_ref.steps.calling import attempt
from torch_ref.steps.function import arguments_of, by_autograd, function_step
from torch_ref.steps.layouts import with_variants
from torch_ref.steps.step import Step, sequence
from torch_ref.verdict.judge import report_of
from torch_ref.verdict.report import Report


def check_autograd_function(
    function: type[torch.autograd.Function],
    inputs: Sequence[Any],
    reference: Callable[..., Any],
    *,
    tolerance: Tolerance | None = None,
    differences: bool = True,
    strict: bool = False,
    power: bool = True,
) -> Report:
    """Compare a ``torch.autograd.Function`` with autograd through ``reference(*inputs)``.

    ``inputs`` are the arguments of ``apply`` in order: tensors of any shapes, and anything else, which is handed on
    as it is. Differentiated are all floating-point and complex inputs, whatever their ``requires_grad``; None for
    one that requires none is no fault, and the report's ``not_compared`` names it. How the
    Function gets its inputs must not matter: it is also tried with inputs and upstream gradients that are not
    contiguous, with expanded ones, and with one input at a time that needs a gradient.
    ``torch.autograd.gradcheck``, in float64, is called too, where the Function can compute in it.

    The report has a row for each output and 'gradient of x' for each input, by the names of forward's arguments.
    ``tolerance``, ``differences``, ``strict`` and ``power`` are those of ``check_layer``.

    Whatever the Function raises is part of the report. Raises TypeError where it is no subclass of
    ``torch.autograd.Function``, no input is a floating-point tensor, the reference returns no tensors, or a tolerance
    is no number by dtype; ValueError where autograd cannot differentiate the reference, or where it gives other
    numbers at every call.
    """
    check_tolerance(tolerance)
    if not (isinstance(function, type) and issubclass(function, torch.autograd.Function)):
        got = getattr(function, "__name__", type(function).__name__)
        raise TypeError(f"check_autograd_function expects a subclass of torch.autograd.Function, got {got}")
    compute = with_variants(by_autograd(function, inputs), function, reference, inputs, tolerance)
    step = function_step(function.apply, reference, inputs, compute, tolerance, named_like=function.forward)
    report = report_of(step, differences=differences, strict=strict, power=power)
    return replace(report, note=_gradcheck(function, step, inputs)) if report.ok and differences else report


def _gradcheck(function: type[torch.autograd.Function], step: Step, inputs: Sequence[Any]) -> str:
    """Return what torch's own checker has against a Function in float64: gradients left out, other answers at a rerun.

    Its numerical Jacobian is no argument: our slopes have a step of the size of the numbers, and see kinks.
    """
    apply: Callable[..., Any] = function.apply
    with torch.inference_mode(mode=False), torch.enable_grad():
        doubles = {name: t.double().contiguous().clone() for name, t in step.inputs.items()}
        leaves = {name: t.requires_grad_(name in step.gradients) for name, t in doubles.items()}
        arguments = arguments_of(leaves | step.fixed, inputs, list(step.names))
        outputs = attempt(lambda: [y for y in sequence(apply(*arguments)) if y.requires_grad])
        wanted = [leaves[name] for name in step.gradients]
        ones = [torch.ones_like(y) for y in outputs or []]
        if not outputs or attempt(lambda: torch.autograd.grad(outputs, wanted, ones, allow_unused=True)) is None:
            return ""  # it cannot compute in float64
        try:
            gradcheck(apply, tuple(arguments), fast_mode=True)
        except GradcheckError as error:
            numerical = any(word in str(error) for word in ("Jacobian mismatch", "Numerical gradient"))
            return "" if numerical else f"torch.autograd.gradcheck says: {' '.join(str(error).split())}"
        except Exception as error:  # the Function's own, where gradcheck leaves upstream gradients out
            return f"torch.autograd.gradcheck leaves upstream gradients out: {type(error).__name__}: {error}"
    return ""
