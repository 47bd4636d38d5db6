"""One layer of the protocol, somebody's or ours, against a module or a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from manual_bp import Layer
from manual_bp.layer import check_like, described, parameters
from torch_ref.check.mended_layer import with_mended_methods
from torch_ref.check.reading import check_names, check_no_autocast, named, shapes
from torch_ref.numbers.agreement import Tolerance, check_tolerance
from torch_ref.numbers.witness import Tensors
from torch_ref.steps.buffers import stale_buffers
from torch_ref.steps.passes import call
from torch_ref.steps.protocol import layer_step
from torch_ref.steps.step import plain
from torch_ref.steps.upstream import drawn, random_like
from torch_ref.verdict.judge import report_of
from torch_ref.verdict.report import Report


def check_layer(
    layer: Layer,
    x: Tensor,
    reference: nn.Module | Callable[..., Tensor],
    *,
    error: Tensor | None = None,
    tolerance: Tolerance | None = None,
    differences: bool = True,
    strict: bool = False,
    power: bool = True,
) -> Report:
    """Compare one layer of the protocol with a module or function, at x, for one error of y.

        check_layer(Linear(w, b), x, torch.nn.functional.linear)

    x has any shape that the layer takes; its first dimension counts as the samples. ``error``, −∂L/∂y, has the shape
    and dtype of y, and is random if it is not given. ``reference`` is an ``nn.Module`` with parameters of the layer's
    names and shapes, or a function (x, **parameters) -> y. Both are computed at the layer's own parameters; layer, x
    and module are left as they were.

    Where its methods take ``out``, the layer is also tried in the tensors of another batch.

    The report has the rows y, 'error of x' and '∂L/∂parameter'. ``tolerance``, by dtype and relative to a tensor's
    norm, takes the place of twice the reference's own rounding error. ``differences=False`` leaves the finite
    differences out: for a gradient that is not meant to be the derivative, as in a straight-through estimator.

    With ``strict`` a result that agrees to several digits, but not within rounding (an ε, a cut-off, another
    algorithm), is wrong; otherwise it is accepted with a remark. The report names the smallest mistakes that this
    check would have rejected, unless ``power=False``. Every call is made at the same random numbers.

    Whatever the layer raises is part of the report. Raises TypeError where x is no floating-point tensor, the layer
    has no forward and backward, the reference cannot be called, or a tolerance is no number by dtype; ValueError where
    the error has another shape than y, where a module has other parameters than the layer, where a parameter is called
    x, and where the reference returns no tensor, is not differentiable, or gives other numbers at every call.
    """
    check_tolerance(tolerance)
    check_no_autocast()
    if not isinstance(x, Tensor) or not x.is_floating_point():
        got = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise TypeError(f"check_layer expects x as a floating-point torch.Tensor, got {got}")
    if isinstance(layer, type) or not isinstance(layer, Layer):
        raise TypeError(f"check_layer expects a layer with forward and backward, got {described(layer)}")
    x, mine = x.detach(), parameters(layer)
    check_names(layer, mine)
    function = _reference_of(layer, reference, mine)
    with torch.random.fork_rng(devices=[]), torch.inference_mode(mode=False), torch.enable_grad():
        y: Any = function(plain(x).requires_grad_(), **{name: plain(p).requires_grad_() for name, p in mine.items()})
    if not isinstance(y, Tensor) or not y.requires_grad:
        raise ValueError(
            "check_layer expects a reference that returns one tensor and that autograd can differentiate, got "
            f"{'one that does not depend on x' if isinstance(y, Tensor) else type(y).__name__}"
        )
    further = () if error is not None else (drawn((y,), 1),)
    error = random_like(y, 0) if error is None else error
    check_like("check_layer", "the error of y", error, y)
    of_parameters = {name: f"∂L/∂{name}" for name in mine}
    step = layer_step(layer, function, x, error, "y", "error of x", of_parameters, tolerance)
    step = replace(step, further=further, marks=stale_buffers)
    return with_mended_methods(report_of(step, differences=differences, strict=strict, power=power), step)


def _reference_of(layer: Layer, reference: nn.Module | Callable[..., Tensor], mine: Tensors) -> Callable[..., Tensor]:
    """Return the reference as a function (x, **parameters); a module's parameters must have the layer's names."""
    if not callable(reference):
        raise TypeError(f"check_layer expects a reference that can be called, got {described(reference)}")
    if not isinstance(reference, nn.Module):
        return reference
    module = reference
    theirs = {name: p.detach() for name, p in module.named_parameters()}
    if {name: p.shape for name, p in mine.items()} != {name: p.shape for name, p in theirs.items()}:
        expected = f"a reference with the parameters of {named(layer, mine)}"
        raise ValueError(f"check_layer expects {expected}, got {type(module).__name__} with {shapes(theirs)}")
    return lambda x, **given: call(module, x, given)
