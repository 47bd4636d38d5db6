"""A run's log for TensorBoard (extra ``tensorboard``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter


class Board:
    """Event files in a folder, one curve for each quantity of each kind of event: 'epoch/loss', 'step/lr', ..."""

    def __init__(self, folder: Path, step: int) -> None:
        """Begin, or go on after a step: what the files say of later ones is hidden."""
        self._writer = SummaryWriter(folder, purge_step=step + 1)

    def log(self, event: str, record: Mapping[str, float]) -> None:
        """Add what an event measured, at its step, and flush it."""
        for name, value in record.items():
            if name not in ("step", "epoch"):
                self._writer.add_scalar(f"{event}/{name}", value, int(record["step"]))
        self._writer.flush()

    def close(self) -> None:
        """Close the files."""
        self._writer.close()
