"""Where a training run stands between two steps, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from manual_bp.training.checkpoint import Checkpoint
from manual_bp.training.step import Engine


class StoppedError(Exception):
    """A run cannot go on: a number is not finite, or a gradient is wrong."""


@dataclass
class Run:
    """Counts, sums and the history of a run so far."""

    batches: int
    """Steps in an epoch."""
    step: int = 0
    loss_sum: float = 0.0
    """Of the losses of the epoch under way, each times its batch's images."""
    seconds: float = 0.0
    """Of training; tests and checkpoints are not counted."""
    history: list[dict[str, float]] = field(default_factory=list)
    """One entry for each epoch that is done."""

    @classmethod
    def after(cls, checkpoint: Checkpoint, batches: int) -> Run:
        """Return where a checkpoint's run stands."""
        entries = [dict(entry) for entry in checkpoint.history]
        return cls(batches, checkpoint.step, checkpoint.loss_sum, checkpoint.seconds, entries)

    @property
    def epoch(self) -> int:
        """Return the epoch under way, from 1; between two epochs the one to come."""
        return self.step // self.batches + 1

    @property
    def within(self) -> int:
        """Return how many steps of the epoch under way are done."""
        return self.step % self.batches

    def finish_epoch(self, images: int, **measured: float) -> bool:
        """Add an epoch of so many images to the history; return whether its test accuracy is the best so far."""
        before = [entry["test_accuracy"] for entry in self.history]
        entry = {"epoch": self.step // self.batches, "step": self.step, "loss": self.loss_sum / images}
        self.history.append(entry | measured | {"seconds": self.seconds})
        self.loss_sum = 0.0
        return all(measured["test_accuracy"] > accuracy for accuracy in before)

    def checkpoint(self, engine: Engine, config: Mapping[str, Any], data: Mapping[str, Any]) -> Checkpoint:
        """Return all that is needed to go on from here."""
        return Checkpoint(
            parameters=_on_cpu(engine.parameters()),
            optimizer={name: _on_cpu(state) for name, state in engine.optimizer_state().items()},
            epoch=self.step // self.batches,
            step=self.step,
            loss_sum=self.loss_sum,
            seconds=self.seconds,
            seed=config["seed"],
            generators={"cpu": torch.get_rng_state()},
            history=[dict(entry) for entry in self.history],
            config=dict(config),
            data=dict(data),
        )


def _on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return copies that hold their own numbers only: a view would be saved with the whole buffer it looks into."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}
