"""Two modules of PyTorch, submodule by submodule; or a network of ``manual_bp`` and a module of the same layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from manual_bp import Network
from torch_ref.check.network import check_layers
from torch_ref.check.passes import Subject
from torch_ref.check.reading import check_no_autocast
from torch_ref.check.submodules import report_on
from torch_ref.numbers.agreement import Tolerance, check_tolerance
from torch_ref.steps.parameters import check_initialised
from torch_ref.steps.step import sequence
from torch_ref.verdict.report import Report

Inputs = Tensor | Sequence[Any] | Mapping[str, Any]


def check_module(
    module: nn.Module | Network,
    reference: nn.Module,
    inputs: Inputs | None = None,
    t: Tensor | None = None,
    *,
    x: Tensor | None = None,
    mapping: Mapping[str, str] | None = None,
    upstream: Tensor | Sequence[Tensor] | None = None,
    tolerance: Tolerance | None = None,
    strict: bool = False,
    power: bool = True,
) -> Report:
    """Compare a module that holds handwritten code with another ``nn.Module``, submodule by submodule.

        check_module(mine, reference, [x])

    ``inputs`` are the arguments of forward: one tensor, a sequence in order, or a mapping by name. The reference is
    computed at the parameters and buffers of ``module``. A parameter is known by its name, else by its shape, in order;
    ``mapping`` says {mine: reference}, of parameters or of submodules. Neither module is changed, and their
    ``requires_grad`` does not matter. Both are called at the same random numbers.

    Every submodule is looked at alone, with the numbers and the upstream gradients that the reference's got, and in the
    whole pass. A submodule is known by its path, else by its parameters, else by the order in which the innermost are
    called. The report's ``not_compared`` names those that have no counterpart, with the reason; they count as a part of
    what they lie in. The rows are 'output of block.2', 'gradient of x of block.2', 'gradient of block.2.weight', and
    without 'of' for the whole module. ``upstream`` gives the gradients of its outputs; else they are drawn.

    With a ``manual_bp.Network``, check_module(network, module, x, t), the module computes the same layers in the same
    order; the parameters are the module's, the loss is the network's, and the rows those of ``crosscheck``. Without x
    (N, n^0) and t, (N, n^L) or N class indices, a random batch of 16 is drawn: rows or, where a convolution is lowest,
    square images that fit. ``tolerance``, ``strict`` and
    ``power`` are those of ``check_layer``.

    Whatever ``module`` raises is part of the report; what the reference raises is raised. Raises TypeError where one of
    them is no module, the inputs are none, or a tolerance is no number by dtype; ValueError where parameters do not
    correspond, in shape, dtype or device, where one module is in training mode and the other is not, or where the
    reference gives other numbers at every call; RuntimeError under autocast.
    """
    check_tolerance(tolerance)
    given = inputs if x is None else x
    if isinstance(module, Network):
        if not isinstance(reference, nn.Module):
            raise TypeError(f"check_module expects a torch.nn.Module, got {type(reference).__name__}")
        if mapping is not None or upstream is not None or strict:
            raise TypeError("check_module expects mapping, upstream and strict for two nn.Modules only, got a Network")
        return check_layers(module, reference, given, t, tolerance=tolerance, power=power)  # type: ignore[arg-type]
    check_no_autocast()
    module, reference = (getattr(one, "_orig_mod", one) for one in (module, reference))  # of torch.compile
    _check_modules(module, reference)
    if given is None or t is not None:
        raise TypeError(
            f"check_module expects a manual_bp.Network, got {type(module).__name__}: two nn.Modules are compared on "
            "inputs, check_module(mine, reference, [x]), and with no targets but those among the inputs"
        )
    return report_on(
        Subject.of(module, reference, given, mapping or {}),
        None if upstream is None else sequence(upstream),
        tolerance,
        strict=strict,
        power=power,
    )


def _check_modules(module: Any, reference: Any) -> None:
    """Raise where one of them is no module, or cannot be compared as it is."""
    for name, given in (("a module", module), ("a reference", reference)):
        if not isinstance(given, nn.Module):
            got = f"the class {given.__name__}" if isinstance(given, type) else type(given).__name__
            expected = "an instance of torch.nn.Module" + (" or a manual_bp.Network" if name == "a module" else "")
            raise TypeError(f"check_module expects {name} that is {expected}, got {got}")
        if isinstance(given, torch.jit.ScriptModule):
            raise TypeError(f"check_module expects {name} of Python, got one of torch.jit: give what it was made from")
        check_initialised(given)
    if module.training != reference.training:
        of_each = ["in training mode" if m.training else "in evaluation mode" for m in (module, reference)]
        raise ValueError(
            f"check_module expects both modules in the same mode, got the first {of_each[0]} and the reference "
            f"{of_each[1]}: call .train() or .eval() on both"
        )
