"""Every quantity of a network by hand, by autograd and by finite differences, in the whole pass and formula by formula.

The reference's δ^l is −∂L/∂net^l as autograd gives it, never one of our formulas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from manual_bp import Layer, Network
from manual_bp.layer import parameters
from torch_ref.compare import Tensors, Witness, compare, witnesses
from torch_ref.differences import MARGIN, SURE, slope
from torch_ref.formulas import quantity
from torch_ref.judge import differs_from_own_slope, rows_of
from torch_ref.mirror import LossModule, mirror
from torch_ref.report import Report, Row, guilty
from torch_ref.step import Outputs, Step, answer_step, layer_step, loss_step, plain

SYMBOL = {"weight": "W", "bias": "b"}
Tolerance = Mapping[torch.dtype, float]


def crosscheck(network: Network, x: Tensor, t: Tensor, *, tolerance: Tolerance | None = None) -> Report:
    """Compare the handwritten pass of ``network`` with autograd's on the batch x (N, n^0), t (N, n^L) or (N,).

    Neither the network nor the batch is changed. The report has one row for each quantity, in the order of the
    data flow: net^1, x^1, ..., y, L, e^L, δ^L, ∂L/∂W^L, ∂L/∂b^L, e^(L-1), ... ``tolerance``, by dtype and relative to
    a tensor's norm, takes the place of twice the reference's own rounding error.
    """
    model, loss = mirror(network)
    return check_against(network, tuple(model), loss, x, t, tolerance)


def check_against(
    network: Network,
    modules: tuple[nn.Module, ...],
    loss: LossModule,
    x: Tensor,
    t: Tensor,
    tolerance: Tolerance | None = None,
) -> Report:
    """Compare ``network`` with one module for each of its layers, at the parameters of the network."""
    by_hand, note = _by_hand(network, x, t)
    names = _Names.of(network)
    reference = _Reference(network, names, modules, loss)
    found = witnesses(reference.evaluate, {"x": x, **network.parameters()}, {"t": t})
    rows: dict[str, Row] = {}
    step_of: dict[str, Step] = {}
    for step in _steps(network, names, modules, loss, found, x, t, tolerance):
        judged = rows_of(step)
        rows |= judged
        step_of |= dict.fromkeys(judged, step)
    slopes = _LossSlopes(network, names, x, t)
    limit = (tolerance or {}).get(network.buffer.dtype)
    finished = [_with_whole_pass(rows[name], by_hand, found, slopes, limit) for name in names.data_flow()]
    confirmed = _third_opinion(finished, step_of, found)
    return Report(tuple(confirmed), batch=len(x), dtype=x.dtype, device=x.device, note=note)


def _third_opinion(rows: list[Row], step_of: Mapping[str, Step], found: Mapping[str, Witness]) -> list[Row]:
    """Blame both sides for a formula on which they agree with each other, but not with the finite differences.

    Those of the whole loss raise the suspicion; those of the formula alone, which a deep network cannot blur, decide.
    """
    suspected = [
        row
        for row in rows
        if row.differences is not None
        and row.differences > MARGIN * SURE
        and row.differences > MARGIN * found[row.quantity].bound()  # where arithmetic itself is that inexact
    ]
    if not suspected or any(row.status == "wrong" for row in rows):
        return rows
    blamed = {row.quantity for row in suspected if differs_from_own_slope(step_of[row.quantity], row.of)}
    cause = "the derivative of the forward formula, by finite differences, is another"
    if blamed:
        return [guilty(row, "both", cause) if row.quantity in blamed else row for row in rows]
    unsure = {row.quantity for row in suspected}
    return [replace(row, differences=None) if row.quantity in unsure else row for row in rows]


# ------------------------------------------------------------------------------------------------------ the names


@dataclass(frozen=True)
class _Names:
    """The lecture's names for the values and errors of a network, by position, and for its gradients."""

    values: tuple[str, ...]
    errors: tuple[str, ...]
    layers: tuple[int, ...]
    """The lecture's index of each layer of the network."""
    gradients: dict[str, str]
    """By the parameter's name in ``nn.Sequential``."""

    @classmethod
    def of(cls, network: Network) -> _Names:
        """Name everything in a network."""
        size = len(network.layers) + 1
        values, errors = [f"value {i}" for i in range(size)], [f"error of value {i}" for i in range(size)]
        for l in range(network.depth, -1, -1):
            values[network.index_of_x(l)], errors[network.index_of_x(l)] = f"x^{l}", f"e^{l}"
            if l:
                values[network.index_of_net(l)], errors[network.index_of_net(l)] = f"net^{l}", f"δ^{l}"
        layers = [sum(p <= i for p in network.net_positions) for i in range(len(network.layers))]
        gradients = {}
        for name in network.parameters():
            position, short = name.split(".", 1)
            gradients[name] = f"∂L/∂{SYMBOL.get(short, short)}^{layers[int(position)]}"
        return cls(tuple(values), tuple(errors), tuple(layers), gradients)

    def of_layer(self, position: int, layer: Layer) -> dict[str, str]:
        """Return the names of one layer's gradients, by its own parameter names."""
        return {name: self.gradients[f"{position}.{name}"] for name in parameters(layer)}

    def data_flow(self) -> list[str]:
        """Return every name in the order in which a pass computes it."""
        backward = [self.errors[-1]]
        for position in range(len(self.layers) - 1, -1, -1):
            mine = [shown for name, shown in self.gradients.items() if int(name.split(".")[0]) == position]
            backward += [*mine, self.errors[position]]
        return [*self.values[1:], "y", "L", *backward]


