"""Where a training run stands between two steps, and what is kept of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
import torch
from torch import Tensor

from manual_bp.training.engine.average import Average
from manual_bp.training.engine.protocol import Engine
from manual_bp.training.run.checkpoint import Checkpoint, DataFacts


class StoppedError(Exception):
    """A run cannot go on: a number is not finite, or a gradient is wrong."""


class Run:
    """Steps, losses, seconds and the history of a run so far."""

    def __init__(self, images: int, batch_size: int) -> None:
        """Begin a run over so many images an epoch, so many in a batch."""
        self.images, self.batch_size = images, min(batch_size, images)
        self.batches = -(-self.images // self.batch_size)
        self.step = 0
        self.loss_sum = 0.0  # of the epoch under way: each batch's loss times its images
        self.seconds = 0.0  # of training: tests and checkpoints are not counted
        self.seconds_before = 0.0  # of them, those of the parts of the run before this one
        self.history: list[dict[str, float]] = []  # one entry for each epoch that is done

    @property
    def epoch(self) -> int:
        """Return the epoch under way, from 1; between two epochs the one to come."""
        return self.step // self.batches + 1

    @property
    def within(self) -> int:
        """Return how many steps of the epoch under way are done; 0 between two epochs."""
        return self.step % self.batches

    @property
    def rows(self) -> int:
        """Return how many images the next step's batch has."""
        return min(self.batch_size, self.images - self.within * self.batch_size)

    @contextmanager
    def clock(self) -> Iterator[None]:
        """Count the seconds inside ``with``."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - began

    def add(self, loss: float) -> None:
        """Count a step with its batch's mean loss."""
        self.loss_sum += loss * self.rows
        self.step += 1

    def finish_epoch(self, measured: Mapping[str, float]) -> bool:
        """Add the epoch that is done to the history; return whether it is the best so far.

        That is by the images that were held out, where there are any, and by the test images elsewhere.
        """
        done = {"epoch": self.step // self.batches, "step": self.step, "loss": self.loss_sum / self.images}
        self.history.append({**done, **measured, "seconds": self.seconds})
        self.loss_sum = 0.0
        return self.best is self.history[-1]

    @property
    def best(self) -> dict[str, float]:
        """Return the best epoch that is done, of equally good ones the first; there has to be one."""
        by = "validation_accuracy" if "validation_accuracy" in self.history[-1] else "test_accuracy"
        return max(self.history, key=lambda entry: entry.get(by, 0.0))

    @property
    def without_better(self) -> int:
        """Count the epochs that are done since the best one."""
        return len(self.history) - 1 - self.history.index(self.best) if self.history else 0

    def checkpoint(
        self, engine: Engine, config: Mapping[str, Any], data: DataFacts, average: Average | None = None
    ) -> Checkpoint:
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
            data=msgspec.structs.asdict(data),
            average={} if average is None else _on_cpu(average.network.parameters()),
        )

    def go_on_from(self, checkpoint: Checkpoint, engines: Iterable[Engine], average: Average | None = None) -> None:
        """Stand, and let the engines stand, where the run of a checkpoint stood; ValueError where it does not fit."""
        self.step, self.loss_sum, self.seconds = checkpoint.step, checkpoint.loss_sum, checkpoint.seconds
        self.seconds_before = checkpoint.seconds
        self.history = [dict(entry) for entry in checkpoint.history]
        if self.step // self.batches != checkpoint.epoch:
            raise ValueError(f"expected a checkpoint of this very run: step {self.step} is not in its epoch")
        try:
            torch.set_rng_state(checkpoint.generators["cpu"])
            for engine in engines:
                engine.load(checkpoint.parameters, checkpoint.optimizer)
                if self.step and engine.optimizer_state().keys() != checkpoint.optimizer.keys():
                    raise ValueError("what its optimizer remembers is missing")
            if average is not None:
                average.network.load_state_dict(checkpoint.average)
            elif checkpoint.average:
                raise ValueError("it has an average of the parameters, and settings without one")
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(f"expected a checkpoint of this very run: {error}") from error


def _on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return copies that hold their own numbers only: a view would be saved with the whole buffer it looks into."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}
