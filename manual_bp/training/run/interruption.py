"""Ctrl-C and SIGTERM: the loop finishes its step, saves, and stops."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Catch Ctrl-C and SIGTERM inside ``with``; ``asked`` is which of them came, or None.

    A second one is not waited for: it raises KeyboardInterrupt. A signal that the process was told to ignore (as a
    shell tells its background jobs) stays ignored.
    """

    def __init__(self) -> None:
        """Begin with no signal seen."""
        self.asked: signal.Signals | None = None
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        """Take over the signals."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal returned before

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked is not None:
            raise KeyboardInterrupt
        self.asked = signal.Signals(number)

    @property
    def exit_code(self) -> int:
        """Return what a shell reports of a program that this signal ended: 130 for Ctrl-C."""
        return 0 if self.asked is None else 128 + self.asked
