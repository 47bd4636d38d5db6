"""Data sets by name, as tensors in memory: found on disk or downloaded, checked, read by torchvision.

A file is held against what was published. Its contents must be whole and of the published shape, its labels those of
the classes. Beyond that, its MD5 as it lies there or unpacked may be a published one:

- that of this file: it is the published one, to the last bit;
- that of another file: it is refused, for MNIST, Fashion-MNIST and KMNIST name their files alike;
- none, where the MD5 of the contents is known (MNIST, Fashion-MNIST): it is refused;
- none, where only torchvision's packing has a known MD5, or nothing has: the file may have been packed anew or
  unpacked, so it is taken, and ``Images.source`` says that no sum vouches for it.
"""

from __future__ import annotations

import hashlib
import shlex
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

import torch
from torch import Tensor

from manual_bp.training.images.data import Images, mnist5k
from manual_bp.training.images.datasets.files import TRAINING, Options, checked, find
from manual_bp.training.images.datasets.folder import load_folder, load_test_folder
from manual_bp.training.images.datasets.published import PUBLISHED, DataSet, File, identities
from manual_bp.training.images.datasets.resizing import resized
from manual_bp.training.images.datasets.vision import torchvision_datasets

NAMES = ("mnist5k", *PUBLISHED, "folder")
TESTS = Options("--test-dataset", "--test-root")


def load(
    name: str, root: Path, *, download: bool = False, side: int | None = None, options: Options = TRAINING
) -> tuple[Images, Images]:
    """Return the training and the test images of a data set; with ``download``, fetch them where they are missing.

    With a ``side``, they are scaled to side x side. Files may lie in torchvision's own folder under ``root``, in one of
    the data set's name, or in ``root`` itself; nothing is written there but what is downloaded. ``mnist5k`` ships with
    the project and needs no root; ``folder`` are pictures of one's own in it (see ``folder``).
    Raises FileNotFoundError or another OSError where there are no files, ValueError where one is not what it should be.
    """
    if name == "folder":
        return load_folder(root.expanduser(), side)
    training, test = mnist5k() if name == "mnist5k" else _published(name, root, options, download=download)
    return (training, test) if side is None else (resized(training, side), resized(test, side))


def load_tests(name: str, root: Path, *, download: bool = False, side: int | None = None) -> Images:
    """Return the test images of a data set as ``load`` does; of a folder that is not divided, all pictures."""
    if name == "folder":
        return load_test_folder(root.expanduser(), side)
    return load(name, root, download=download, side=side, options=TESTS)[1]


def _published(name: str, root: Path, options: Options, *, download: bool) -> tuple[Images, Images]:
    if name not in PUBLISHED:
        raise ValueError(f"load expects a data set of {', '.join(NAMES)}, got {name!r}")
    root = root.expanduser()
    words = f"`{options.name} {name} {options.root} {shlex.quote(str(root))} --download`"
    try:
        paths = find(name, root, options)
    except FileNotFoundError as error:
        if not download:
            raise FileNotFoundError(f"{error}; put them there, or {words} downloads them") from error
        _download(name, root, words)
        paths = find(name, root, options)
    try:
        return _read(name, paths)
    except ValueError as error:
        raise ValueError(f"{error}; remove it or take another {options.root}, then {words} downloads it") from error


# ------------------------------------------------------------------------------------------------------------- read


def _read(name: str, paths: Mapping[File, Path]) -> tuple[Images, Images]:
    """Check every file and have torchvision read it from a temporary folder of its own layout."""
    data_set, known = PUBLISHED[name], identities(torchvision_datasets())
    unknown = []
    with tempfile.TemporaryDirectory(prefix=f"{name}-") as scratch:
        folder = Path(scratch) / data_set.folder
        folder.mkdir(parents=True, exist_ok=True)
        for file, path in paths.items():
            contents, published = checked(name, file, path, known)
            _write(folder / file.name, contents)
            if not published:
                unknown.append(path.name)
        training, test = (_tensors(data_set, scratch, train=train) for train in (True, False))
    source = f"{name} from {next(iter(paths.values())).parent}: " + (
        f"no published MD5 vouches for {', '.join(unknown)}" if unknown else "the published files (MD5)"
    )
    return (
        _images(data_set, training, paths[data_set.training[-1]], source),
        _images(data_set, test, paths[data_set.test[-1]], source),
    )


def _write(path: Path, contents: bytes) -> None:
    try:
        path.write_bytes(contents)
    except OSError as error:
        message = f"load needs {len(contents):,} bytes in {path.parent} for a while: {error.strerror}"
        raise OSError(f"{message}; set TMPDIR to a folder with more room") from error


def _tensors(data_set: DataSet, root: str, *, train: bool, download: bool = False) -> tuple[Tensor, Tensor]:
    """Return pixels (n, height, width) and labels (n,), as torchvision reads them."""
    reader = getattr(torchvision_datasets(), data_set.reader)
    half = reader(root, train=train, download=download, **data_set.options)
    pixels, labels = torch.as_tensor(half.data), torch.as_tensor(half.targets)
    if data_set.transposed:
        pixels = pixels.mT.contiguous()
    return pixels, labels if labels.ndim == 1 else labels[:, 0].contiguous()  # of QMNIST's columns, the class


def _images(data_set: DataSet, tensors: tuple[Tensor, Tensor], path: Path, source: str) -> Images:
    """Return the images, whose labels are from the file at ``path``."""
    try:
        return Images(*tensors, names=data_set.names, source=source)
    except ValueError as error:
        raise ValueError(f"{error}, in {path}") from error


# --------------------------------------------------------------------------------------------------------- download

TIMEOUT = 30.0  # seconds without a byte after which a download has failed; torchvision would wait for ever


def _download(name: str, root: Path, words: str) -> None:
    """Fetch the files through torchvision, check them, and only then move them into its folder under ``root``.

    Until then they are in a temporary folder on the same disk, which goes whatever happens. EMNIST comes as one archive
    of all its editions and takes about 3 GB for as long.
    """
    data_set = PUBLISHED[name]
    destination = root / data_set.folder
    try:
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=_existing(root)) as scratch, _timeout(TIMEOUT):
            for train in (True, False):
                _tensors(data_set, scratch, train=train, download=True)
            paths = find(name, Path(scratch))
            _read(name, paths)
            destination.mkdir(parents=True, exist_ok=True)
            for path in paths.values():
                path.replace(destination / path.name)
    except (OSError, RuntimeError, HTTPException, ValueError) as error:
        files = ", ".join(file.names[0] for file in data_set.files)
        raise OSError(
            f"load could not download {name} into {destination}: {' '.join(str(error).split())}; "
            f"{words} tries again, or put {files} there yourself"
        ) from error


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest above it that is there."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


@contextmanager
def _timeout(seconds: float) -> Iterator[None]:
    """Let no connection that is opened inside wait longer than that for an answer."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def checksum(training: Images, test: Images) -> str:
    """Return the SHA-256 of shapes, pixels and labels of both halves."""
    digest = hashlib.sha256()
    for tensor in (training.pixels, training.labels, test.pixels, test.labels):
        digest.update(f"{tuple(tensor.shape)}\n".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
