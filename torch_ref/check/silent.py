"""Changed code runs without a word: nobody wrote it."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path


@contextmanager
def silent() -> Iterator[None]:
    """Keep quiet what is printed, logged and warned of inside."""
    nowhere, level = Path(os.devnull).open("w"), logging.root.manager.disable  # noqa: SIM115
    with warnings.catch_warnings(), nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        warnings.simplefilter("ignore")
        logging.disable(sys.maxsize)
        try:
            yield
        finally:
            logging.disable(level)