# ---------------------------------------------------------------------------------------------------- the two passes


def _by_hand(network: Network, x: Tensor, t: Tensor) -> tuple[dict[str, Tensor], str]:
    """Return every quantity of the whole handwritten pass by name, and what went wrong in words."""
    names = _Names.of(network)
    before = network.buffer.clone()
    note = ""
    trace = network.forward(x)
    network.loss(trace, t)
    found = dict(zip(names.values, trace.values, strict=True)) | {"L": trace.loss, "y": trace.y}
    found = {name: value.clone() for name, value in found.items()}
    try:
        gradients = network.backward(trace)
        found |= {name: e for name, e in zip(names.errors, gradients.errors, strict=True) if e is not None}
        found |= {shown: gradients[name] for name, shown in names.gradients.items()}
        found[names.errors[0]] = network.input_error(trace, gradients)
    except Exception as error:  # whatever somebody's formula raises is what the report has to say
        note = f"it broke off with {type(error).__name__}: {error}"
    if not torch.equal(network.buffer, before) and not network.buffer.isnan().any():
        note = note or "it changed the parameters (they are put back)"
        network.buffer.copy_(before)
    return found, note


@dataclass(frozen=True)
class _Reference:
    """The whole pass by autograd, at any parameters, in any dtype."""

    network: Network
    names: _Names
    modules: tuple[nn.Module, ...]
    loss: LossModule

    def evaluate(self, given: Tensors, fixed: Tensors) -> Tensors:
        """Return every quantity by name; ``given`` holds x and the parameters."""
        with torch.inference_mode(mode=False), torch.enable_grad():
            leaves = {name: plain(tensor).requires_grad_() for name, tensor in given.items()}
            values = [leaves["x"]]
            for position, module in enumerate(self.modules):
                values.append(call(module, values[-1], _of_position(leaves, position)))
            loss = self.loss(values[-1], plain(fixed["t"]))
            y = self.loss.output(values[-1])
            parameters = [leaves[name] for name in self.names.gradients]
            d = torch.autograd.grad(loss, [*values, *parameters], materialize_grads=True)
        found = dict(zip(self.names.values, [value.detach() for value in values], strict=True))
        found |= {"y": y.detach(), "L": loss.detach()}
        found |= {name: -d_value for name, d_value in zip(self.names.errors, d, strict=False)}
        return found | dict(zip(self.names.gradients.values(), d[len(values) :], strict=True))


def call(module: nn.Module, x: Tensor, named: Tensors) -> Tensor:
    """Return what a module gives at other parameters, and with its buffers in the dtype of x."""
    buffers = {name: b.to(x.dtype) if b.is_floating_point() else b for name, b in module.named_buffers()}
    outcome: Tensor = functional_call(module, named | buffers, (x,))
    return outcome


