"""A training run in one file: all that is needed to continue it bit for bit, and nothing that could be code.

A checkpoint is a dictionary of tensors, strings, numbers, lists and dictionaries, as ``torch.save`` writes it.
It is read with ``torch.load(weights_only=True)`` only, and every field is checked before it is used: files may come
from elsewhere. The parameters carry the names of ``nn.Sequential``; the optimizer's state those of ``torch.optim``.
"""

from __future__ import annotations

import io
import math
import pickle
import platform
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from manual_bp.training.whole_file import write_whole

FORMAT = 1
"""Raised with every change that an older reader would misread."""

OptimizerState = dict[str, dict[str, Tensor]]
"""By parameter and quantity: ``state["0.weight"]["momentum_buffer"]``."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A run between two steps."""

    parameters: dict[str, Tensor]
    optimizer: OptimizerState
    epoch: int
    """Whole epochs done."""
    step: int
    """Updates done since the beginning of the run."""
    loss_sum: float
    """Of the losses of the epoch under way, each times its batch's rows."""
    seconds: float
    """Of training so far."""
    seed: int
    generators: dict[str, Tensor]
    """States of torch's global random generators, by device."""
    history: list[dict[str, float]]
    """One entry for each epoch done: loss, test_loss, test_accuracy, lr, ..."""
    config: dict[str, Any]
    """The settings of the command line."""
    data: dict[str, Any]
    """A ``DataFacts`` as a dictionary."""
    versions: dict[str, str] = field(default_factory=lambda: _versions())
    format: int = FORMAT

    def expect(self, data: DataFacts) -> None:
        """Raise ValueError unless the run was trained on this very data."""
        if self.data["sha256"] != data.sha256:
            own = f"{self.data['name']} with checksum {self.data['sha256'][:12]}..."
            got = f"{data.name} with checksum {data.sha256[:12]}..."
            raise ValueError(f"expected the images that the checkpoint's network was trained on, {own}, got {got}")


@dataclass(frozen=True)
class DataFacts:
    """What a network was trained on, and what turns an image into its input."""

    name: str
    sha256: str
    side: int
    """Height and width of an image in pixels."""
    mean: float
    deviation: float
    """Of all pixels of the training images: x = (pixel - mean) / deviation."""
    names: list[str]
    """Of the classes."""


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), "torch": str(torch.__version__), "numpy": str(np.__version__)}


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all."""
    buffer = io.BytesIO()  # in memory first: torch's own writer does not survive a disk that fills up
    torch.save({entry.name: getattr(checkpoint, entry.name) for entry in fields(checkpoint)}, buffer)
    write_whole(path, buffer.getvalue())


def load(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU; FileNotFoundError, or ValueError where it is damaged, newer or no checkpoint."""
    if not path.is_file():
        raise FileNotFoundError(f"expected a checkpoint at {path}: there is no such file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remarks on files that are none of its own: an error follows
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"expected a checkpoint of tensors and plain values, {path} holds something else, perhaps code; "
            "nothing of it was run"
        ) from error
    except Exception as error:  # bytes from elsewhere: torch raises whatever they lead it to
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"expected a whole checkpoint, {path} is damaged or of another kind: {reason}") from error
    return _checked(path, content)


def _checked(path: Path, content: object) -> Checkpoint:
    """Return the checkpoint that a file's content is, or raise ValueError with what it should have been."""
    if not isinstance(content, dict) or type(content.get("format")) is not int:
        raise ValueError(f"expected a checkpoint of this program, {path} has no format number")
    if content["format"] > FORMAT:
        raise ValueError(
            f"expected a checkpoint of format {FORMAT} at most, {path} has format {content['format']}: "
            "a newer version of the program wrote it; use that one"
        )
    if content.keys() != _KINDS.keys():
        missing, extra = sorted(_KINDS.keys() - content.keys()), sorted(map(str, content.keys() - _KINDS.keys()))
        raise ValueError(f"expected the fields of a checkpoint, {path} lacks {missing} and has {extra}")
    for name, is_right in _KINDS.items():
        if not is_right(content[name]):
            raise ValueError(f"expected a checkpoint, {path} has a field {name!r} of a wrong kind")
    return Checkpoint(**content)


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]  # one of the two


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_tensor(value: object) -> bool:
    return isinstance(value, Tensor) and value.layout == torch.strided


def _each(of_value: Callable[[object], bool]) -> Callable[[object], bool]:
    """Return what tells a dictionary from strings to such values."""
    return lambda value: isinstance(value, dict) and all(_is_text(k) and of_value(v) for k, v in value.items())


def _is_data(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == _OF_DATA.keys() and all(_OF_DATA[k](v) for k, v in value.items())


_OF_DATA: dict[str, Callable[[object], bool]] = {
    "name": _is_text,
    "sha256": _is_text,
    "side": lambda value: _is_count(value) and value != 0,
    "mean": _is_number,
    "deviation": lambda value: _is_number(value) and value != 0,
    "names": lambda value: isinstance(value, list) and all(map(_is_text, value)),
}
_KINDS: dict[str, Callable[[object], bool]] = {
    "parameters": _each(_is_tensor),
    "optimizer": _each(_each(_is_tensor)),
    "epoch": _is_count,
    "step": _is_count,
    "loss_sum": _is_number,
    "seconds": _is_number,
    "seed": _is_count,
    "generators": _each(_is_tensor),
    "history": lambda value: isinstance(value, list) and all(map(_each(_is_number), value)),
    "config": _each(lambda value: True),
    "data": _is_data,
    "versions": _each(_is_text),
    "format": _is_count,
}
"""How to tell that a field is what it should be; the settings are read as a command line, which checks them."""
