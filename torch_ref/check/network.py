"""Every quantity of a network by hand, by autograd and by finite differences, in the whole pass and formula by formula.

The reference's δ^l is −∂L/∂net^l as autograd gives it, never one of our formulas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from manual_bp import Loss, Network, SoftmaxCrossEntropy, SquaredError
from manual_bp.layer import parameters
from manual_bp.loss import checked_targets
from manual_bp.structure import Names
from torch_ref.autograd.mirrored import LossModule, loss_of, mirror
from torch_ref.check.batch import drawn_input, drawn_targets
from torch_ref.check.mended_layer import with_mended_methods
from torch_ref.check.reading import check_names, named, shapes
from torch_ref.numbers.agreement import Tolerance, check_tolerance, compare
from torch_ref.numbers.witness import Tensors, Witness, check_device, witnesses
from torch_ref.steps.evidence import Evidence
from torch_ref.steps.guarded import generators_kept
from torch_ref.steps.passes import LossSlopes, Reference, by_hand, call
from torch_ref.steps.protocol import answer_step, layer_step, loss_step
from torch_ref.steps.step import Step
from torch_ref.steps.upstream import random_like
from torch_ref.verdict.judge import rows_of, third_opinion
from torch_ref.verdict.power import power_of_steps
from torch_ref.verdict.report import Report
from torch_ref.verdict.row import Row


def crosscheck(
    network: Network, x: Tensor, t: Tensor, *, tolerance: Tolerance | None = None, power: bool = True
) -> Report:
    """Compare the handwritten pass of ``network`` with autograd's on the batch x (N, n^0), t (N, n^L) or (N,).

    Neither the network nor the batch is changed. The report has one row for each quantity, in the order of the
    data flow: net^1, x^1, ..., y, L, e^L, δ^L, ∂L/∂W^L, ∂L/∂b^L, e^(L-1), ... ``tolerance``, by dtype and relative to
    a tensor's norm, takes the place of twice the reference's own rounding error. Where all of it is right, ``power`` of
    the report says which mistakes the check would have seen in every formula alone; False leaves that out.

    Whatever a layer or the loss of the network raises is part of the report, unless the reference raises too: then
    that error is raised, since x or t does not fit. Raises TypeError where ``network`` is no Network, ``mirror`` knows
    no module for a layer or the loss, or a tolerance is no number by dtype; ValueError for a batch without rows.
    """
    if not isinstance(network, Network):
        raise TypeError(f"crosscheck expects a manual_bp.Network, got {type(network).__name__}")
    check_tolerance(tolerance)
    model, loss = mirror(network)
    return check_against(network, tuple(model), loss, x, t, tolerance, power=power)


def check_layers(
    network: Network,
    module: nn.Module,
    x: Tensor | None = None,
    t: Tensor | None = None,
    *,
    tolerance: Tolerance | None = None,
    power: bool = True,
) -> Report:
    """Compare a handwritten network with an ``nn.Module`` of the same layers in the same order, as ``check_module``."""
    modules = tuple(leaf for leaf in _leaves(module) if not isinstance(leaf, nn.Identity))
    own = Network(network.layers, network.loss_function)
    own.load_state_dict(_corresponding(own, modules))
    generator = torch.Generator().manual_seed(0)
    x = drawn_input(own, generator) if x is None else x
    t = drawn_targets(own, x, generator) if t is None else t
    with torch.no_grad():
        _check_order(module, modules, x)
    return check_against(own, modules, loss_of(own.loss_function), x, t, tolerance, power=power)


def _leaves(module: nn.Module) -> list[nn.Module]:
    """Return the innermost modules in the order in which they were registered."""
    children = list(module.children())
    return [leaf for child in children for leaf in _leaves(child)] if children else [module]


def _corresponding(network: Network, modules: tuple[nn.Module, ...]) -> Tensors:
    """Return the modules' parameters under the network's names; raise where the two do not correspond."""
    shown = [type(m).__name__ for m in modules]
    if len(modules) != len(network.layers):
        layers = [type(layer).__name__ for layer in network.layers]
        raise ValueError(f"check_module expects one module for each layer of {layers}, got {shown}")
    state: Tensors = {}
    for i, (layer, module) in enumerate(zip(network.layers, modules, strict=True)):
        mine, theirs = parameters(layer), {name: p.detach() for name, p in module.named_parameters()}
        if {name: p.shape for name, p in mine.items()} != {name: p.shape for name, p in theirs.items()}:
            raise ValueError(
                f"check_module expects {shown[i]} at position {i} to have the parameters of {named(layer, mine)}, "
                f"got {shapes(theirs)}"
            )
        state |= {f"{i}.{name}": p for name, p in theirs.items()}
    return state


def _check_order(module: nn.Module, modules: tuple[nn.Module, ...], x: Tensor) -> None:
    """Raise unless the module computes its innermost modules one after the other."""
    y, whole = x, module(x)
    for leaf in modules:
        y = leaf(y)
    if not (isinstance(whole, Tensor) and whole.shape == y.shape and torch.allclose(whole, y, rtol=1e-3, atol=0)):
        names = " → ".join(type(m).__name__ for m in modules)
        raise ValueError(
            f"check_module expects a module that computes {names} one after the other, but its output is another: "
            "what its forward does besides (a function, another order) cannot be compared layer by layer"
        )


@generators_kept()
def check_against(
    network: Network,
    modules: tuple[nn.Module, ...],
    loss: LossModule,
    x: Tensor,
    t: Tensor,
    tolerance: Tolerance | None = None,
    *,
    power: bool = False,
) -> Report:
    """Compare ``network`` with one module for each of its layers, at the parameters of the network."""
    names = network.names
    for layer, mine in zip(network.layers, network.owned, strict=True):
        check_names(layer, mine)
    if isinstance(x, Tensor) and isinstance(t, Tensor):
        x, t = x.detach(), t.detach()
        for name, tensor in (("x", x), ("t", t), ("the network", network.buffer)):
            check_device(name, tensor)
        if x.ndim and len(x) == 0:
            raise ValueError(f"a check expects x with at least one row, got an empty batch {tuple(x.shape)}")
    hand = by_hand(network, names, x, t)
    if hand.error is not None:
        _check_targets(network.loss_function, t, hand.found.get(names.values[-1]))
    reference = Reference(names, modules, loss)
    try:
        found = witnesses(reference.evaluate, {"x": x, **network.parameters()}, {"t": t})
    except Exception:  # of the reference, whatever it is: it goes on below, or our own error for this batch does
        if hand.error is not None:
            raise hand.error from None  # neither takes this batch, and our message says why
        raise
    rows: dict[str, Row] = {}
    seen_in: dict[str, Evidence] = {}
    steps = [Evidence(step) for step in _steps(network, names, modules, loss, found, x, t, tolerance)]
    for seen in steps:
        judged = rows_of(seen)
        rows |= judged
        seen_in |= dict.fromkeys(judged, seen)
    slopes = LossSlopes(network, names, x, t)
    limit = (tolerance or {}).get(network.buffer.dtype)
    finished = [_with_whole_pass(rows[name], hand.found, found, slopes, limit) for name in names.data_flow()]
    confirmed = third_opinion(finished, seen_in, found)
    report = Report(tuple(confirmed), batch=len(x), dtype=x.dtype, device=x.device, note=hand.note)
    for seen in () if report.ok else steps:
        report = with_mended_methods(report, seen.step)
    if not power or not report.ok:
        return report
    return replace(report, power=power_of_steps(steps))


def _check_targets(loss: Loss, t: Tensor, output: Tensor | None) -> None:
    """Raise what t is wrong about for a loss of the lecture's: no formula is to blame for a t with NaN in it."""
    if output is not None and isinstance(loss, SquaredError | SoftmaxCrossEntropy):
        checked_targets(loss, t, output)


