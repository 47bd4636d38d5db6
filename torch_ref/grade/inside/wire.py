"""What grader and student's process say to each other: words and numbers as JSON, arrays as raw bytes after it.

Nothing is ever unpickled, and whatever does not fit raises ValueError.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

Message = dict[str, Any]

HEAD = struct.Struct(">II")
"""Before each message: the bytes of its JSON, and of its arrays."""

LARGEST = 4 << 20
"""Bytes of a message: arrays are at most 100,000 numbers."""

DTYPES = ("float32", "float64")


def packed(message: Message) -> bytes:
    """Return words, numbers and arrays as bytes."""
    arrays: list[bytes] = []

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            arrays.append(value.tobytes())
            return {"array": value.dtype.name, "shape": list(value.shape)}
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value

    header = json.dumps(plain(message)).encode()
    body = b"".join(arrays)
    return HEAD.pack(len(header), len(body)) + header + body


def unpacked(stream: bytes) -> Iterator[Message]:
    """Yield the messages of a stream of bytes; raise ValueError where it is none of ours."""
    at = 0
    while at < len(stream):
        if at + HEAD.size > len(stream):
            raise ValueError("a message that is cut off")
        of_header, of_body = HEAD.unpack_from(stream, at)
        start, end = at + HEAD.size + of_header, at + HEAD.size + of_header + of_body
        if end > len(stream) or end - at > LARGEST:
            raise ValueError("a message that is cut off, or too large")
        yield _message(stream[at + HEAD.size : start], stream[start:end])
        at = end


def _message(header: bytes, body: bytes) -> Message:
    taken = 0

    def array(found: dict[str, Any]) -> Any:
        nonlocal taken
        if set(found) != {"array", "shape"}:
            return found
        dtype, shape = found["array"], found["shape"]
        fits = isinstance(shape, list) and all(type(n) is int and 0 <= n <= LARGEST for n in shape)
        if dtype not in DTYPES or not fits or len(shape) > 8:
            raise ValueError("an array of another kind")
        size = prod(shape) * np.dtype(dtype).itemsize
        if taken + size > len(body):
            raise ValueError("an array that is cut off")
        found_array = np.frombuffer(body[taken : taken + size], dtype=dtype).reshape(shape)
        taken += size
        return found_array.copy()

    try:
        message = json.loads(header.decode(), object_hook=array)
    except RecursionError as error:
        raise ValueError("a message of another kind") from error
    if not isinstance(message, dict):
        raise ValueError("a message of another kind")
    return message
