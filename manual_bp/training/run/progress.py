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

    def __init__(self, steps: int, *, done: int = 0, batch: int = 1, shown: bool = True) -> None:
        """Take the steps of the whole run, those that are done, and a step's images; unless ``shown``, show nothing."""
        self._console = _Lines(highlight=False, quiet=not shown)
        columns = (
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[now]}"),
        )
        self._bar = Bar(*columns, console=self._console, transient=True, disable=not self._console.is_terminal)
        self._task = self._bar.add_task("training", total=steps, completed=done, now="")
        self._batch = batch

    def __enter__(self) -> Self:
        """Show the bar, on a terminal."""
        if not self._bar.disable:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away; before rich 14 that is a line of its own where there was none."""
        if not self._bar.disable:
            self._bar.stop()

    def advance(self, *, loss: float, lr: float) -> None:
        """Count one step, and show its loss and learning rate and how many images a second are learnt from."""
        if not self._bar.disable:
            speed = (self._bar.tasks[0].speed or 0) * self._batch
            self._bar.update(self._task, advance=1, now=f"loss {loss:.4f}, lr {lr:.3g}, {speed:,.0f} images/s")

    def line(self, text: str) -> None:
        """Print a line that stays, and flush it."""
        self._console.print(text, soft_wrap=True, markup=False)
