"""A pair of plain functions, forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from manual_bp.layer import described
from torch_ref.check.by_differences import report_by_differences
from torch_ref.check.mended import with_mends
from torch_ref.check.reading import check_no_autocast, unchanged
from torch_ref.numbers.agreement import Tolerance, check_tolerance
from torch_ref.steps.adapted import Pair, followed_by, on_arrays
from torch_ref.steps.arguments import Arguments
from torch_ref.steps.calling import attempt
from torch_ref.steps.following import is_of_numpy, reason_not_to_follow
from torch_ref.steps.function import by_formula, function_step
from torch_ref.steps.meant import straight_through
from torch_ref.steps.second_order import by_formula as second_order_of
from torch_ref.steps.second_order import second_step
from torch_ref.steps.step import Step, negative, sequence
from torch_ref.verdict.judge import report_of
from torch_ref.verdict.report import Report


def check_function(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    inputs: Sequence[Any] | Mapping[str, Any],
    *,
    reference: Callable[..., Any] | None = None,
    upstream: Tensor | Sequence[Tensor] | None = None,
    tolerance: Tolerance | None = None,
    differences: bool = True,
    strict: bool = False,
    power: bool = True,
    second_order: bool = False,
) -> Report:
    """Compare a handwritten ``backward`` with autograd through ``reference``, or through ``forward`` itself.

        check_function(lambda x: x**3, lambda d_y, x: 3 * d_y * x**2, [x])

    ``inputs`` are the arguments in order, or by name: tensors of any shapes, and anything else, which is handed on as
    it is. ``forward(*inputs)`` returns one tensor or several. ``backward(*gradients of the outputs, *inputs)`` returns
    the gradient of each input in order, in the input's shape, None for what has none; by name where the inputs are.
    Gradients are +∂L/∂input, as autograd's. Those of all floating-point and complex inputs are compared, whatever their
    ``requires_grad``; None for an input that requires none is no fault, and the report's ``not_compared`` names it.
    Tensors in a list, tuple, dict or dataclass are inputs too: for such an argument backward returns the same
    container, with gradients in it. The inputs are left as they were.

    ``forward`` may also return ``(output, cache)``, and ``backward`` take ``(gradient of the output, cache)``, for a
    loss also the cache alone. Both may be functions of numpy, with arrays for tensors: autograd follows forward as it
    is; where it cannot, central differences of each entry (of 200 of a large array) take its place, which the report's
    ``remarks`` say.

    ``reference`` is a function of the same inputs, or an ``nn.Module``. ``upstream`` gives the gradients of the
    outputs; without it two are drawn, or 1 for one number, a loss. A backward that takes the inputs alone, without
    upstream gradients, is called so. The report has a row for each output and 'gradient of x' for each input, by the
    names of forward's arguments. ``tolerance``, ``differences``, ``strict`` and ``power`` are those of ``check_layer``;
    without ``differences`` and without a reference, what forward rounds counts as a straight-through estimator.

    With ``second_order`` what autograd makes of ``backward`` itself, made of torch operations, is compared with the
    reference's second derivatives: 'second derivative by x'.

    Whatever backward raises is part of the report. Raises TypeError where a function cannot be called, no input is a
    floating-point tensor, a tensor cannot be checked (sparse, nested, float8, meta, indices without a sign), the
    reference returns no tensors, or a tolerance is no number by dtype; ValueError where autograd cannot differentiate
    the reference, or where it gives other numbers at every call; RuntimeError under autocast.
    """
    check_tolerance(tolerance)
    check_no_autocast()
    for name, given in (("forward", forward), ("backward", backward), ("reference", reference or forward)):
        if not callable(given):
            raise TypeError(f"check_function expects a {name} that can be called, got {described(given)}")
    own = Pair(forward, backward, inputs)
    pair = own.without_cache().with_tensors()
    if pair.of_numpy and second_order:
        raise TypeError("second_order=True expects a forward and a backward made of torch operations, got numpy arrays")
    forward, backward = pair.forward, pair.backward
    arguments, forward = Arguments.of(forward, pair.inputs), unchanged(forward)
    compute = by_formula(forward, backward, arguments, any_dtype=pair.of_numpy)
    d_outputs = None if upstream is None else sequence(upstream)
    if pair.followed and (reference is None or is_of_numpy(unchanged(reference), arguments)):
        compared = forward if reference is None else on_arrays(reference)
        reference = pair.followed if reference is None else followed_by(reference)
        if why := reason_not_to_follow(compared, reference, arguments):
            return report_by_differences(
                forward, compared, compute, arguments, why, upstream=d_outputs, tolerance=tolerance
            )
    if reference is None:
        reference = forward if differences else straight_through(forward)
    reference = unchanged(reference)
    step = function_step(forward, reference, arguments, compute, tolerance, upstream=d_outputs)
    gradients = second_order_of(backward, arguments, [*step.gradients])
    second = second_step(step, gradients, backward) if second_order else None
    report = report_of(step, differences=differences, strict=strict, power=power, second=second)

    def given_by(changed: Callable[..., Any], at: Step) -> Mapping[str, Any]:
        other = changed if pair is own else replace(own, backward=changed).without_cache().with_tensors().backward
        here = arguments.having(at.inputs | at.fixed)
        d = here.in_order(here.call(other, *([] if takes_none else [negative(e) for e in at.errors])))
        return {name: here.part(d, name) for name in at.gradients}

    takes_none = not arguments.fit(backward, *step.errors) and arguments.fit(backward)
    report = with_mends(report, step, own.backward, own.forward, given_by, arguments.names)
    left = tuple((f"gradient of {name}", A_NUMBER) for name in _numbers(arguments, backward, step))
    return replace(report, not_compared=(*report.not_compared, *left))


A_NUMBER = "it is a number: give it as an array or a tensor"


def _numbers(arguments: Arguments, backward: Callable[..., Any], step: Step) -> list[str]:
    """Return the inputs that are numbers, no tensors, for which backward returns a gradient."""
    numbers = [name for name, value in zip(arguments.names, arguments.values, strict=True) if type(value) is float]
    if not numbers:
        return []
    here, upstream = arguments.having(step.inputs | step.fixed), [negative(e) for e in step.errors]
    found = attempt(lambda: here.in_order(here.call(backward, *upstream))) or ()
    given = dict(zip(arguments.names, found, strict=False))
    return [name for name in numbers if isinstance(given.get(name), float | int | Tensor)]
