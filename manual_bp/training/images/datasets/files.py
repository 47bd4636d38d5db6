"""The files of a published data set on disk: where they may lie, and whether each is what it should be."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from manual_bp.training.images.datasets.published import PUBLISHED, File, Identity
from manual_bp.training.images.paths import found_at, is_file


class Options(NamedTuple):
    """The options by which a data set is named, for the messages."""

    name: str
    root: str


TRAINING = Options("--dataset", "--data-root")


def find(name: str, root: Path, options: Options = TRAINING) -> dict[File, Path]:
    """Return the path of every file of a data set, all from one folder: the first that has them all.

    That may be torchvision's folder under the root, one of the data set's name, or the root itself.
    Raises FileNotFoundError, which says what is missing, or another OSError where a folder cannot be read.
    """
    if root.exists() and not root.is_dir():
        raise NotADirectoryError(f"load expects a folder as {options.root}, got the file {root}")
    data_set = PUBLISHED[name]
    found = {folder: _present(data_set.files, folder) for folder in (root / data_set.folder, root / name, root)}
    best = max(found, key=lambda folder: len(found[folder]))  # the first of them
    if missing := [file.names[0] for file in data_set.files if file not in found[best]]:
        places = " or ".join(map(str, found))
        what = f"load expects the files of {name} in {places}; {best} lacks {', '.join(missing)}"
        raise FileNotFoundError(what + _in_their_place(data_set.files, found))
    return found[best]


def _present(files: tuple[File, ...], folder: Path) -> dict[File, Path]:
    try:
        there = {path.name: path for path in folder.iterdir() if path.is_file()} if folder.is_dir() else {}
    except PermissionError as error:
        raise PermissionError(f"load expects a folder that it can read, got {folder}: {error.strerror}") from error
    names = {file: [name for name in file.names if name in there] for file in files}
    return {file: there[present[0]] for file, present in names.items() if present}


def _in_their_place(files: tuple[File, ...], folders: Iterable[Path]) -> str:
    """Return what has the name of a file but is none: '; x/train-images-idx3-ubyte is a folder, no file'."""
    paths = dict.fromkeys(folder / name for folder in folders for file in files for name in file.names)
    strange = [(path, found_at(path)) for path in paths if not is_file(path)]
    return "".join(f"; {path} is {what}, no file" for path, what in strange if what != "missing")


def checked(name: str, file: File, path: Path, known: Mapping[str, Identity]) -> tuple[bytes, bool]:
    """Return the contents of a file, for torchvision to read, and whether its MD5 is the published one.

    Raises ValueError where the file is damaged, or known to be another one.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise type(error)(f"load expects to read {path}: {error.strerror}") from error
    contents = file.contents(raw, path)
    md5 = _md5(contents)
    identity = known.get(md5) or known.get(_md5(raw))
    if identity == Identity(name, file.name):
        return contents, True
    if identity is not None:
        raise ValueError(f"load expects {path} to be {file.name} of {name}, got {identity.file} of {identity.data_set}")
    if file.md5 is not None:
        raise ValueError(f"load expects {path} to hold {file.name} of {name}, MD5 {file.md5}, got MD5 {md5}")
    return contents, False


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
