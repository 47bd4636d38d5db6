"""Downloads from a server of our own: whole, checked, moved into place, or nothing at all."""

import errno
import hashlib
import io
import socket
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cases import assert_identical
from fakes import Fake, fake_data_set, scratch  # noqa: F401  # fixtures

from manual_bp.training.images.datasets import load, loading
from manual_bp.training.images.datasets.published import PUBLISHED
from manual_bp.training.images.datasets.vision import torchvision_datasets

pytestmark = pytest.mark.usefixtures("scratch")
NOBODY = "http://127.0.0.1:9/"  # the port where nobody listens


class Server(SimpleHTTPRequestHandler):
    """Serve a folder and note what was asked for."""

    asked: list[str]

    def log_message(self, *words: object) -> None:
        self.asked.append(self.path)


class QuietServer(ThreadingHTTPServer):
    """Say nothing where torchvision asks for a file, to see whether it is elsewhere, and hangs up before it came."""

    def handle_error(self, *_: object) -> None:
        assert isinstance(sys.exception(), ConnectionError)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str, list[str]]]:
    """Serve a folder; give it, its address, and the list of what was asked for."""
    monkeypatch.setenv("no_proxy", "*")
    folder = tmp_path / "served"
    folder.mkdir()
    asked: list[str] = []
    handler = type("Noting", (Server,), {"asked": asked})
    with QuietServer(("127.0.0.1", 0), partial(handler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}/", asked
        server.shutdown()
        thread.join()


def publish(made: Fake, monkeypatch: pytest.MonkeyPatch, address: str, folder: Path | None = None) -> None:
    """Let torchvision know a fake's files and sums at an address, and write them into the folder served there."""
    files = made.files()
    if made.name == "emnist-balanced":
        with zipfile.ZipFile(buffer := io.BytesIO(), "w") as archive:
            for name, content in files.items():
                archive.writestr(f"gzip/{name}", content)
        files = {"gzip.zip": buffer.getvalue()}
    sums = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    reader = getattr(torchvision_datasets(), PUBLISHED[made.name].reader)
    addresses = [(address + name, md5) for name, md5 in sums.items()]
    if made.name == "emnist-balanced":
        monkeypatch.setattr(reader, "url", addresses[0][0])
        monkeypatch.setattr(reader, "md5", addresses[0][1])
    elif made.name == "qmnist":
        monkeypatch.setattr(reader, "resources", {"train": addresses[:2], "test": addresses[2:]})
    elif made.name == "usps":
        parts = [(address + name, name, md5) for name, md5 in sums.items()]
        monkeypatch.setattr(reader, "split_list", dict(zip(("train", "test"), parts, strict=True)))
    else:
        monkeypatch.setattr(reader, "mirrors", [address])
        monkeypatch.setattr(reader, "resources", list(sums.items()))
    for name, content in files.items() if folder else ():
        (folder / name).write_bytes(content)


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return everything in a folder: when it was changed, and what is in it."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_download_is_whole_in_its_place_and_needed_once(fake, served, name: str, tmp_path: Path, monkeypatch) -> None:
    folder, address, asked = served
    made, root = fake(name), tmp_path / "new" / "root"
    publish(made, monkeypatch, address, folder)
    halves = load(name, root, download=True)
    for images, (pixels, labels) in zip(halves, (made.training, made.test), strict=True):
        assert_identical(images.pixels, pixels.contiguous())
        assert_identical(images.labels, labels)
    packed = name != "emnist-balanced"  # torchvision keeps its files unpacked
    place = PUBLISHED[name].folder
    after = tree(root)
    assert {path: content for path, (_, content) in after.items()} == {
        str(Path(place) / file): content for file, content in made.files(packed=packed).items()
    }
    assert halves[0].source.endswith(
        "the published files (MD5)" if packed else "emnist-balanced-test-labels-idx1-ubyte"
    )
    assert sorted(path.name for path in root.parent.iterdir()) == ["root"]
    asked.clear()
    load(name, root, download=True)
    assert asked == []
    assert tree(root) == after


def test_a_download_completes_what_is_there_in_part(fake, served, tmp_path: Path, monkeypatch) -> None:
    folder, address, _ = served
    made, root = fake("kmnist"), tmp_path / "root"
    publish(made, monkeypatch, address, folder)
    made.write(root / "KMNIST/raw", packed=False)
    (root / "KMNIST/raw/t10k-labels-idx1-ubyte").unlink()
    (root / "KMNIST/raw/train-labels-idx1-ubyte").write_bytes(b"damaged")
    assert_identical(load("kmnist", root, download=True)[0].labels, made.training[1])


@pytest.fixture
def refused(fake, tmp_path: Path) -> Callable[..., str]:
    """Try to download KMNIST into a folder; nothing may stay there. Give the message."""

    def attempt(root: Path = tmp_path / "root") -> str:
        before = tree(tmp_path)
        with pytest.raises(OSError, match="load could not download kmnist into") as raised:
            load("kmnist", root, download=True)
        assert tree(tmp_path) == before
        assert not root.exists()
        message, _, mend = str(raised.value).partition("; ")
        assert "\n" not in message
        assert mend.startswith(f"`--dataset kmnist --data-root {root} --download` tries again, or put ")
        assert mend.endswith("t10k-labels-idx1-ubyte.gz there yourself")
        return message

    return attempt


def test_no_network_is_named(fake, refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    publish(fake("kmnist"), monkeypatch, NOBODY)
    assert f"Error downloading train-images-idx3-ubyte.gz: Tried {NOBODY}, got:" in refused()


def test_a_file_that_is_not_the_published_one_is_named(fake, served, refused, monkeypatch) -> None:
    folder, address, _ = served
    publish(fake("kmnist"), monkeypatch, address, folder)
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(b"half of it")
    assert "Error downloading t10k-labels-idx1-ubyte.gz" in refused()


def test_what_does_not_hold_what_was_published_is_named(fake, served, refused, monkeypatch) -> None:
    """The sums are right, and yet: a wrong label, as if another edition had been published."""
    folder, address, _ = served
    made = fake("kmnist")
    content = made.contents["train-labels-idx1-ubyte"]
    made.contents["train-labels-idx1-ubyte"] = content[:-1] + b"\x0a"
    publish(made, monkeypatch, address, folder)
    assert "labels from 0 to 9, got 0 to 10" in refused()


@pytest.mark.parametrize("root", ["", "new/root"])
def test_ctrl_c_leaves_nothing(fake, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is fetched lies on the disk on which it shall stay: in the root, or in the nearest folder above it."""
    fake("kmnist")

    def interrupted(_: object, folder: str, **__: object) -> None:
        assert Path(folder).parent == tmp_path
        (Path(folder) / "half").write_bytes(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(loading, "_tensors", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load("kmnist", tmp_path / root, download=True)
    assert [path.name for path in tmp_path.iterdir()] == ["scratch"]


def test_a_full_disk_leaves_nothing(fake, served, refused, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, address, _ = served
    publish(fake("kmnist"), monkeypatch, address, folder)

    def full(path: Path, contents: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(loading, "_write", full)
    assert "No space left on device" in refused()


@pytest.mark.parametrize("answer", [b"", b"good day\r\n\r\n"], ids=["silence", "no HTTP"])
def test_a_server_that_does_not_answer_is_named(fake, refused, monkeypatch, answer: bytes) -> None:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(loading, "TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        publish(fake("kmnist"), monkeypatch, f"http://127.0.0.1:{server.getsockname()[1]}/")
        done = threading.Event()

        def answer_once() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(answer)
                done.wait(10)

        thread = threading.Thread(target=answer_once)
        thread.start()
        message = refused()
        done.set()
        thread.join()
    assert ("good day" if answer else "timed out") in message
    assert socket.getdefaulttimeout() is None
