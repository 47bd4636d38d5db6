"""Ctrl-C and the other signals that ask a program to end: the loop finishes its step, saves, and stops."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Self

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGBREAK")
"""Ctrl-C, a kill, a terminal that closed, what job schedulers send before their time is up, Ctrl-Break of Windows."""
SIGNALS = tuple(signal.Signals[name] for name in NAMES if name in signal.Signals.__members__)


class Interruption:
    """Catch ``SIGNALS`` inside ``with``; ``asked`` is which of them came first, or None.

    The same once more, or Ctrl-C, is not waited for: it raises KeyboardInterrupt. Another one changes nothing: service
    managers send SIGHUP beside SIGTERM, and schedulers SIGTERM after SIGUSR1. A signal that the process was told to
    ignore (as a shell tells its background jobs) stays ignored.
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
        if self.asked is not None and number in (signal.SIGINT, self.asked):
            raise KeyboardInterrupt
        self.asked = self.asked or signal.Signals(number)

    @property
    def exit_code(self) -> int:
        """Return what a shell reports of a program that this signal ended: 130 for Ctrl-C."""
        return 0 if self.asked is None else 128 + self.asked
