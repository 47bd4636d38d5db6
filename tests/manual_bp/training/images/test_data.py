"""The digits that ship, and the IDX reader on good and bad files."""

import gzip
import struct
from pathlib import Path

import pytest
import torch

from manual_bp.training.images.data import MNIST5K, Images, mnist5k, read_idx


def idx(shape: tuple[int, ...], body: bytes, kind: int = 8) -> bytes:
    return bytes([0, 0, kind, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + body


def test_the_digits_that_ship() -> None:
    """5,000 digits, balanced by class, disjoint, ink on an empty border."""
    digits, test_digits = mnist5k()
    assert (digits.pixels.shape, digits.labels.shape) == ((4000, 28, 28), (4000,))
    assert (test_digits.pixels.shape, test_digits.labels.shape) == ((1000, 28, 28), (1000,))
    assert torch.bincount(digits.labels).tolist() == [400] * 10
    assert torch.bincount(test_digits.labels).tolist() == [100] * 10
    assert digits.pixels.dtype == torch.uint8
    assert digits.pixels.max() == 255
    assert digits.pixels[:, 0].float().mean() < 1
    images = {image.numpy().tobytes() for image in torch.cat([digits.pixels, test_digits.pixels])}
    assert len(images) == 5000


def test_the_digits_carry_their_licence() -> None:
    text = (MNIST5K / "LICENSE.md").read_text(encoding="utf-8")
    assert "CC BY-SA 3.0" in text
    assert all(name in text for name in ("LeCun", "Cortes", "Burges"))


@pytest.mark.parametrize("name", ["x.idx", "x.idx.gz"])
def test_reads_idx_plain_and_gzipped(tmp_path: Path, name: str) -> None:
    content = idx((2, 3), bytes(range(6)))
    (tmp_path / name).write_bytes(gzip.compress(content, mtime=0) if name.endswith("gz") else content)
    assert read_idx(tmp_path / name).tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.idx", idx((2, 3), bytes(5)), r"to hold \(2, 3\) bytes as its header says, got 5 bytes"),
        ("x.idx", idx((2, 3), bytes(7)), "got 7 bytes"),
        ("x.idx", idx((2**31, 2**31, 4), bytes(7)), "got 7 bytes"),
        ("x.idx", idx((2, 3), bytes(6), kind=13), "to begin with an IDX header of uint8, got 00 00 0d 02"),
        ("x.idx", b"\0\0", "IDX header of uint8, got 00 00"),
        ("x.idx", b"\0\0\x08\x03\0\0", "IDX header of uint8"),
        ("x.idx", b"", "IDX header of uint8"),
        ("x.gz", b"no gzip", "to be a whole gzip file"),
        ("x.gz", gzip.compress(idx((2, 3), bytes(6)), mtime=0)[:-9], "to be a whole gzip file"),
        ("x.gz", gzip.compress(bytes(1000), mtime=0)[:20] + b"\xff" * 9, "to be a whole gzip file"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as raised:
        read_idx(tmp_path / name)
    assert str(tmp_path / name) in str(raised.value)


def test_a_missing_file_and_a_wrong_checksum_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expects the file .*nowhere\.gz: it is missing"):
        read_idx(tmp_path / "nowhere.gz")
    (tmp_path / "x.idx").write_bytes(idx((1,), b"\0"))
    with pytest.raises(ValueError, match=r"with SHA-256 00ff, got [0-9a-f]{64}"):
        read_idx(tmp_path / "x.idx", sha256="00ff")


@pytest.mark.parametrize(
    ("pixels", "labels", "message"),
    [
        (
            torch.zeros(2, 28, 28),
            torch.zeros(2).long(),
            r"pixels \(n, height, width\) of torch.uint8, got \(2, 28, 28\)",
        ),
        (torch.zeros(2, 784).byte(), torch.zeros(2).long(), r"got \(2, 784\) of torch.uint8"),
        (torch.zeros(2, 3, 3).byte(), torch.zeros(3).long(), r"expects 2 labels, one an image, got \(3,\)"),
        (torch.zeros(2, 3, 3).byte(), torch.tensor([0, 10]), "labels from 0 to 9, got 0 to 10"),
        (torch.zeros(2, 3, 3).byte(), torch.tensor([-1, 3]), "labels from 0 to 9, got -1 to 3"),
    ],
)
def test_wrong_images_are_named(pixels: torch.Tensor, labels: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Images(pixels, labels)
