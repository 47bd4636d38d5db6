"""Every quantity of one pass and one update, by hand and by autograd, under the lecture's names, in its order.

    net^1, x^1, ..., net^L, y        forward pass (E1, E2; y is x^L, or the softmax of net^L)
    L                                loss
    e^L, δ^L, e^(L-1), ..., δ^1      backward pass (no e^L after a softmax: E17 gives δ^L at once)
    ∂L/∂W^1, ∂L/∂b^1, ...            gradients
    W^1 after, b^1 after, ...        update (E9)

``scalars`` takes the tensors of one sample apart: net^1_1, net^1_2, ...
"""

from __future__ import annotations

import torch
from torch import Tensor

from manual_bp import GradientDescent, Network
from manual_bp.lecture import entries
from torch_ref.compare import Tensors
from torch_ref.mirrored import mirror
from torch_ref.naming import SYMBOL, Names


def by_hand(network: Network, x: Tensor, t: Tensor, lr: float) -> Tensors:
    """Run one handwritten pass and update on x (N, n^0), t (N, n^L) or (N,); the network keeps its parameters."""
    own = Network(network.layers, network.loss_function)
    names = Names.of(own)
    trace = own.forward(x)
    own.loss(trace, t)
    gradients = own.backward(trace)
    errors = {name: e.clone() for name, e in zip(names.errors, gradients.errors, strict=True) if e is not None}
    found = _forward(names, trace.values, trace.y, trace.loss) | _backward(names, errors)
    found |= {shown: gradients[name].clone() for name, shown in names.gradients.items()}
    GradientDescent(own, lr=lr).update(gradients)
    return found | {_after(names, name): p for name, p in own.parameters().items()}


def by_autograd(network: Network, x: Tensor, t: Tensor, lr: float) -> Tensors:
    """Return the same by autograd and ``torch.optim.SGD``, of the mirrored network; δ^l is −∂L/∂net^l."""
    names = Names.of(network)
    with torch.inference_mode(mode=False), torch.enable_grad():
        model, loss_module = mirror(network)
        values = [x.detach().clone().requires_grad_()]
        for module in model:
            values.append(module(values[-1]))
            values[-1].retain_grad()
        y, loss = loss_module.output(values[-1]), loss_module(values[-1], t)
        loss.backward()
        errors = {name: -v.grad for name, v in zip(names.errors, values, strict=True) if v.grad is not None}
        found = _forward(names, [value.detach() for value in values], y.detach(), loss.detach())
        found |= _backward(names, errors)
        parameters = dict(model.named_parameters())
        found |= {shown: _gradient(parameters[name]) for name, shown in names.gradients.items()}
        torch.optim.SGD(model.parameters(), lr=lr).step()
    return found | {_after(names, name): p.detach() for name, p in parameters.items()}


def scalars(tensors: Tensors) -> dict[str, float]:
    """Return every entry of the first row, or of a parameter, by the lecture's name: net^1_2, L, W^1_21 after."""
    numbers: dict[str, float] = {}
    for name, tensor in tensors.items():
        stem, after = name.removesuffix(" after"), " after" * name.endswith(" after")
        if tensor.ndim == 0:
            numbers[name] = tensor.item()
            continue
        row_of_a_batch = not after and not name.startswith("∂")
        named = entries(stem, tensor[0] if row_of_a_batch else tensor)
        numbers |= {f"{entry}{after}": value for entry, value in named.items()}
    return numbers


def _forward(names: Names, values: list[Tensor], y: Tensor, loss: Tensor) -> Tensors:
    """Name the values of a forward pass; y takes the place of x^L."""
    named = dict(zip(names.values, values, strict=True))
    del named[names.values[0]]
    named.pop(f"x^{max(names.layers)}", None)
    return named | {"y": y, "L": loss}


def _backward(names: Names, errors: Tensors) -> Tensors:
    """Put the errors in the order in which a backward pass computes them, without the error of the input."""
    return {name: errors[name] for name in reversed(names.errors[1:])}


def _after(names: Names, name: str) -> str:
    position, short = name.split(".", 1)
    return f"{SYMBOL.get(short, short)}^{names.layers[int(position)]} after"


def _gradient(parameter: Tensor) -> Tensor:
    if parameter.grad is None:
        raise ValueError("a network's loss depends on each of its parameters; autograd gave one of them no gradient")
    return parameter.grad.clone()
