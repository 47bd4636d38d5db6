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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from manual_bp.training.run.whole_file import write_whole

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
        own = DataFacts(**self.data)
        if own.sha256 != data.sha256:
            described = [f"{each.name} with checksum {each.sha256[:12]}..." for each in (own, data)]
            got = "expected the images that the checkpoint's network was trained on, {}, got {}"
            raise ValueError(got.format(*described))
        close = math.isclose(own.mean, data.mean) and math.isclose(own.deviation, data.deviation)
        if (own.side, own.names) != (data.side, data.names) or not close:
            raise ValueError("expected a checkpoint that describes its images as they are; it was tampered with")


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
    state = Checkpoint(**content)
    if len(state.history) != state.epoch or state.seed != state.config.get("seed"):
        raise ValueError(f"expected a checkpoint whose fields agree, {path} has epochs or seeds that do not")
    return state


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_number(value: object) -> bool:
    return (type(value) is float and math.isfinite(value)) or (type(value) is int and abs(value) < 2**53)


def _is_not_negative(value: object) -> bool:
    return _is_number(value) and value >= 0  # type: ignore[operator]  # a number


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


def _is_tensor(value: object) -> bool:
    return isinstance(value, Tensor) and value.layout == torch.strided and value.device.type == "cpu"


def _each(of_value: Callable[[object], bool]) -> Callable[[object], bool]:
    """Return what tells a dictionary from names to such values."""
    return lambda value: isinstance(value, dict) and all(_is_text(k) and of_value(v) for k, v in value.items())


def _exactly(kinds: Mapping[str, Callable[[object], bool]]) -> Callable[[object], bool]:
    """Return what tells a dictionary with just these names, each to a value of its kind."""
    return lambda value: (
        isinstance(value, dict) and value.keys() == kinds.keys() and all(kinds[k](v) for k, v in value.items())
    )


def _list_of(kind: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(map(kind, value))


def _is_setting(value: object) -> bool:
    plain = (str, int, float, bool, type(None))
    return isinstance(value, plain) or (isinstance(value, list) and all(isinstance(each, plain) for each in value))


_EPOCH = {"epoch": _is_count, "step": _is_count, "seconds": _is_not_negative} | dict.fromkeys(
    ("loss", "test_loss", "test_accuracy", "lr"), _is_number
)
_DATA: dict[str, Callable[[object], bool]] = {
    "name": _is_text,
    "sha256": _is_text,
    "side": lambda value: _is_count(value) and 0 < value <= 1024,  # type: ignore[operator]  # a count
    "mean": _is_number,
    "deviation": lambda value: _is_not_negative(value) and 0 < value <= 255,  # type: ignore[operator]  # a number
    "names": lambda value: _list_of(_is_text)(value) and 0 < len(value) <= 1000,  # type: ignore[arg-type]  # a list
}
_KINDS: dict[str, Callable[[object], bool]] = {
    "parameters": _each(_is_tensor),
    "optimizer": _each(_each(_is_tensor)),
    "epoch": _is_count,
    "step": _is_count,
    "loss_sum": _is_number,
    "seconds": _is_not_negative,
    "seed": _is_count,
    "generators": _each(_is_tensor),
    "history": _list_of(_exactly(_EPOCH)),
    "config": _each(_is_setting),
    "data": _exactly(_DATA),
    "versions": _each(_is_text),
    "format": _is_count,
}
"""How to tell that a field is what it should be; the settings are then read as a command line, which checks them."""
