"""The same checks for other people's code: a layer, a pair of functions, a ``torch.autograd.Function``.

Each returns a Report with the same rows, verdict and causes as ``crosscheck``; ``assert_gradients_match`` raises it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.gradcheck import GradcheckError, gradcheck

from manual_bp import Layer
from manual_bp.layer import check_like, parameters
from torch_ref.known.formulas import quantity
from torch_ref.numbers.agreement import Tolerance, check_tolerance
from torch_ref.numbers.witness import Tensors
from torch_ref.steps.function import (
    arguments_of,
    attempt,
    by_autograd,
    by_formula,
    function_step,
    random_like,
)
from torch_ref.steps.layouts import with_variants
from torch_ref.steps.passes import call
from torch_ref.steps.protocol import layer_step
from torch_ref.steps.step import Step, plain, sequence
from torch_ref.verdict.judge import rows_of, rows_with_slopes
from torch_ref.verdict.report import Report


def check_layer(
    layer: Layer,
    x: Tensor,
    reference: nn.Module | Callable[..., Tensor],
    *,
    error: Tensor | None = None,
    tolerance: Tolerance | None = None,
    differences: bool = True,
) -> Report:
    """Compare one layer of the protocol with a module or function, at x, for one error of y (random if not given).

    ``reference`` is an ``nn.Module`` with parameters of the layer's names, or a function (x, **parameters) -> y; both
    are computed at the layer's own parameters.

        check_layer(Linear(w, b), x, torch.nn.functional.linear)

    ``differences=False``, here and in the next two, leaves the finite differences out: for a gradient that is not
    meant to be the derivative, as in a straight-through estimator.
    """
    if not isinstance(x, Tensor) or not x.is_floating_point():
        got = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise TypeError(f"check_layer expects x as a floating-point torch.Tensor, got {got}")
    x, mine = x.detach(), parameters(layer)
    function = _reference_of(layer, reference, mine)
    with torch.random.fork_rng(devices=[]), torch.inference_mode(mode=False), torch.enable_grad():
        y = function(plain(x).requires_grad_(), **{name: plain(p).requires_grad_() for name, p in mine.items()})
    if not isinstance(y, Tensor) or not y.requires_grad:
        raise ValueError(
            "check_layer expects a reference that returns one tensor and that autograd can differentiate, got "
            f"{'one that does not depend on x' if isinstance(y, Tensor) else type(y).__name__}"
        )
    error = random_like(y, 0) if error is None else error
    check_like("check_layer", "the error of y", error, y)
    step = layer_step(
        layer,
        function,
        x,
        error,
        quantity("y", layer, "forward"),
        quantity("error of x", layer, "error"),
        {name: quantity(f"∂L/∂{name}", layer, name) for name in mine},
        tolerance,
    )
    return _report(step, differences)


def check_function(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    inputs: Sequence[Any],
    *,
    reference: Callable[..., Any] | None = None,
    tolerance: Tolerance | None = None,
    differences: bool = True,
) -> Report:
    """Compare a handwritten ``backward`` with autograd through ``reference``, or through ``forward`` itself.

    ``forward(*inputs)`` returns one tensor or several; ``backward(*gradients of the outputs, *inputs)`` returns the
    gradient of each input in order, None for what has none. Gradients are +∂L/∂input, as autograd's.

        check_function(lambda x: x**3, lambda d_y, x: 3 * d_y * x**2, [x])
    """
    step = function_step(forward, reference or forward, inputs, by_formula(forward, backward, inputs), tolerance)
    return _report(step, differences)


def check_autograd_function(
    function: type[torch.autograd.Function],
    inputs: Sequence[Any],
    reference: Callable[..., Any],
    *,
    tolerance: Tolerance | None = None,
    differences: bool = True,
) -> Report:
    """Compare a ``torch.autograd.Function`` with autograd through ``reference(*inputs)``.

    Differentiated are the floating-point inputs that require a gradient, or all where none does. How the Function
    gets its inputs must not matter: it is also tried with inputs and upstream gradients that are not contiguous,
    with expanded ones, and with one input at a time that needs a gradient. ``torch.autograd.gradcheck``, in float64,
    is called too, where the Function can compute in it.
    """
    if not (isinstance(function, type) and issubclass(function, torch.autograd.Function)):
        got = getattr(function, "__name__", type(function).__name__)
        raise TypeError(f"check_autograd_function expects a subclass of torch.autograd.Function, got {got}")
    by_hand = with_variants(by_autograd(function, inputs), function, reference, inputs, tolerance)
    step = function_step(function.apply, reference, inputs, by_hand, tolerance, named_like=function.forward)
    report = _report(step, differences)
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
        outputs, failure = attempt(lambda: [y for y in sequence(apply(*arguments)) if y.requires_grad])
        wanted = [leaves[name] for name in step.gradients]
        ones = [torch.ones_like(y) for y in outputs or []]
        _, no_float64 = attempt(lambda: torch.autograd.grad(outputs, wanted, ones, allow_unused=True))
        if failure or no_float64:
            return ""
        try:
            gradcheck(apply, tuple(arguments), fast_mode=True)
        except GradcheckError as error:
            numerical = any(word in str(error) for word in ("Jacobian mismatch", "Numerical gradient"))
            return "" if numerical else f"torch.autograd.gradcheck says: {' '.join(str(error).split())}"
        except Exception as error:  # the Function's own, where gradcheck leaves upstream gradients out
            return f"torch.autograd.gradcheck leaves upstream gradients out: {type(error).__name__}: {error}"
    return ""


def _report(step: Step, differences: bool) -> Report:
    check_tolerance(step.tolerance)
    step.check_repeatable()
    x = next(iter(step.inputs.values()))
    rows = tuple(rows_with_slopes(step) if differences else rows_of(step).values())
    return Report(rows, batch=len(x) if x.ndim else 1, dtype=x.dtype, device=x.device)


def _reference_of(layer: Layer, reference: nn.Module | Callable[..., Tensor], mine: Tensors) -> Callable[..., Tensor]:
    """Return the reference as a function (x, **parameters); a module's parameters must have the layer's names."""
    if not isinstance(reference, nn.Module):
        return reference
    module = reference
    shapes = {name: tuple(p.shape) for name, p in mine.items()}
    theirs = {name: tuple(p.shape) for name, p in module.named_parameters()}
    if shapes != theirs:
        raise ValueError(f"check_layer expects a reference with the parameters of {layer}: {shapes}, got {theirs}")
    return lambda x, **named: call(module, x, named)
