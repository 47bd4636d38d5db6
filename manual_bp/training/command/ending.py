"""How a run ended, and how a command tells it: by its exit code, and in one line where it failed."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Sequence
from statistics import mean, stdev
from typing import NamedTuple

from manual_bp.training.command import usage
from manual_bp.training.command.usage import UsageError

STOPPED, USAGE, INTERRUPTED = 1, 2, 130
"""Exit codes: a run that cannot go on, or data that cannot be read; options that cannot be carried out; Ctrl-C."""


class Ending(NamedTuple):
    """How a run ended: its exit code, its test accuracy if it came to its end, and whether Ctrl-C came meanwhile."""

    code: int
    accuracy: float = math.nan
    is_interrupted: bool = False


def spread(accuracies: Sequence[float]) -> str:
    """Return mean and standard deviation of several runs."""
    return f"{mean(accuracies):.2%} ± {stdev(accuracies):.2%} (mean ± sd)"


def told(command: Callable[[], int]) -> int:
    """Carry out a command and return its exit code; say in one line why it failed."""
    try:
        code = command()
        print(end="", flush=True)  # also where standard output is closed, and sys.stdout None
    except UsageError as error:
        print(f"{usage.program}: error: {error}", file=sys.stderr)
        return USAGE
    except BrokenPipeError:  # the reader of a pipe, `| head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more at its end
        return STOPPED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except (ImportError, OSError, ValueError) as error:  # packages, data and checkpoints from elsewhere, folders, disks
        print(f"{usage.program}: error: {error}", file=sys.stderr)
        return STOPPED
    return code
