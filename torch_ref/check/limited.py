"""A run of somebody's code that is stopped after a number of lines: a changed loop may never end."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from torch_ref.lines.trace import TooLongError

LIBRARIES = (str(Path(torch.__file__).parent.parent), str(Path(ast.__file__).parent), str(Path(__file__).parents[1]))
"""Folders of code that is nobody's."""


@dataclass
class Lines:
    """The lines of somebody's code that have run, of those that may."""

    most: float
    ran: int = 0

    def looking(self, frame: FrameType, event: str, arg: object) -> Any:
        """Look at one event, as a tracer does."""
        if event == "call" and frame.f_code.co_filename.startswith(LIBRARIES):
            return None
        self.ran += event == "line"
        if self.ran > self.most:
            raise TooLongError
        return self.looking


@contextmanager
def lines_counted(most: float = float("inf")) -> Iterator[Lines]:
    """Count the lines that run inside; raise TooLongError after so many."""
    lines, old = Lines(most), sys.gettrace()
    sys.settrace(lines.looking)
    try:
        yield lines
    finally:
        sys.settrace(old)
