"""What a run shows while it trains: a progress bar on a terminal, plain lines in a pipe or a log file."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar


class _Lines(Console):
    """A console that lets the run end by itself where nobody reads its lines any more: rich would exit at once."""

    def on_broken_pipe(self) -> None:
        """Go on as the error that the pipe raised."""
        raise  # rich calls this where it caught a BrokenPipeError


class Progress:
    """Count the steps of a run under its lines, which stay; the bar goes when the run ends."""

    def __init__(self, steps: int, *, done: int = 0, shown: bool = True) -> None:
        """Take the number of steps of the whole run, and of those that are done; unless ``shown``, show nothing."""
        self._console = _Lines(highlight=False, quiet=not shown)
        columns = TextColumn("step"), MofNCompleteColumn(), BarColumn(), TimeRemainingColumn()
        self._bar = Bar(*columns, console=self._console, transient=True, disable=not self._console.is_terminal)
        self._task = self._bar.add_task("training", total=steps, completed=done)

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        self._bar.stop()

    def advance(self) -> None:
        """Count one step."""
        self._bar.advance(self._task)

    def line(self, text: str) -> None:
        """Print a line that stays, and flush it."""
        self._console.print(text, soft_wrap=True, markup=False)
