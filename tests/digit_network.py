"""The network of the page's digit, taken out of what Python embeds."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import numpy as np
import torch
from torch import Tensor

from manual_bp import Linear, Network, Sigmoid, SquaredError


def embedded_network(data: dict[str, Any]) -> Network:
    """Return the network of the embedded float32 numbers, in float64."""
    parameters = zip(data["weights"], data["biases"], data["sizes"][:-1], data["sizes"][1:], strict=True)
    linears = [Linear(_float32(W).view(n_out, n_in), _float32(b)) for W, b, n_in, n_out in parameters]
    return Network(tuple(layer for linear in linears for layer in (linear, Sigmoid())), SquaredError())


def embedded_digit(digit: dict[str, Any], target: int | None = None) -> tuple[Tensor, Tensor]:
    """Return an embedded digit as x (1, 784) and t (1, 10), with its label or another class as target."""
    pixels = torch.from_numpy(np.frombuffer(b64decode(digit["pixels"]), dtype=np.uint8).copy())
    t = torch.zeros(1, 10, dtype=torch.float64)
    t[0, digit["label"] if target is None else target] = 1
    return pixels.double().unsqueeze(0) / 255, t


def _float32(text: str) -> Tensor:
    return torch.from_numpy(np.frombuffer(b64decode(text), dtype="<f4").astype(np.float64))
