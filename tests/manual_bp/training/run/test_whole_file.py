"""Files that appear whole or not at all, also when the disk is full or the process dies."""

import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from manual_bp.training.run.whole_file import unfinished, whole_file, write_whole


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def fail_half_way(path: Path) -> None:
    with whole_file(path) as draft:
        draft.write_bytes(b"half")
        raise ZeroDivisionError


def test_takes_the_place_of_the_file_only_when_complete(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with whole_file(path) as draft:
        draft.write_bytes(b"new")
        assert path.read_bytes() == b"old"
        assert draft == unfinished(path)
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["x"]


def test_an_error_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError):
        fail_half_way(path)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["x"]


def test_the_contents_are_on_the_disk_before_they_take_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes | None] = []
    path = tmp_path / "x"
    real = os.fsync

    def fsync(handle: int) -> None:
        seen.append(path.read_bytes() if path.exists() else None)
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    write_whole(path, b"new")
    assert seen == [None, b"new"]  # the file, then the folder's entry of it


@pytest.mark.parametrize(("before", "said"), [(b"old", "before is unharmed"), (None, "nothing is left half-written")])
def test_a_full_disk_is_named_and_harms_nothing(tmp_path: Path, before: bytes | None, said: str) -> None:
    path = tmp_path / "x"
    if before is not None:
        path.write_bytes(before)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match=f"cannot write {re.escape(str(path))}: File too large; .*{said}"):
            write_whole(path, bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (path.read_bytes() if path.exists() else None) == before
    assert names(tmp_path) == ([] if before is None else ["x"])


def test_a_killed_writer_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """Killed between writing and renaming: the draft stays behind under its one name, which the next writer takes."""
    path = tmp_path / "x"
    path.write_bytes(b"old")
    code = (
        "import os, signal, sys; from pathlib import Path; from manual_bp.training.run import whole_file\n"
        "with whole_file.whole_file(Path(sys.argv[1])) as draft:\n"
        "    draft.write_bytes(b'half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    outcome = subprocess.run([sys.executable, "-c", code, str(path)], timeout=60, check=False)
    assert outcome.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    write_whole(path, b"new")
    assert names(tmp_path) == ["x"]