def _of_position(tensors: Tensors, position: int) -> Tensors:
    prefix = f"{position}."
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


# ---------------------------------------------------------------------------------------------- formula by formula


def _steps(
    network: Network,
    names: _Names,
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
    for position, (layer, module) in enumerate(zip(network.layers, modules, strict=True)):
        l = names.layers[position]
        yield layer_step(
            layer,
            _as_function(module),
            values[position],
            errors[position + 1],
            quantity(names.values[position + 1], layer, "forward", l),
            quantity(names.errors[position], layer, "error", l),
            {name: quantity(q, layer, name, l) for name, q in names.of_layer(position, layer).items()},
            tolerance,
        )
    function = network.loss_function
    y = quantity("y", function, "output")
    yield answer_step(function, loss.output, values[-1], y, tolerance)
    of_l, of_error = quantity("L", function, "forward"), quantity(names.errors[-1], function, "error")
    yield loss_step(function, loss, values[-1], t, of_l, of_error, tolerance, y=found["y"].value)


def _as_function(module: nn.Module) -> Callable[..., Tensor]:
    return lambda x, **named: call(module, x, named)


def _with_whole_pass(
    row: Row, by_hand: Mapping[str, Tensor], found: Mapping[str, Witness], slopes: _LossSlopes, limit: float | None
) -> Row:
    """Return the row with the quantity as it came out of the whole pass, and the loss's own slope beside it."""
    mine = by_hand.get(row.quantity)
    if mine is None:
        return row
    compared = compare(mine, found[row.quantity], limit)
    return replace(row, end_to_end=compared, differences=slopes.difference(row.quantity, mine))


class _LossSlopes:
    """Finite differences of the loss, in float64, by any value or parameter; by our forward formulas alone."""

    def __init__(self, network: Network, names: _Names, x: Tensor, t: Tensor) -> None:
        self.loss, self.t = network.loss_function, t.double() if t.is_floating_point() else t
        self.layers = [_doubled(layer) for layer in network.layers]
        self.position = {name: i for i, name in enumerate(names.errors)}
        self.parameter = {shown: name for name, shown in names.gradients.items()}
        self.values: list[Tensor] | None = None
        try:
            self.values = [x.double()]
            for layer in self.layers:
                self.values.append(layer.forward(self.values[-1])[0])
        except (TypeError, ValueError, RuntimeError):
            self.values = None  # a layer for one dtype only: no third witness

    def difference(self, name: str, by_hand: Tensor) -> float | None:
        """Return how far the slope is from an error or gradient, of its norm; None where it cannot tell."""
        if self.values is None or not bool(torch.isfinite(by_hand).all()):
            return None
        if name in self.position:
            i = self.position[name]
            return _difference(lambda q: self._loss(i, q), self.values[i], by_hand, -1.0)
        if name in self.parameter:
            position, short = self.parameter[name].split(".", 1)
            layer = self.layers[int(position)]
            return _difference(
                lambda q: self._loss(int(position), None, replace(layer, **{short: q})),
                parameters(layer)[short],
                by_hand,
                1.0,
            )
        return None

    def _loss(self, position: int, value: Tensor | None, first: Any = None) -> Outputs:
        """Return L when the pass goes on from one value, or with another first layer."""
        values = self.values or []
        x = values[position] if value is None else value
        for i, layer in enumerate(self.layers[position:]):
            x = (first if first is not None and i == 0 else layer).forward(x)[0]
        return (self.loss.forward(x, self.t)[0],)


def _difference(loss: Callable[[Tensor], Outputs], at: Tensor, by_hand: Tensor, sign: float) -> float | None:
    if at.shape != by_hand.shape:
        return None
    found = slope(loss, at, [torch.tensor(sign, dtype=torch.float64, device=at.device)])
    norm = float(by_hand.double().norm())
    if not norm or found.agrees(by_hand) is None:
        return None
    return found.difference(by_hand) / norm


def _doubled(layer: Any) -> Any:
    mine = {name: p.double() for name, p in parameters(layer).items()}
    return replace(layer, **mine) if mine else layer
