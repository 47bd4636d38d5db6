"""A ``torch.autograd.Function``, however it gets its inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd.gradcheck import GradcheckError, gradcheck

from manual_bp.layer import described
from torch_ref.check.mended import with_mends
from torch_ref.check.reading import check_no_autocast, unchanged
from torch_ref.numbers.agreement import Tolerance, check_tolerance
from torch_ref.numbers.witness import all_finite, doubled_tensor
from torch_ref.steps.arguments import Arguments
from torch_ref.steps.calling import attempt
from torch_ref.steps.function import by_autograd, function_step, gradients_by
from torch_ref.steps.layouts import variants
from torch_ref.steps.second_order import NOT_ASKED, forbids, is_left_out, second_step
from torch_ref.steps.second_order import by_autograd as second_order_of
from torch_ref.steps.step import Forward, Step, sequence
from torch_ref.verdict.judge import report_of
from torch_ref.verdict.report import Report

NEAR_ENOUGH = 1e300
"""How far gradcheck's Jacobians may be apart."""


def check_autograd_function(
    function: type[torch.autograd.Function],
    inputs: Sequence[Any],
    reference: Callable[..., Any],
    *,
    upstream: Tensor | Sequence[Tensor] | None = None,
    layouts: bool = True,
    tolerance: Tolerance | None = None,
    differences: bool = True,
    strict: bool = False,
    power: bool = True,
    second_order: bool = False,
) -> Report:
    """Compare a ``torch.autograd.Function`` with autograd through ``reference(*inputs)``.

    ``reference`` is a function or an ``nn.Module``. ``inputs`` are the arguments of ``apply`` in order: tensors of any
    shapes, and anything else, which is handed on as it is. Differentiated are all floating-point and complex inputs,
    whatever their ``requires_grad``; None for one that requires none is no fault, and the report's ``not_compared``
    names it. How the Function gets its inputs must not matter: it is also tried with inputs and upstream gradients that
    are strided, transposed and expanded, with one input at a time that needs a gradient, with all but one, and with
    outputs that are not used. One that expects contiguous tensors is checked with ``layouts=False``.
    ``torch.autograd.gradcheck``, in float64, is called too, where the Function can compute in it.

    With ``second_order`` the second derivatives, by autograd through the Function's own backward, are compared too:
    'second derivative by x'. Without it the report says that they were not, unless the Function forbids them.

    The report has a row for each output and 'gradient of x' for each input, by the names of forward's arguments.
    ``tolerance``, ``differences``, ``strict`` and ``power`` are those of ``check_layer``, ``upstream`` that of
    ``check_function``.

    Whatever the Function raises is part of the report. Raises TypeError where it is no subclass of
    ``torch.autograd.Function``, no input is a floating-point tensor, the reference cannot be called or returns no
    tensors, or a tolerance is no number by dtype; ValueError where ``second_order`` is asked of a Function that forbids
    it, where autograd cannot differentiate the reference, or where it gives other numbers at every call; RuntimeError
    under autocast.
    """
    check_tolerance(tolerance)
    check_no_autocast()
    if not (isinstance(function, type) and issubclass(function, torch.autograd.Function)):
        got = getattr(function, "__name__", type(function).__name__)
        raise TypeError(f"check_autograd_function expects a subclass of torch.autograd.Function, got {got}")
    if not callable(reference):
        raise TypeError(
            "check_autograd_function expects a reference that can be called, a function of the same inputs made of "
            f"torch operations, got {described(reference)}"
        )
    if second_order and forbids(function):
        raise ValueError(
            "check_autograd_function expects second_order=True for a Function that can be differentiated twice, got "
            f"{function.__name__}, whose backward is once_differentiable: leave one of the two out"
        )
    arguments, reference = Arguments.of(function.forward, inputs, is_open=False), unchanged(reference)
    compute = by_autograd(function, arguments)
    marks = variants(compute, function, reference, arguments, tolerance, layouts)
    d_outputs = None if upstream is None else sequence(upstream)
    step = function_step(function.apply, reference, arguments, compute, tolerance, upstream=d_outputs)
    forward: Forward = lambda i, f: sequence(arguments.having(i | f).call(function.apply))  # noqa: E731
    gradients = second_order_of(forward, [*step.gradients])
    second = second_step(step, gradients, function.backward) if second_order else None
    step = replace(step, marks=marks)
    report = report_of(step, differences=differences, strict=strict, power=power, second=second)

    def given_by(changed: Callable[..., Any], at: Step) -> dict[str, Tensor | None]:
        return gradients_by(type(function.__name__, (function,), {"backward": staticmethod(changed)}), arguments, at)

    report = with_mends(report, step, function.backward, function.forward, given_by, arguments.names)
    if report.ok and second is None and is_left_out(function, arguments, step):
        report = replace(report, not_compared=(*report.not_compared, NOT_ASKED))
    return replace(report, note=_gradcheck(function, step, arguments)) if report.ok and differences else report


def _gradcheck(function: type[torch.autograd.Function], step: Step, arguments: Arguments) -> str:
    """Return what torch's own checker has against a Function in float64: gradients left out, other answers at a rerun.

    Its numerical Jacobian is no argument: our slopes have a step of the size of the numbers, and see kinks. So every
    Jacobian is near enough; where one is not, gradcheck computes all n² numbers of it to say so.
    """
    apply: Callable[..., Any] = function.apply
    with torch.inference_mode(mode=False), torch.enable_grad():
        doubles = {name: doubled_tensor(t).contiguous().clone() for name, t in step.inputs.items()}
        leaves = {name: t.requires_grad_(name in step.gradients) for name, t in doubles.items()}
        given = arguments.having(leaves | step.fixed).values
        outputs = attempt(lambda: [y for y in sequence(apply(*given)) if y.requires_grad])
        wanted = [leaves[name] for name in step.gradients]
        ones = [torch.ones_like(y) for y in outputs or []]
        found = outputs and attempt(lambda: torch.autograd.grad(outputs, wanted, ones, allow_unused=True))
        if not found or not all_finite(*outputs, *(d for d in found if d is not None)):
            return ""  # it cannot compute in float64, or there are no numbers to compare
        try:
            gradcheck(apply, given, atol=NEAR_ENOUGH, fast_mode=True)
        except GradcheckError as error:
            numerical = any(word in str(error) for word in ("Jacobian mismatch", "Numerical gradient"))
            return "" if numerical else f"torch.autograd.gradcheck says: {' '.join(str(error).split())}"
        except Exception as error:  # the Function's own, where gradcheck leaves upstream gradients out
            return f"torch.autograd.gradcheck leaves upstream gradients out: {type(error).__name__}: {error}"
    return ""