def _steps(
    network: Network,
    names: Names,
    modules: tuple[nn.Module, ...],
    loss: LossModule,
    found: Mapping[str, Witness],
    x: Tensor,
    t: Tensor,
    tolerance: Tolerance | None,
) -> Iterable[Step]:
    """Yield every layer and the loss as a step of its own, fed with what the reference computed."""
    values = [found[name].value for name in names.values]
    errors = [found[name].value for name in names.errors]
    errors = [e if e.any() else random_like(e, i) for i, e in enumerate(errors)]  # zeros put no formula to the test
    for position, (layer, module) in enumerate(zip(network.layers, modules, strict=True)):
        from_to = names.values[position : position + 2]
        is_of_the_lecture = all("^" in value for value in from_to)  # from x^0 to net^1, not from "Tanh 1" to net^1
        yield layer_step(
            layer,
            _as_function(module),
            values[position],
            errors[position + 1],
            names.values[position + 1],
            names.errors[position],
            names.of_layer(position),
            tolerance,
            names.layers[position] if is_of_the_lecture else None,
        )
    function = network.loss_function
    yield answer_step(function, loss.output, values[-1], "y", tolerance)
    yield loss_step(function, loss, values[-1], t, "L", names.errors[-1], tolerance, y=found["y"].value)


def _as_function(module: nn.Module) -> Callable[..., Tensor]:
    return lambda x, **named: call(module, x, named)


def _with_whole_pass(
    row: Row, hand: Mapping[str, Tensor], found: Mapping[str, Witness], slopes: LossSlopes, limit: float | None
) -> Row:
    """Return the row with the quantity as it came out of the whole pass, and the loss's own slope beside it."""
    mine = hand.get(row.quantity)
    if mine is None:
        return row
    compared = compare(mine, found[row.quantity], limit)
    return replace(row, end_to_end=compared, differences=slopes.difference(row.quantity, mine))
