"""Long output through the reader's own pager: PAGER, else ``less -R``.

``pydoc.pager``, which ``rich`` uses too, asks MANPAGER first, loses the text where PAGER names a program that is not
there, and in Python 3.11 starts ``less`` without -R, which shows colours as signs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress

LESS = {"LESS": "R", "LESSCHARSET": "utf-8"}
"""For a reader who has no settings for less: colours where PAGER is less without -R, and δ without a locale."""


def show(text: str) -> None:
    """Print a text through the pager; plainly where standard output is no terminal, or where there is no pager."""
    command = os.environ.get("PAGER", "").strip() or "less -R"
    if sys.stdout is None or not sys.stdout.isatty() or shutil.which(command.split()[0]) is None:
        print(text, end="")
        return
    sys.stdout.flush()
    settings = LESS | os.environ
    pager = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, env=settings)  # PAGER is a shell's command
    with suppress(KeyboardInterrupt):  # which the pager answers itself; one that was quit early wants no more text
        pager.communicate(text.encode(sys.stdout.encoding, "replace"))
    while pager.poll() is None:
        with suppress(KeyboardInterrupt):
            pager.wait()
