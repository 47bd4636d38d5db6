"""What Python puts into the page: the worked examples by both engines, the slides' numbers, the formulas.

Every number is float64 from its first digit on; JSON carries all of its bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from manual_bp import Linear, Network, lecture
from torch_ref.lesson.page.digit import digit_data
from torch_ref.lesson.page.formulas import formulas, texts
from torch_ref.lesson.quantities import by_autograd, by_hand, scalars
from torch_ref.lesson.walk import sizes_of

X1_TARGET = (1.0, 0.0)
"""X1 is forward only. With a target of ours the page can take it through the backward pass too."""


def page_data() -> dict[str, Any]:
    """Return all that the page's scripts find as DATA."""
    return {
        "formulas": formulas(),
        "texts": texts(),
        "x1": x1(),
        "x2": x2(),
        "digit": digit_data(),
        "versions": {"torch": torch.__version__.partition("+")[0]},
    }


def x1() -> dict[str, Any]:
    """Return X1: the network, and for both inputs the numbers by hand and those that the slides print."""
    network = lecture.x1_network()

    def numbers(x: Sequence[float]) -> dict[str, float]:
        return scalars(by_hand(network, _row(x), _row(X1_TARGET), 1.0))

    inputs = [
        {"x": list(x), "numbers": numbers(x), "printed": {n.quantity: _minus(n.printed) for n in printed}}
        for x, printed in zip(lecture.X1_INPUTS, lecture.X1_NUMBERS, strict=True)
    ]
    return {"network": plain(network, lecture.X1_INPUTS[0], X1_TARGET, 1.0), "inputs": inputs}


def x2() -> dict[str, Any]:
    """Return X2: the network, every number by hand and by autograd, and the slides' calculations."""
    given = lecture.X2_INPUT, lecture.X2_TARGET, lecture.X2_LEARNING_RATE
    x, t, lr = _row(given[0]), _row(given[1]), given[2]
    on_paper = lecture.on_paper()
    return {
        "network": plain(lecture.x2_network(), *given),
        "byHand": scalars(by_hand(lecture.x2_network(), x, t, lr)),
        "autograd": scalars(by_autograd(lecture.x2_network(), x, t, lr)),
        "slides": {
            n.quantity: {"printed": _minus(n.printed), "calculation": on_paper[n.quantity].text}
            for n in lecture.X2_NUMBERS
        },
    }


def plain(network: Network, x: Sequence[float], t: Sequence[float], lr: float) -> dict[str, Any]:
    """Return a sigmoid network with squared error as the page's plain object."""
    linears = [layer for layer in network.layers if isinstance(layer, Linear)]
    return {
        "sizes": sizes_of(network),
        "activation": "sigmoid",
        "loss": "squared-error",
        "weights": [linear.weight.tolist() for linear in linears],
        "biases": None if linears[0].bias is None else [_listed(linear.bias) for linear in linears],
        "x": list(x),
        "t": list(t),
        "lr": lr,
    }


def _listed(bias: Tensor | None) -> list[float]:
    if bias is None:
        raise ValueError("the page expects a bias in every layer or in none, got a network with both")
    numbers: list[float] = bias.tolist()
    return numbers


def _row(values: Sequence[float]) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def _minus(number: str) -> str:
    """Return a printed number with a real minus sign."""
    return number.replace("-", "−")
