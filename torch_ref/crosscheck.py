"""Both engines on one batch: every net^l, x^l, the loss, every δ^l and every gradient, compared number by number.

The reference's δ^l is −∂L/∂net^l as autograd gives it, never one of our formulas.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from manual_bp import Network, SoftmaxCrossEntropy, SquaredError
from torch_ref.mirror import mirror
from torch_ref.report import TOLERANCE, Report, compare

SYMBOL = {"weight": "W", "bias": "b"}
EQUATIONS = {SquaredError: ("E2", "E6", "E13"), SoftmaxCrossEntropy: ("E5", "E8", "E17")}
"""The equations of y, of L and of δ^L for each loss."""


def crosscheck(network: Network, x: Tensor, t: Tensor) -> Report:
    """Compare the handwritten pass of ``network`` with autograd's on the batch x (N, n^0), t (N, n^L) or (N,).

    Neither the network nor the batch is changed. The report has one row for each quantity, in the order of the
    data flow: net^1, x^1, ..., y, L, δ^L, ∂L/∂W^L, ∂L/∂b^L, δ^(L-1), ...
    """
    if network.buffer.dtype not in TOLERANCE:
        raise TypeError(f"crosscheck expects a network of float32 or float64, got {network.buffer.dtype}")
    trace = network.forward(x)
    network.loss(trace, t)
    gradients = network.backward(trace)
    by_autograd = _autograd(network, x, t)
    by_hand: dict[str, Tensor] = {}
    for l in range(1, network.depth + 1):
        by_hand |= {f"net^{l}": trace.net(l), _output(network, l): trace.x(l), f"δ^{l}": gradients.delta(l)}
    by_hand["L"] = trace.loss
    for name, gradient in gradients.items():
        by_hand[_symbol(network, name)] = gradient
    rows = (compare(quantity, by, by_hand[quantity], by_autograd[quantity]) for quantity, by in _data_flow(network))
    return Report(tuple(rows), batch=len(x), dtype=x.dtype, device=x.device)


def _autograd(network: Network, x: Tensor, t: Tensor) -> dict[str, Tensor]:
    """Return every quantity by name, as autograd computes it on the mirrored network."""
    model, loss_module = mirror(network)
    with torch.inference_mode(mode=False), torch.enable_grad():
        values = [_plain(x)]
        for module in model:
            values.append(module(values[-1]))
        loss = loss_module(values[-1], _plain(t))
        parameters = dict(model.named_parameters())
        nets = [values[network.index_of_net(l)] for l in range(1, network.depth + 1)]
        d_nets_and_parameters = torch.autograd.grad(loss, [*nets, *parameters.values()])
        quantities = {"L": loss.detach()}
        for l, (net, d_net) in enumerate(zip(nets, d_nets_and_parameters, strict=False), start=1):
            output = values[network.index_of_x(l)]
            output = loss_module.output(output) if l == network.depth else output
            quantities |= {f"net^{l}": net.detach(), _output(network, l): output.detach(), f"δ^{l}": -d_net}
        for name, d_parameter in zip(parameters, d_nets_and_parameters[network.depth :], strict=True):
            quantities[_symbol(network, name)] = d_parameter
    return quantities


def _plain(tensor: Tensor) -> Tensor:
    """Return the tensor itself where autograd can save it, with its strides, else a copy."""
    return tensor.clone() if tensor.is_inference() else tensor.detach()


def _data_flow(network: Network) -> Iterator[tuple[str, str]]:
    """Yield every quantity and the equation that makes it, in the order in which a pass computes them."""
    answer, loss, error = EQUATIONS.get(type(network.loss_function), ("-", "-", "-"))
    for l in range(1, network.depth + 1):
        yield f"net^{l}", "E1"
        yield _output(network, l), "E2" if l < network.depth else answer
    yield "L", loss
    for l in range(network.depth, 0, -1):
        yield f"δ^{l}", "E14" if l < network.depth else error
        for name in network.parameters():
            if int(name.split(".")[0]) == network.net_positions[l - 1]:
                yield _symbol(network, name), "E12"


def _output(network: Network, l: int) -> str:
    return "y" if l == network.depth else f"x^{l}"


def _symbol(network: Network, parameter: str) -> str:
    """Name the gradient of '2.weight' as the lecture does: ∂L/∂W^2."""
    position, name = parameter.split(".", 1)
    return f"∂L/∂{SYMBOL.get(name, name)}^{network.net_positions.index(int(position)) + 1}"
