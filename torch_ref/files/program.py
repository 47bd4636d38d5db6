"""A file that is run as Python would run it, but for what stands under ``if __name__ == "__main__"``."""

from __future__ import annotations

import contextlib
import linecache
import os
import sys
import traceback
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import FrameSummary
from types import CodeType, ModuleType, TracebackType

import numpy as np

STDIN = "-"
"""A file of this name is read from standard input."""

NAME = "__checked__"
"""The name of the file's module: no other has it, whatever the file is called."""


class UnusableFileError(Exception):
    """There is nothing to check: no such file, no Python, or it raises where it is read."""


@contextmanager
def started(path: Path) -> Iterator[ModuleType]:
    """Run a file as a module, with the ``sys.argv`` and ``sys.path`` of ``python FILE.py`` until the end.

    What it prints goes to standard error. Raises UnusableFileError, in one line, where it cannot be run.
    """
    code = _compiled(path)
    module = ModuleType(NAME)
    module.__file__ = code.co_filename
    folder = "" if str(path) == STDIN else str(path.resolve().parent)
    argv, paths, here = sys.argv, sys.path, Path.cwd()
    sys.argv, sys.path, sys.modules[NAME] = [str(path)], [folder, *paths[1:]], module
    try:
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings(), np.errstate():
            _run(code, module)
            yield module
    finally:
        sys.argv, sys.path = argv, paths
        os.chdir(here)
        del sys.modules[NAME]


def raised(error: BaseException, files: Collection[str]) -> str:
    """Say what somebody's code raised, and in which line of these files: 'mine.py:3 raises KeyError: 2, in: p[2]'.

    What was raised elsewhere, for what the code gave, says itself what was expected.
    """
    said = " ".join(str(error).split())[:300]
    frame = _last_frame(error.__traceback__, files)
    if frame is None:
        return said.removesuffix(".") or type(error).__name__
    source = linecache.getline(frame.filename, frame.lineno or 0)
    text = f"{shown(frame.filename)}:{frame.lineno} raises {type(error).__name__}{': ' if said else ''}{said}"
    return text + _in_line(source)


def shown(file: str) -> str:
    """Return a file's name relative to the working directory, where it lies below."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file


def _compiled(path: Path) -> CodeType:
    source = _source(path)
    name = "<stdin>" if str(path) == STDIN else str(path.resolve())  # absolute: the file may change the folder
    if str(path) == STDIN:
        lines = source.decode("utf-8", "replace").splitlines(keepends=True)
        linecache.cache[name] = (len(source), None, lines, name)
    try:
        return compile(source, name, "exec", dont_inherit=True)
    except SyntaxError as error:
        where = f"{path}:{error.lineno}" if error.lineno else str(path)
        raise UnusableFileError(f"{where} is not Python: {error.msg}{_in_line(error.text or '')}") from error
    except (ValueError, RecursionError, MemoryError) as error:  # a null byte; thousands of brackets
        raise UnusableFileError(f"{path} is not Python: {error or type(error).__name__}") from error


def _source(path: Path) -> bytes:
    if str(path) == STDIN:
        return sys.stdin.buffer.read()
    if path.is_dir():
        raise UnusableFileError(f"{path} is a folder: give a file")
    if path.suffix == ".ipynb":
        raise UnusableFileError(
            f"{path} is a notebook: write %load_ext torch_ref in a cell, and %%check above the code of another"
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnusableFileError(f"{path}: {error.strerror}") from error


def _run(code: CodeType, module: ModuleType) -> None:
    try:
        exec(code, vars(module))  # somebody's file, which they asked for
    except SystemExit as error:
        frame = _last_frame(error.__traceback__, [code.co_filename])
        line = frame.lineno if frame else 1
        raise UnusableFileError(
            f"{shown(code.co_filename)}:{line} ends the program (SystemExit: {error.code}) where it is read: put that "
            'under if __name__ == "__main__":'
        ) from error
    except Exception as error:  # whatever somebody's file raises
        raise UnusableFileError(raised(error, [code.co_filename])) from error


def _in_line(source: str) -> str:
    """Return a line of a file for the end of a message."""
    return f", in: {source.strip()[:100]}" if source.strip() else ""


def _last_frame(trace: TracebackType | None, files: Collection[str]) -> FrameSummary | None:
    """Return the last place of a traceback that lies in these files."""
    frames = [frame for frame in traceback.extract_tb(trace) if frame.filename in files]
    return frames[-1] if frames else None
