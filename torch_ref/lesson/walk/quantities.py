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
from manual_bp.structure import Names
from torch_ref.autograd.mirrored import mirror
from torch_ref.numbers.witness import Tensors
from torch_ref.steps.passes import Reference, run


def pass_by_hand(network: Network, x: Tensor, t: Tensor, lr: float) -> Tensors:
    """Run one handwritten pass and update on x (N, n^0), t (N, n^L) or (N,); the network keeps its parameters."""
    own, found = Network(network.layers, network.loss_function), Tensors()
    names = own.names
    _, gradients = run(own, names, x, t, found)
    GradientDescent(own, lr=lr).update(gradients)
    return _in_order(names, found, own.parameters())


def pass_by_autograd(network: Network, x: Tensor, t: Tensor, lr: float) -> Tensors:
    """Return the same by autograd and ``torch.optim.SGD``, of the mirrored network; δ^l is −∂L/∂net^l."""
    names, (model, loss) = network.names, mirror(network)
    found = Reference(names, tuple(model), loss).evaluate({"x": x, **network.parameters()}, {"t": t})
    parameters = dict(model.named_parameters())
    for name, parameter in parameters.items():
        parameter.grad = found[names.gradients[name]].clone()
    torch.optim.SGD(model.parameters(), lr=lr).step()
    return _in_order(names, found, {name: p.detach() for name, p in parameters.items()})


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


def _in_order(names: Names, found: Tensors, after: Tensors) -> Tensors:
    """Return what a pass found in the order of the walk, y in the place of x^L, and the parameters after the update."""
    forward = [name for name in names.values[1:] if name != f"x^{max(names.layers)}"]
    order = [*forward, "y", "L", *reversed(names.errors[1:]), *names.gradients.values()]
    updated = {f"{names.parameters[name]} after": parameter for name, parameter in after.items()}
    return {name: found[name] for name in order} | updated
