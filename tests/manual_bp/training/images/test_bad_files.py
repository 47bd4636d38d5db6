"""A file that is missing, damaged or another one is named, with what was expected, what came, and what mends it."""

import bz2
import errno
import gzip
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fakes import Fake, fake_data_set, idx, scratch, usps_line  # noqa: F401  # fixtures

from manual_bp.training.images.datasets import load, loading

pytestmark = pytest.mark.usefixtures("scratch")


def command(name: str, root: object) -> str:
    return f"`--dataset {name} --data-root {root} --download`"


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]


def labels(n: int, last: int) -> bytes:
    return idx((n,), bytes([*range(9), *bytes(n - 10), last]))


TRAIN, TEST = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
DAMAGE: dict[str, tuple[str, Callable[[dict[str, bytes]], bytes], str]] = {
    "packed, cut off": (f"{TRAIN}.gz", lambda files: files[f"{TRAIN}.gz"][:-9], "to be a whole gzip file"),
    "packed, a bit flipped": (f"{TRAIN}.gz", lambda files: flipped(files[f"{TRAIN}.gz"], 5000), "a whole gzip file"),
    "packed, empty": (f"{TRAIN}.gz", lambda files: b"", r"an IDX header of uint8, got $"),
    "packed, something else": (f"{TRAIN}.gz", lambda files: b"<html>404", "whole gzip file: Not a gzipped file"),
    "cut off": (TRAIN, lambda files: files[TRAIN][:-9], r"to hold \(94, 28, 28\) bytes as its header says, got 73687"),
    "too long": (TRAIN, lambda files: files[TRAIN] + b"\0", "header says, got 73697 bytes"),
    "three images": (
        TRAIN,
        lambda files: idx((3, 28, 28), bytes(3 * 784)),
        r"of shape \(94, 28, 28\), got \(3, 28, 28\)",
    ),
    "of another size": (TRAIN, lambda files: idx((94, 14, 56), bytes(94 * 784)), r"28, 28\), got \(94, 14, 56\)"),
    "labels for images": (TRAIN, lambda files: files[TEST], r"of shape \(94, 28, 28\), got \(94,\)"),
    "images for labels": (TEST, lambda files: files[TRAIN], r"of shape \(94,\), got \(94, 28, 28\)"),
    "test for training": (TEST, lambda files: files["t10k-labels-idx1-ubyte"], r"of shape \(94,\), got \(47,\)"),
    "a wrong label": (TEST, lambda files: labels(94, 10), "labels from 0 to 9, got 0 to 10, in"),
    "a wrong test label": (
        "t10k-labels-idx1-ubyte",
        lambda files: labels(47, 255),
        "labels from 0 to 9, got 0 to 255, in",
    ),
    "int32": (TEST, lambda files: idx((94,), bytes(4 * 94), 12), "IDX header of uint8, got 00 00 0c 01"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_named(fake, damage: str, tmp_path: Path) -> None:
    name, change, message = DAMAGE[damage]
    made: Fake = fake("kmnist")
    packed = name.endswith(".gz")
    made.write(tmp_path, packed=packed)
    (tmp_path / name).write_bytes(change(made.files(packed=packed)))
    with pytest.raises(ValueError, match=re.escape(str(tmp_path / name))) as raised:
        load("kmnist", tmp_path, download=True)
    problem, _, mend = str(raised.value).partition("; ")
    assert re.search(message, problem)
    assert mend == f"remove it or take another --data-root, then {command('kmnist', tmp_path)} downloads it"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx((94, 8), bytes(94 * 8)), "header of int32, got 00 00 08 02"),
        (idx((94, 8), bytes(94 * 8), 12), r"to hold \(94, 8\) numbers of 4 bytes as its header says, got 752 bytes"),
        (idx((94, 8), b"\xff" * 94 * 32, 12), "labels from 0 to 9, got -1 to -1"),
    ],
)
def test_damaged_labels_of_qmnist_are_named(fake, content: bytes, message: str, tmp_path: Path) -> None:
    fake("qmnist").write(tmp_path)
    (tmp_path / "qmnist-train-labels-idx2-int.gz").write_bytes(gzip.compress(content))
    with pytest.raises(ValueError, match=message) as raised:
        load("qmnist", tmp_path)
    assert str(tmp_path / "qmnist-train-labels-idx2-int.gz") in str(raised.value)


