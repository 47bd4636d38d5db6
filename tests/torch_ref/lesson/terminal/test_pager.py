"""``compare --pager``: in a terminal through the reader's pager, and as ever where there is none."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

from torch_ref.__main__ import main
from torch_ref.lesson.terminal import command

LINE, MANY = "\x1b[1mδ^2\x1b[0m = σ′ e\n", 20_000
TEXT = LINE * MANY
PROGRAM = f"from torch_ref.lesson.terminal.pager import show; show({LINE!r} * {MANY})"
SHOW = [sys.executable, "-c", PROGRAM]
COMPARE = [sys.executable, "-m", "torch_ref", "compare", "--phase", "loss"]


def run(words: list[str], *, piped: bool = False, **environment: str) -> tuple[int, bytes]:
    """Run a command in a terminal, or with its output in a pipe; give exit code and what it showed."""
    above, below = os.openpty()
    settings = {name: value for name, value in os.environ.items() if name not in ("PAGER", "LESS", "FORCE_COLOR")}
    settings |= {"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "80"} | environment
    output = subprocess.PIPE if piped else below
    with subprocess.Popen(words, stdin=below, stdout=output, stderr=below, env=settings) as process:
        os.close(below)
        shown = process.stdout.read() if process.stdout else b""
        with contextlib.suppress(OSError):  # the terminal ends with the process
            while part := os.read(above, 65536):
                shown += part
    os.close(above)
    return process.returncode, shown.replace(b"\r\n", b"\n")


def test_the_pager_gets_every_line_with_its_colours(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    assert run(SHOW, PAGER=f"cat > {kept}") == (0, b"")
    assert kept.read_text(encoding="utf-8") == TEXT


def test_without_a_setting_it_is_less_with_colours_and_in_utf_8(tmp_path: Path) -> None:
    less = tmp_path / "less"
    less.write_text('#!/bin/sh\necho "$* $LESS $LESSCHARSET"\ncat\n')
    less.chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    assert run(SHOW, PATH=path) == (0, b"-R R utf-8\n" + TEXT.encode())
    assert run(SHOW, PATH=path, LESS="i")[1].startswith(b"-R i utf-8\n")


@pytest.mark.parametrize("pager", ["there-is-no-such-pager --quiet", "cat", " "])
def test_a_pager_that_is_not_there_is_done_without(pager: str) -> None:
    path = {} if pager.strip() else {"PATH": str(Path(sys.executable).parent)}  # and no less either
    assert run(SHOW, PAGER=pager, **path) == (0, TEXT.encode())


def test_quitting_the_pager_early_is_no_error() -> None:
    assert run(SHOW, PAGER=f"{sys.executable} -c 'import sys; sys.stdin.buffer.read(9)'") == (0, b"")


def test_in_a_pipe_it_changes_nothing() -> None:
    assert run(SHOW, piped=True, PAGER="false") == (0, TEXT.encode())


def test_compare_gives_it_the_whole_text_and_has_its_own_exit_code(monkeypatch, capsys) -> None:
    given: list[str] = []
    monkeypatch.setattr(command, "show", given.append)
    words = [*COMPARE[3:], "--fault", "squared-error-sign"]
    assert main([*words, "--pager"]) == 1
    assert capsys.readouterr().out == ""
    assert main(words) == 1
    assert given == [capsys.readouterr().out]


@pytest.mark.long
def test_compare_goes_through_it_with_colours_and_with_its_own_exit_code() -> None:
    plainly, paged = (
        run([*COMPARE, "--fault", "squared-error-sign", *more], PAGER="cat -n") for more in ([], ["--pager"])
    )
    assert (plainly[0], paged[0]) == (1, 1)
    assert b"\x1b[36mE6   \x1b[0mL = " in plainly[1]
    assert paged[1] == b"".join(b"%6d\t" % n + line for n, line in enumerate(plainly[1].splitlines(keepends=True), 1))
