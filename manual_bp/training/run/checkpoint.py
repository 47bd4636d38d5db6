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
import re
import sys
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import torch
from msgspec import Meta, Struct
from torch import Tensor

from manual_bp.training.images.paths import found_at, is_file
from manual_bp.training.run.whole_file import write_whole

FORMAT = 2
"""Raised with every change that an older reader would misread or refuse. Format 1 had no ``average``."""

Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Finite = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
Seconds = Annotated[float, Meta(ge=0, le=sys.float_info.max)]

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
    average: dict[str, Tensor] = field(default_factory=dict)
    """The moving average of the parameters, where the run keeps one."""
    versions: dict[str, str] = field(default_factory=lambda: _versions())
    format: int = FORMAT

    @property
    def tested(self) -> dict[str, Tensor]:
        """Return the parameters that are tested: the average, where the run keeps one."""
        return self.average or self.parameters

    def expect(self, data: DataFacts) -> None:
        """Raise ValueError unless the run was trained on this very data."""
        own = DataFacts(**self.data)
        if own.sha256 != data.sha256:
            described = [f"{each.name} with checksum {each.sha256[:12]}..." for each in (own, data)]
            got = "expected the images that the checkpoint's network was trained on, {}, got {}"
            raise ValueError(got.format(*described))
        if own.names != data.names:
            raise ValueError(f"expected the classes of the checkpoint's run, {own.names}, got {data.names}")
        close = math.isclose(own.mean, data.mean) and math.isclose(own.deviation, data.deviation)
        if own.side != data.side or not close:
            raise ValueError("expected a checkpoint that describes its images as they are; it was tampered with")


class DataFacts(Struct, frozen=True, forbid_unknown_fields=True):
    """What a network was trained on, and what turns an image into its input."""

    name: str
    sha256: str
    side: Annotated[int, Meta(ge=1, le=1024)]
    """Height and width of an image in pixels."""
    mean: Finite
    deviation: Annotated[float, Meta(gt=0, le=255)]
    """Of all pixels of the training images: x = (pixel - mean) / deviation."""
    names: Annotated[list[str], Meta(min_length=1, max_length=1000)]
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
    if not is_file(path):
        what = found_at(path)
        found = "there is no such file" if what == "missing" else f"it is {what}"
        raise FileNotFoundError(f"expected a checkpoint at {path}: {found}")
    try:
        raw = path.read_bytes()
        _check_sums(raw)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of files that it did not write; the error below says more
            content = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"expected a checkpoint of tensors and plain values, {path} holds something else, perhaps code; "
            "nothing of it was run"
        ) from error
    except Exception as error:  # bytes from elsewhere: torch raises whatever they lead it to
        text = str(getattr(error, "strerror", None) or error) or type(error).__name__
        reason = re.split(r"\.? This is an internal|\n", text)[0]  # miniz goes on with advice for programmers of torch
        raise ValueError(f"expected a whole checkpoint, {path} is damaged or of another kind: {reason}") from error
    return _checked(path, content)


def _check_sums(raw: bytes) -> None:
    """Raise ValueError unless every part of a zip file has the check sum (CRC-32) that stands with it.

    torch.load does not look at them: one bit that a disk lost would be a weight like any other.
    """
    if not zipfile.is_zipfile(io.BytesIO(raw)):
        return  # torch's older format, which has no sums, or no checkpoint: torch.load says what is wrong
    with zipfile.ZipFile(io.BytesIO(raw)) as parts:
        damaged = parts.testzip()
    if damaged is not None:
        raise ValueError(f"the check sum (CRC-32) of its part {damaged!r} is wrong: something changed it on the disk")


def _checked(path: Path, content: object) -> Checkpoint:
    """Return the checkpoint that a file's content is, or raise ValueError with what it should have been."""
    if not isinstance(content, dict) or type(content.get("format")) is not int:
        raise ValueError(f"expected a checkpoint of this program, {path} has no format number")
    if content["format"] > FORMAT:
        raise ValueError(
            f"expected a checkpoint of format {FORMAT} at most, {path} has format {content['format']}: "
            "a newer version of the program wrote it; use that one"
        )
    if content["format"] < 2:
        content = {"average": {}} | content
    if content.keys() != _KINDS.keys():
        missing, extra = sorted(_KINDS.keys() - content.keys()), sorted(map(str, content.keys() - _KINDS.keys()))
        raise ValueError(f"expected the fields of a checkpoint, {path} lacks {missing} and has {extra}")
    for name, kind in _KINDS.items():
        _check(path, name, content[name], kind)
    state = Checkpoint(**content)
    if len(state.history) != state.epoch or state.seed != state.config.get("seed"):
        raise ValueError(f"expected a checkpoint whose fields agree, {path} has epochs or seeds that do not")
    if "cpu" not in state.generators:
        raise ValueError(f"expected a checkpoint with the state of the random generator of the cpu, {path} has none")
    return state


def _check(path: Path, name: str, value: object, kind: Any) -> None:
    """Raise ValueError unless a field is of its kind, its texts can be printed and its tensors are plain ones."""
    wrong = f"expected a checkpoint, {path} has a field {name!r} of a wrong kind"
    single = (str, Tensor) if name in _OF_TENSORS else (str, int, float, type(None))
    for part in _parts(value):
        if not isinstance(part, single):
            raise ValueError(f"{wrong}: a {type(part).__name__}")
        if isinstance(part, str) and not part.isprintable():
            raise ValueError(f"{wrong}: the text {part!r}")
        if isinstance(part, Tensor) and (part.layout != torch.strided or part.device.type != "cpu"):
            raise ValueError(f"{wrong}: a {part.layout} tensor on {part.device}")
    try:
        msgspec.convert(value, kind)
    except (msgspec.ValidationError, AttributeError) as error:  # it takes a tensor for a mapping, and asks for its keys
        raise ValueError(f"{wrong}: {error}") from error


def _parts(value: object, depth: int = 2) -> Iterator[object]:
    """Yield the names and the single values in a field; what is nested deeper than any field may be is not opened."""
    if depth and isinstance(value, dict):
        yield from value
        for each in value.values():
            yield from _parts(each, depth - 1)
    elif depth and isinstance(value, list):
        for each in value:
            yield from _parts(each, depth - 1)
    else:
        yield value


class _Epoch(Struct, forbid_unknown_fields=True):
    """An entry of the history."""

    epoch: Count
    step: Count
    seconds: Seconds
    loss: Finite
    test_loss: Finite
    test_accuracy: Finite
    lr: Finite
    training_accuracy: Finite = 0.0  # checkpoints of 0.1 have none
    validation_accuracy: Finite = 0.0  # where images were held out


_OF_TENSORS = ("parameters", "optimizer", "generators", "average")
_Plain = str | int | float | bool | None
_KINDS: dict[str, Any] = {
    "parameters": dict[str, Tensor],
    "optimizer": dict[str, dict[str, Tensor]],
    "epoch": Count,
    "step": Count,
    "loss_sum": Finite,
    "seconds": Seconds,
    "seed": Count,
    "generators": dict[str, Tensor],
    "history": list[_Epoch],
    "config": dict[str, _Plain | list[_Plain]],
    "data": DataFacts,
    "average": dict[str, Tensor],
    "versions": dict[str, str],
    "format": Count,
}
"""What a field has to be. The settings in ``config`` are checked when a run goes on with them."""
