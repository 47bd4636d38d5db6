"""IDX, the file format of MNIST and its relatives.

Two zero bytes, one byte for the type of the elements, one for the number of dimensions, each dimension as a big-endian
32-bit number, then the elements, the last index fastest.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manual_bp.training.images.paths import found_at, is_file

TYPES = {"uint8": (0x08, 1, "bytes"), "int32": (0x0C, 4, "numbers of 4 bytes")}
"""The byte in the header that stands for a type, its bytes an element, and what a message calls them."""


def read_idx(path: Path, sha256: str | None = None) -> Tensor:
    """Read an IDX file of uint8, gzipped where its name ends in .gz.

    Raises FileNotFoundError, or ValueError where the file is not what its header (or ``sha256``) says.
    """
    if not is_file(path):
        raise FileNotFoundError(f"read_idx expects the file {path}: it is {found_at(path)}; install the package again")
    raw = path.read_bytes()
    if sha256 is not None and (found := hashlib.sha256(raw).hexdigest()) != sha256:
        raise ValueError(f"read_idx expects {path} with SHA-256 {sha256}, got {found}: install the package again")
    content = unpacked(raw, path)
    shape = checked_shape(content, path)
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape).copy())


def unpacked(raw: bytes, path: Path) -> bytes:
    """Return what the file holds: its bytes, or those that gzip packed where its name ends in .gz."""
    try:
        return gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"read_idx expects {path} to be a whole gzip file: {error}") from error


def from_npz(raw: bytes, path: Path, name: str) -> bytes:
    """Return an array of uint8 in a file of numpy's as an IDX file has it; ValueError where there is none."""
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as arrays:
            array: NDArray[Any] = arrays[name]
    except (KeyError, OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"load expects the array {name} in {path}, a whole file of numpy's: {error}") from error
    if array.dtype != np.uint8:
        raise ValueError(f"load expects the array {name} in {path} to be of uint8, got {array.dtype}")
    header = bytes((0, 0, TYPES["uint8"][0], array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def checked_shape(content: bytes, path: Path, dtype: str = "uint8") -> tuple[int, ...]:
    """Return the shape that the header states; the elements must be of that type and as many."""
    code, itemsize, elements = TYPES[dtype]
    if len(content) < 4 or content[:3] != bytes((0, 0, code)) or len(content) < 4 + 4 * content[3]:
        raise ValueError(f"read_idx expects {path} to begin with an IDX header of {dtype}, got {content[:4].hex(' ')}")
    n_dimensions = content[3]
    shape: tuple[int, ...] = struct.unpack_from(f">{n_dimensions}I", content, 4)
    expected, found = math.prod(shape) * itemsize, len(content) - 4 - 4 * n_dimensions
    if found != expected:
        raise ValueError(f"read_idx expects {path} to hold {shape} {elements} as its header says, got {found} bytes")
    return shape
