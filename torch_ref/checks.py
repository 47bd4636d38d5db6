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
from manual_bp.layer import parameters
from torch_ref.compare import Tensors, Tolerance
from torch_ref.formulas import quantity
from torch_ref.function_step import (
    arguments_of,
    attempt,
    by_autograd,
    by_formula,
    function_step,
    random_like,
)
from torch_ref.judge import rows_with_slopes
from torch_ref.passes import call
from torch_ref.protocol_step import layer_step
from torch_ref.report import Report
from torch_ref.step import Step, plain
from torch_ref.variants import with_variants


def check_layer(
    layer: Layer,
    x: Tensor,
    reference: nn.Module | Callable[..., Tensor],
    *,
    error: Tensor | None = None,
    tolerance: Tolerance | None = None,
) -> Report:
    """Compare one layer of the protocol with a module or function, at x, for one error of y (random if not given).

    ``reference`` is an ``nn.Module`` with parameters of the layer's names, or a function (x, **parameters) -> y; both
    are computed at the layer's own parameters.

        check_layer(Linear(w, b), x, torch.nn.functional.linear)
    """
    if not isinstance(x, Tensor) or not x.is_floating_point():
        got = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise TypeError(f"check_layer expects x as a floating-point torch.Tensor, got {got}")
    x, mine = x.detach(), parameters(layer)
    function = _reference_of(layer, reference, mine)
    with torch.no_grad():
        y = function(plain(x), **{name: plain(p) for name, p in mine.items()})
    error = random_like(y, 0) if error is None else error
    if error.shape != y.shape:
        raise ValueError(f"check_layer expects the error of y of shape {tuple(y.shape)}, got {tuple(error.shape)}")
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
    return _report(step)


def check_function(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    inputs: Sequence[Any],
    *,
    reference: Callable[..., Any] | None = None,
    tolerance: Tolerance | None = None,
) -> Report:
    """Compare a handwritten ``backward`` with autograd through ``reference``, or through ``forward`` itself.

    ``forward(*inputs)`` returns one tensor or several; ``backward(*gradients of the outputs, *inputs)`` returns the
    gradient of each input in order, None for what has none. Gradients are +∂L/∂input, as autograd's.

        check_function(lambda x: x**3, lambda d_y, x: 3 * d_y * x**2, [x])
    """
    step = function_step(forward, reference or forward, inputs, by_formula(forward, backward, inputs), tolerance)
    return _report(step)


def check_autograd_function(
    function: type[torch.autograd.Function],
    inputs: Sequence[Any],
    reference: Callable[..., Any],
    *,
    tolerance: Tolerance | None = None,
) -> Report:
    """Compare a ``torch.autograd.Function`` with autograd through ``reference(*inputs)``.

    Differentiated are the floating-point inputs that require a gradient, or all where none does. How the Function
    gets its inputs must not matter: it is also tried with inputs and upstream gradients that are not contiguous,
    with expanded ones, and with one input at a time that needs a gradient. ``torch.autograd.gradcheck``, in float64,
    has the last word where the Function can compute in it.
    """
    if not (isinstance(function, type) and issubclass(function, torch.autograd.Function)):
        got = getattr(function, "__name__", type(function).__name__)
        raise TypeError(f"check_autograd_function expects a subclass of torch.autograd.Function, got {got}")
    by_hand = with_variants(by_autograd(function, inputs), function, reference, inputs, tolerance)
    step = function_step(function.apply, reference, inputs, by_hand, tolerance, named_like=function.forward)
    report = _report(step)
    return replace(report, note=_gradcheck(function, step, inputs)) if report.ok else report


def _gradcheck(function: type[torch.autograd.Function], step: Step, inputs: Sequence[Any]) -> str:
    """Return what torch's own checker has against a Function, in float64; nothing where it has no float64."""
    doubles = {name: t.double().requires_grad_(name in step.gradients) for name, t in step.inputs.items()}
    arguments = arguments_of(doubles | step.fixed, inputs, list(step.names))
    apply: Callable[..., Any] = function.apply
    _, failure = attempt(lambda: apply(*arguments))
    if failure:
        return ""  # a kernel for one dtype only
    try:
        gradcheck(apply, tuple(arguments), fast_mode=True)
    except GradcheckError as error:
        return f"torch.autograd.gradcheck says: {' '.join(str(error).split())}"
    except Exception as error:  # the Function's own, under an input that only gradcheck tries
        return f"torch.autograd.gradcheck, which also leaves upstream gradients out: {type(error).__name__}: {error}"
    return ""


def _report(step: Step) -> Report:
    x = next(iter(step.inputs.values()))
    rows = tuple(rows_with_slopes(step))
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
