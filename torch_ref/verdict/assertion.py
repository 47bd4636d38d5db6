"""One way to raise: ``assert_gradients_match(report)`` fails with the verdict as its message."""

from __future__ import annotations

from collections.abc import Callable

from torch_ref.verdict.report import Report

LISTENERS: list[Callable[[Report], None]] = []
"""Who else wants to see every report: the pytest plugin."""


class GradientMismatchError(AssertionError):
    """A check found a wrong formula; ``report`` holds everything that it saw."""

    def __init__(self, report: Report) -> None:
        """Take the report: its verdict is the message."""
        super().__init__(report.verdict)
        self.report = report

    def __str__(self) -> str:
        """Return the verdict and the table."""
        return str(self.report)


def assert_gradients_match(report: Report) -> None:
    """Raise GradientMismatchError with the verdict and the table unless every quantity of the report agrees.

        assert_gradients_match(crosscheck(network, x, t))
        assert_gradients_match(check_layer(layer, x, reference))

    Under pytest a failure shows both in a section of its own, and ``--gradient-report=DIR`` writes every report that
    comes here as JSON.
    """
    if not isinstance(report, Report):
        got = type(report).__name__
        raise TypeError(
            f"assert_gradients_match expects the Report of a check (crosscheck, check_layer, ...), got {got}"
        )
    for listener in LISTENERS:
        listener(report)
    if not report.ok:
        raise GradientMismatchError(report)
