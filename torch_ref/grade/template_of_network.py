"""The file to fill in for a whole network: made of its forward pass, so that a lecturer's own network has one too."""

from __future__ import annotations

import ast

from torch_ref.grade.whole_network import WholeNetwork

TEXT = '''"""Backpropagation by hand: a whole network. Put formulas in the place of every `raise NotImplementedError`.

Grade what is there, as often as you like:

    python -m torch_ref grade student.py --chapter network

By hand means: plain tensor operations (@, *, sums, torch.exp, torch.where, ...). No autograd, no torch.nn, no
*_backward function of torch, no import of somebody else's formulas.

The shapes, where N is the number of rows (samples):
{shapes}

The network:
{steps}

forward gives L, and whatever your backward reads. backward gives the gradient of each parameter, +dL/dparameter. There
is a point for L and one for each gradient, at numbers that you do not see: N = 1 and more, as many inputs as outputs
and not, float32 and float64, large numbers and zeros too. Results have the dtype of x. Change no argument in place.

Compute one value a line, under a name of its own: as above in forward, and in backward dnet1 for the gradient of net1.
Then the grader tells the line that is wrong from those that only follow from it. A class is fine too:
Network({parameters}), with forward(x, t) and backward.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def forward(x: Tensor, t: Tensor, {arguments}) -> tuple[Tensor, Any]:
    """Return L, a tensor without dimensions, and what backward reads."""
    raise NotImplementedError("TODO: L")


def backward(saved: Any) -> dict[str, Tensor]:
    """Return the gradients by the names of their parameters."""
    raise NotImplementedError("TODO: {gradients}")
'''


def text(network: WholeNetwork) -> str:
    """Return the template of a network in torch."""
    shapes = [
        f"{name} ({', '.join(map(str, shape))}{',' * (len(shape) == 1)})" for name, shape in network.shapes.items()
    ]
    names = network.parameters
    return TEXT.format(
        shapes="    " + "   ".join(shapes),
        steps="\n".join(f"    {line}" for line in _steps(network.source)),
        parameters=", ".join(names),
        arguments=", ".join(f"{name}: Tensor" for name in names),
        gradients=", ".join(f"dL/d{name}" for name in names),
    )


def _steps(source: str) -> list[str]:
    """Return the statements of a forward pass, as they are without comments."""
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return [line for statement in body for line in ast.unparse(statement).splitlines()]
