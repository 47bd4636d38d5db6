"""``python -m torch_ref lesson``: one file, whole or not at all."""

import io
import json
import webbrowser
from pathlib import Path

import pytest

from torch_ref.__main__ import main
from torch_ref.lesson.page import build, data
from torch_ref.lesson.walk.examples import random_example


@pytest.fixture(autouse=True)
def small_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the training of the digit's network: what is in the page is tested elsewhere."""
    monkeypatch.setattr(data, "page_data", lambda opening=None: {"x2": "δ" if opening is None else opening.title})
    monkeypatch.setattr(build, "page", lambda given: f"<!doctype html>{given['x2']}")


def test_the_page_is_written_where_it_is_told_to(tmp_path: Path, capsys) -> None:
    file = tmp_path / "page.html"
    assert main(["lesson", "--out", str(file)]) == 0
    assert file.read_text(encoding="utf-8") == "<!doctype html>δ"
    assert capsys.readouterr().out == f"{file}  0 kB\n"
    assert [one.name for one in tmp_path.iterdir()] == ["page.html"]


def test_without_out_it_is_lesson_html_here(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["lesson"]) == 0
    assert main(["lesson"]) == 0  # once more over the first one
    assert (tmp_path / "lesson.html").is_file()


def test_it_goes_to_standard_output_alone(capfdbinary) -> None:
    assert main(["lesson", "--out", "-"]) == 0
    assert capfdbinary.readouterr().out == "<!doctype html>δ".encode()


def test_open_opens_it_in_the_browser(tmp_path: Path, monkeypatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    assert main(["lesson", "--out", str(tmp_path / "a page.html"), "--open"]) == 0
    assert opened == [(tmp_path / "a page.html").as_uri()]


def test_a_random_network_is_the_one_that_compare_walks_through(tmp_path: Path, capsys) -> None:
    options = ["--network", "3-4-2", "--seed", "5", "--activation", "tanh", "--no-bias"]
    file = tmp_path / "page.html"
    assert main(["lesson", "--out", str(file), *options]) == 0
    assert file.read_text(encoding="utf-8") == "<!doctype html>Random, seed 5"
    capsys.readouterr()
    assert main(["compare", *options, "--json"]) == 0
    (walked,) = json.loads(capsys.readouterr().out)["walks"]
    opening = data.plain(random_example([3, 4, 2], "tanh", "squared-error", 5, 0.5, bias=False))
    assert (opening["activation"], opening["loss"], opening["biases"]) == ("tanh", "squared-error", None)
    assert opening["weights"] == list(walked["parameters"].values())
    assert [opening[key] for key in ("x", "t", "lr", "sizes")] == [walked[key] for key in ("x", "t", "lr", "sizes")]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--network", "3-5-2"], "--network expects 1 to 4 units in a layer and at most 4 layers"),
        (["--network", "2-2-2-2-2"], "got 2-2-2-2-2"),
        (["--network", "2-1", "--loss", "cross-entropy"], "expects at least 2 outputs"),
        (["--network", "2-1", "--lr", "1001"], "--lr expects at most 1000 for the page, got 1001"),
        *[([option], "go with --network") for option in ("--no-bias", "--lr=1", "--activation=relu")],
        (["--seed=1"], "--seed goes with --network or --sheet"),
    ],
)
def test_what_the_page_cannot_show_is_refused(options: list[str], said: str, tmp_path: Path, capsys) -> None:
    file = tmp_path / "page.html"
    assert main(["lesson", "--out", str(file), *options]) == 2
    assert said in capsys.readouterr().err
    assert not file.exists()


@pytest.mark.parametrize("out", [".", "missing/lesson.html", "/dev/null"])
def test_a_place_that_is_no_file_is_refused(out: str, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["lesson", "--out", out]) == 2
    assert f"--out expects a file in a folder that exists, got {out}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_opened_is_refused(capsys) -> None:
    assert main(["lesson", "--out", "-", "--open"]) == 2
    assert "--open expects a file" in capsys.readouterr().err


def test_a_full_disk_leaves_the_page_before_unharmed(tmp_path: Path, monkeypatch, capsys) -> None:
    file = tmp_path / "lesson.html"
    file.write_text("before")

    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert main(["lesson", "--out", str(file)]) == 2
    assert "No space left on device; what was there before is unharmed" in capsys.readouterr().err
    assert file.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["lesson.html"]


def test_without_a_browser_it_says_so(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    assert main(["lesson", "--out", str(tmp_path / "lesson.html"), "--open"]) == 0
    assert "open the file yourself" in capsys.readouterr().out


def test_a_name_that_the_terminal_cannot_write_is_no_reason_to_fail(tmp_path: Path, monkeypatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", stream)
    assert main(["lesson", "--out", str(tmp_path / "ü.html")]) == 0
    stream.flush()
    assert stream.buffer.getvalue().endswith(b"\\xfc.html  0 kB\n")


def test_a_closed_output_is_refused(monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.stdout", None)
    assert main(["lesson", "--out", "-"]) == 2
    assert "it is closed" in capsys.readouterr().err