GOOD = usps_line(10, [1] * 256)
LINE = "expects a label, then 1:VALUE to 256:VALUE from -1 to 1, in each line"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (GOOD.replace("10 1:1", "11 1:1"), "labels from 1 to 10 in .*, got '11'"),
        (GOOD.replace("10 1:1", "0 1:1"), "labels from 1 to 10 in .*, got '0'"),
        (GOOD.replace("10 1:1", "3.0 1:1"), "got '3.0'"),
        ("\n", "got ''"),
        (GOOD.replace(" 9:1", " 9:1.5"), f"{LINE}.*got 9:1.5 in line 94"),
        (GOOD.replace(" 9:1", " 9:-2"), "got 9:-2 in line 94"),
        (GOOD.replace(" 9:1", " 9:nan"), "got 9:nan in line 94"),
        (GOOD.replace(" 9:1", " 8:1"), "got 8:1 in line 94"),
        (GOOD.replace(" 9:1", ""), LINE),
        (GOOD.replace(" 9:1", " 9:x"), f"{LINE}.*: could not convert"),
        (GOOD.replace(" 9:1", " 9"), LINE),
        ("", "to hold 94 lines, got 93"),
        (GOOD * 2, "to hold 94 lines, got 95"),
    ],
)
def test_a_wrong_line_of_usps_is_named(fake, line: str, message: str, tmp_path: Path) -> None:
    fake("usps").write(tmp_path)
    (tmp_path / "usps.bz2").write_bytes(bz2.compress((GOOD * 93 + line).encode()))
    with pytest.raises(ValueError, match=message) as raised:
        load("usps", tmp_path)
    assert str(tmp_path / "usps.bz2") in str(raised.value)


def test_lines_of_usps_that_all_lack_a_pixel_are_named(fake, tmp_path: Path) -> None:
    fake("usps").write(tmp_path)
    (tmp_path / "usps.bz2").write_bytes(bz2.compress((usps_line(1, [1] * 255) * 94).encode()))
    with pytest.raises(ValueError, match=f"{LINE} of .*, got 255 values"):
        load("usps", tmp_path)


@pytest.mark.parametrize("change", [lambda raw: raw[:-9], lambda raw: flipped(raw, 700), lambda raw: b"no bz2"])
def test_a_damaged_bz2_file_is_named(fake, change: Callable[[bytes], bytes], tmp_path: Path) -> None:
    made = fake("usps")
    made.write(tmp_path)
    (tmp_path / "usps.t.bz2").write_bytes(change(made.contents["usps.t.bz2"]))
    with pytest.raises(ValueError, match=r"usps\.t\.bz2 to be a whole bz2 file"):
        load("usps", tmp_path)


# ------------------------------------------------------------------------------------------------------- files, folders


def test_missing_files_are_named_with_the_command_that_fetches_them(fake, tmp_path: Path) -> None:
    fake("kmnist").write(tmp_path / "kmnist")
    (tmp_path / "kmnist/train-labels-idx1-ubyte.gz").unlink()
    (tmp_path / "kmnist/t10k-labels-idx1-ubyte.gz").unlink()
    (tmp_path / "kmnist/t10k-labels-idx1-ubyte.gz").mkdir()
    with pytest.raises(FileNotFoundError) as raised:
        load("kmnist", tmp_path)
    assert str(raised.value) == (
        f"load expects the files of kmnist in {tmp_path}/KMNIST/raw or {tmp_path}/kmnist or {tmp_path}; "
        f"{tmp_path}/kmnist lacks train-labels-idx1-ubyte.gz, t10k-labels-idx1-ubyte.gz; "
        f"{tmp_path}/kmnist/t10k-labels-idx1-ubyte.gz is a folder, no file; "
        f"put them there, or {command('kmnist', tmp_path)} downloads them"
    )


