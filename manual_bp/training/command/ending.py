"""How a run ended, and how a command tells it: by its exit code, and in one line where it failed."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from manual_bp.training.command import usage
from manual_bp.training.command.settings import Settings
from manual_bp.training.command.usage import USAGE, UsageError
from manual_bp.training.engine.processes import ToldElsewhereError

STOPPED, INTERRUPTED = 1, 130
"""Exit codes: a run that cannot go on, or data that cannot be read; Ctrl-C."""


NO_MEMORY = "can't allocate memory|not enough memory|out of memory|bad_alloc|Cannot allocate memory"
"""What torch says where memory is short: on Linux, on Windows, on a GPU, in its libraries."""


class Answers(NamedTuple):
    """What a network says of the test images: y (n, classes), and their labels (n,)."""

    y: Tensor
    labels: Tensor


class Ending(NamedTuple):
    """How a run ended: its exit code, its test accuracy if it came to its end, and whether Ctrl-C came meanwhile.

    ``answers`` are those of the network that it reports, where the settings ask for an ensemble, in the first process.
    """

    code: int
    accuracy: float = math.nan
    is_interrupted: bool = False
    answers: Answers | None = None


def accuracies(measured: Mapping[str, float]) -> str:
    """Return the accuracies of an epoch: 'training 98.10%  test 96.20%'."""
    ends = "_accuracy"
    return "  ".join(f"{name.removesuffix(ends)} {each:.2%}" for name, each in measured.items() if name.endswith(ends))


def out_of_memory(error: BaseException) -> str:
    """Return what to do about an error that says memory is short, in a line; '' where it says something else.

    On the CPU torch raises a plain RuntimeError, which only its text tells from others.
    """
    text = str(error)
    if not isinstance(error, MemoryError | torch.OutOfMemoryError) and not re.search(NO_MEMORY, text):
        return ""
    wanted = re.search(r"allocate ([\d.]+ ?\w+)", text)
    what = f"it needs {wanted[1]} more" if wanted else "it needs more than there is"
    return f"out of memory: {what}; a smaller network or --batch-size needs less"


def remedy(settings: Settings) -> str:
    """Return what to try where numbers grow without end."""
    if (settings.momentum or 0) >= 1:
        return f"a momentum of {settings.momentum:g} only ever grows: try a --momentum below 1"
    if (settings.lr or 0) <= 1 <= (settings.lr or 0) * (settings.weight_decay or 0):
        return "each step's pull to 0 goes beyond 0: try a smaller --weight-decay or --lr"
    return "try a smaller --lr"


def plain(error: OSError | ImportError | ValueError) -> str:
    """Return the message of an error: where the operating system raised it, without its number."""
    if isinstance(error, OSError) and error.strerror and str(error).startswith("[Errno"):
        named = error.filename is not None
        return f"expected a path that can be used, got {error.filename}: {error.strerror}" if named else error.strerror
    return str(error)


def leave_output() -> None:
    """Write what may still come to standard output nowhere: nobody reads it, and the interpreter flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def told(command: Callable[[], int]) -> int:
    """Carry out a command and return its exit code; say in one line why it failed."""
    try:
        code = command()
        print(end="", flush=True)  # also where standard output is closed, and sys.stdout None
    except ToldElsewhereError as error:
        usage.tell_torchrun(str(error.__cause__))  # whichever process it names, the cause is the same
        return USAGE if isinstance(error.__cause__, UsageError) else STOPPED
    except UsageError as error:
        say_error(str(error), shown=not usage.told_elsewhere())
        return USAGE
    except BrokenPipeError:  # the reader of a pipe, `| head`, has seen enough
        leave_output()
        say_error("nobody reads the output any more, so some of it is lost")
        return STOPPED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except ConnectionError as error:  # another process is gone: that one is the cause
        print(f"{usage.program}: error: {error}", file=sys.stderr)
        return STOPPED
    except (ImportError, OSError, ValueError) as error:  # packages, data and checkpoints from elsewhere, folders, disks
        say_error(plain(error))
        return STOPPED
    except (MemoryError, RuntimeError) as error:
        if not (what := out_of_memory(error)):
            raise
        say_error(what)
        return STOPPED
    return code


def say_error(what: str, *, shown: bool = True) -> None:
    """Print what is wrong, unless another process does; tell torchrun."""
    usage.tell_torchrun(what)
    if shown:
        print(f"{usage.program}: error: {what}", file=sys.stderr)
