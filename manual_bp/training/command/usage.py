"""What the command line is told where it cannot be carried out."""

from __future__ import annotations

import difflib
import json
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from manual_bp.extras import exit_without
from manual_bp.letters import spell_output

program = "train.py"
"""The program as messages name it; whoever starts it under another name says so here first."""


USAGE = 2
"""The exit code for options that cannot be carried out."""


def told_elsewhere() -> bool:
    """Return whether torchrun started this process beside a first one here, which says what is wrong with options."""
    return os.environ.get("LOCAL_RANK", "0") != "0"


def tell_torchrun(what: str) -> None:
    """Leave what is wrong where torchrun looks for it, if it started this process: it ends its own report with that."""
    if path := os.environ.get("TORCHELASTIC_ERROR_FILE"):
        said = {"message": {"message": what, "extraInfo": {"timestamp": str(int(time.time()))}}}
        with suppress(OSError):  # it is said on standard error all the same
            Path(path).write_text(json.dumps(said), encoding="utf-8")


class UsageError(Exception):
    """Options that do not fit each other, or this machine."""


def nearest(text: str, known: Iterable[str]) -> str:
    """Return '; did you mean ...?' where something known looks like it."""
    close = difflib.get_close_matches(text, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


SYNONYMS = {
    "learning-rate": "lr",
    "eta": "lr",
    "step-size": "lr",
    "ema": "average",
    "swa": "average",
    "early-stop": "patience",
    "early-stopping": "patience",
    "layers": "network",
    "model": "network",
    "architecture": "network",
    "units": "hidden",
    "width": "hidden",
    "decay": "weight-decay",
    "l2": "weight-decay",
    "iterations": "epochs",
    "scheduler": "lr-schedule",
    "output": "out-dir",
    "save-dir": "out-dir",
    "checkpoint": "resume",
    "data": "dataset",
    "data-dir": "data-root",
    "gpu": "device",
    "cuda": "device",
    "workers": "threads",
    "augmentation": "augment",
    "evaluate": "eval-only",
    "test": "eval-only",
    "verbose": "quiet",
}
"""What other programs call options of this one."""


def nearest_option(word: str, known: Iterable[str]) -> str:
    """Return '; did you mean --lr?' for a word such as --learning_rate: by its beginning, meaning or letters."""
    text = word.partition("=")[0].lstrip("-").replace("_", "-").lower()
    names = [name.removeprefix("--") for name in known]
    meant = {name: name for name in names} | {other: name for other, name in SYNONYMS.items() if name in names}
    begun = {name for name in names if text and name.startswith(text)}
    close = difflib.get_close_matches(text, list(meant), n=1, cutoff=0.7)
    found = [*(begun if len(begun) == 1 else ()), *(meant[each] for each in close)]
    return f"; did you mean --{found[0]}?" if found else ""


def option(name: str) -> str:
    """Return a setting's name as an option: '--batch-size'."""
    return f"--{name.replace('_', '-')}"


def begin() -> None:
    """Spell letters that the output cannot write; end the program where the extra 'train' is not installed.

    One line, and exit code 2. Called before what needs the extra is imported, and before ``--help``, which has a σ.
    """
    spell_output()
    exit_without("train", program)