def test_what_stands_in_a_files_place_is_named(fake, tmp_path: Path) -> None:
    made = fake("kmnist")
    made.write(tmp_path)
    for name in made.files():
        (tmp_path / name).unlink()
    os.mkfifo(tmp_path / f"{TRAIN}.gz")
    (tmp_path / TEST).symlink_to("gone")
    with pytest.raises(FileNotFoundError) as raised:
        load("kmnist", tmp_path)
    assert f"; {tmp_path}/{TRAIN}.gz is a pipe, no file; " in str(raised.value)
    assert f"; {tmp_path}/{TEST} is a link to gone, which is missing, no file; " in str(raised.value)


def test_a_root_that_is_missing_or_a_file_is_named(fake, tmp_path: Path) -> None:
    fake("kmnist")
    with pytest.raises(FileNotFoundError, match=f"{tmp_path}/no where/KMNIST/raw lacks train-images") as raised:
        load("kmnist", tmp_path / "no where")
    assert command("kmnist", f"'{tmp_path}/no where'") in str(raised.value)
    (tmp_path / "file").write_text("")
    for download in (False, True):
        with pytest.raises(NotADirectoryError, match=f"expects a folder as --data-root, got the file {tmp_path}/file"):
            load("kmnist", tmp_path / "file", download=download)


def test_a_full_disk_is_named(fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake("kmnist").write(tmp_path)

    def full(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    message = r"load needs 73,712 bytes in .*kmnist-.* for a while: No space left on device; set TMPDIR to a folder"
    with pytest.raises(OSError, match=message):
        load("kmnist", tmp_path)


def test_ctrl_c_leaves_nothing(fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake("kmnist").write(tmp_path)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(loading, "_tensors", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load("kmnist", tmp_path)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder that everybody may read, and a place for temporary files that everybody may write."""
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        folder = Path(made)
        folder.chmod(0o755)
        (folder / "scratch").mkdir()
        (folder / "scratch").chmod(0o777)
        monkeypatch.setattr(tempfile, "tempdir", str(folder / "scratch"))
        yield folder


@contextmanager
def somebody() -> Iterator[None]:
    """Be no superuser for a while: that one may read and write everything."""
    superuser = os.geteuid() == 0
    if superuser:
        os.seteuid(65534)
    try:
        yield
    finally:
        if superuser:
            os.seteuid(0)


def test_a_folder_that_may_only_be_read_is_enough(fake, folder: Path) -> None:
    made = fake("kmnist")
    data = made.write(folder / "KMNIST/raw")
    data.chmod(0o555)
    before = sorted(data.iterdir())
    with somebody():
        for download in (False, True):
            assert len(load("kmnist", folder, download=download)[0]) == len(made.training[1])
        assert sorted(data.iterdir()) == before
    data.chmod(0o755)


@pytest.mark.parametrize("download", [False, True])
def test_what_may_not_be_read_is_named(fake, download: bool, folder: Path) -> None:
    data = fake("kmnist").write(folder / "kmnist")
    (data / f"{TRAIN}.gz").chmod(0)
    with somebody(), pytest.raises(PermissionError, match=f"expects to read {data}/{TRAIN}.gz: Permission denied"):
        load("kmnist", folder, download=download)
    data.chmod(0)
    with somebody(), pytest.raises(PermissionError, match=f"a folder that it can read, got {data}: Permission denied"):
        load("kmnist", folder, download=download)
    data.chmod(0o755)


def test_a_download_into_a_folder_that_may_not_be_written_is_named(fake, folder: Path) -> None:
    fake("kmnist")
    with somebody(), pytest.raises(OSError, match=f"could not download kmnist into {folder}/KMNIST/raw: .*denied"):
        load("kmnist", folder, download=True)
