"""Every quantity of a network by hand, by autograd and by finite differences, in the whole pass and formula by formula.

The reference's δ^l is −∂L/∂net^l as autograd gives it, never one of our formulas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from manual_bp import Layer, Network
from manual_bp.layer import parameters
from torch_ref.compare import Tensors, Tolerance, Witness, compare, witnesses
from torch_ref.differences import slope
from torch_ref.formulas import quantity
from torch_ref.judge import rows_of, third_opinion
from torch_ref.mirrored import LossModule, loss_of, mirror
from torch_ref.report import Report, Row
from torch_ref.step import Outputs, Step, answer_step, layer_step, loss_step, plain, same

SYMBOL = {"weight": "W", "bias": "b"}


def crosscheck(network: Network, x: Tensor, t: Tensor, *, tolerance: Tolerance | None = None) -> Report:
    """Compare the handwritten pass of ``network`` with autograd's on the batch x (N, n^0), t (N, n^L) or (N,).

    Neither the network nor the batch is changed. The report has one row for each quantity, in the order of the
    data flow: net^1, x^1, ..., y, L, e^L, δ^L, ∂L/∂W^L, ∂L/∂b^L, e^(L-1), ... ``tolerance``, by dtype and relative to
    a tensor's norm, takes the place of twice the reference's own rounding error.
    """
    _check_network("crosscheck", network)
    model, loss = mirror(network)
    return check_against(network, tuple(model), loss, x, t, tolerance)


def check_module(
    network: Network,
    module: nn.Module,
    x: Tensor | None = None,
    t: Tensor | None = None,
    *,
    tolerance: Tolerance | None = None,
) -> Report:
    """Compare a handwritten network with an ``nn.Module`` of the same layers in the same order, layer by layer.

    The parameters are the module's; the loss is the network's. Without x (N, n^0) and t a random batch of 16 rows is
    drawn. Raises ValueError where the layers or the shapes of the parameters do not correspond.
    """
    _check_network("check_module", network)
    if not isinstance(module, nn.Module):
        raise TypeError(f"check_module expects a torch.nn.Module, got {type(module).__name__}")
    modules = tuple(leaf for leaf in _leaves(module) if not isinstance(leaf, nn.Identity))
    own = Network(network.layers, network.loss_function)
    own.load_state_dict(_corresponding(own, modules))
    generator = torch.Generator().manual_seed(0)
    weights = next(p for p in own.parameters().values())
    if x is None:
        x = torch.randn(16, weights.shape[-1], dtype=weights.dtype, generator=generator).to(weights.device)
    output = own.forward(x).values[-1]
    if t is None:
        t = torch.softmax(torch.randn(output.shape, dtype=x.dtype, generator=generator), 1).to(x.device)
    with torch.no_grad():
        _check_order(module, modules, x)
    return check_against(own, modules, loss_of(own.loss_function), x, t, tolerance)


def _check_network(owner: str, network: Any) -> None:
    if not isinstance(network, Network):
        raise TypeError(f"{owner} expects a manual_bp.Network, got {type(network).__name__}")


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
        mine = {name: tuple(p.shape) for name, p in parameters(layer).items()}
        theirs = {name: p.detach() for name, p in module.named_parameters()}
        if mine != {name: tuple(p.shape) for name, p in theirs.items()}:
            got = {name: tuple(p.shape) for name, p in theirs.items()}
            raise ValueError(
                f"check_module expects {shown[i]} at position {i} to have the parameters of {layer}: {mine}, got {got}"
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


def check_against(
    network: Network,
    modules: tuple[nn.Module, ...],
    loss: LossModule,
    x: Tensor,
    t: Tensor,
    tolerance: Tolerance | None = None,
) -> Report:
    """Compare ``network`` with one module for each of its layers, at the parameters of the network."""
    names = _Names.of(network)
    if isinstance(x, Tensor) and isinstance(t, Tensor):
        x, t = x.detach(), t.detach()
        if x.ndim and len(x) == 0:
            raise ValueError(f"a check expects x with at least one row, got an empty batch {tuple(x.shape)}")
    hand = _by_hand(network, names, x, t)
    reference = _Reference(names, modules, loss)
    try:
        found = witnesses(reference.evaluate, {"x": x, **network.parameters()}, {"t": t})
    except Exception:
        if hand.error is not None:
            raise hand.error from None  # neither takes this batch, and our message says why
        raise
    rows: dict[str, Row] = {}
    step_of: dict[str, Step] = {}
    for step in _steps(network, names, modules, loss, found, x, t, tolerance):
        judged = rows_of(step)
        rows |= judged
        step_of |= dict.fromkeys(judged, step)
    slopes = _LossSlopes(network, names, x, t)
    limit = (tolerance or {}).get(network.buffer.dtype)
    finished = [_with_whole_pass(rows[name], hand.found, found, slopes, limit) for name in names.data_flow()]
    confirmed = third_opinion(finished, step_of, found)
    return Report(tuple(confirmed), batch=len(x), dtype=x.dtype, device=x.device, note=hand.note)


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


@dataclass
class _HandPass:
    """Every quantity of the whole handwritten pass by name, as far as it came."""

    found: dict[str, Tensor] = field(default_factory=dict)
    error: Exception | None = None
    changed: bool = False
    """The pass changed the parameters, which were put back."""

    @property
    def note(self) -> str:
        """Say what happened to the pass."""
        if self.error is not None:
            return f"The whole pass broke off with {type(self.error).__name__}: {self.error}"
        return "The whole pass changed the parameters, which are put back" if self.changed else ""


def _by_hand(network: Network, names: _Names, x: Tensor, t: Tensor) -> _HandPass:
    """Run the whole handwritten pass; whatever somebody's formula raises is kept, it is what the report has to say."""
    before = network.buffer.clone()
    done = _HandPass()
    try:
        _run(network, names, x, t, done.found)
    except Exception as error:
        done.error = error
    done.changed = not same(network.buffer, before)
    network.buffer.copy_(before)
    return done


def _run(network: Network, names: _Names, x: Tensor, t: Tensor, found: dict[str, Tensor]) -> None:
    trace = network.forward(x)
    found |= {name: value.clone() for name, value in zip(names.values, trace.values, strict=True)}
    network.loss(trace, t)
    found |= {"L": trace.loss.clone(), "y": trace.y.clone()}
    gradients = network.backward(trace)
    found |= {name: e.clone() for name, e in zip(names.errors, gradients.errors, strict=True) if e is not None}
    found |= {shown: gradients[name] for name, shown in names.gradients.items()}
    found[names.errors[0]] = network.input_error(trace, gradients)


@dataclass(frozen=True)
class _Reference:
    """The whole pass by autograd, at any parameters, in any dtype."""

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
        except Exception:  # of somebody's layer, which may be for one dtype only: no third witness
            self.values = None

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
    return slope(loss, at, [torch.tensor(sign, dtype=torch.float64, device=at.device)]).share(by_hand)


def _doubled(layer: Any) -> Any:
    mine = {name: p.double() for name, p in parameters(layer).items()}
    return replace(layer, **mine) if mine else layer
