"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def unfinished(path: Path) -> Path:
    """Return the name under which ``path`` is written: hidden, and the same each time, so that none pile up."""
    return path.with_name(f".{path.name}.unfinished")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path to write to; it takes the place of ``path`` once its contents are on the disk.

    Whatever happens before that, a full disk or a killed process, ``path`` stays as it was.
    """
    draft = unfinished(path)
    try:
        yield draft
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        draft.replace(path)
        _sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Put the folder's new entry onto the disk too, where folders can be opened (not on Windows)."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; an OSError says that what was there before is unharmed."""
    kept = "what was there before is unharmed" if path.exists() else "nothing is left half-written"
    try:
        with whole_file(path) as draft:
            draft.write_bytes(content)
    except OSError as error:
        raise OSError(f"cannot write {path}: {error.strerror or error}; {kept}") from error
