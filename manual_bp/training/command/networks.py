"""The network that the settings of a run name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from manual_bp import Layer, Loss, Network, ReLU, Sigmoid, SoftmaxCrossEntropy, SquaredError, Tanh, mlp
from manual_bp.training.command.usage import UsageError

if TYPE_CHECKING:
    from manual_bp.training.command.settings import Settings

ACTIVATIONS: dict[str, Layer] = {"sigmoid": Sigmoid(), "tanh": Tanh(), "relu": ReLU()}
LOSSES: dict[str, Loss] = {"cross-entropy": SoftmaxCrossEntropy(), "squared-error": SquaredError()}


def new_network(settings: Settings, inputs: int, classes: int, device: str = "cpu") -> Network:
    """Return the network, its first weights drawn from the seed."""
    sizes = [inputs, *settings.hidden, classes]
    try:
        return mlp(
            sizes,
            activation=ACTIVATIONS[settings.activation],
            loss=LOSSES[settings.loss],
            generator=torch.Generator().manual_seed(settings.seed),
            dtype=getattr(torch, settings.dtype),
            device=device,
        )
    except RuntimeError as error:
        reason = f"does not fit into memory here: {str(error).splitlines()[0]}"
        raise UsageError(f"argument --hidden: a network {'-'.join(map(str, sizes))} {reason}") from error
