"""What is not installed with the package itself: the extras, by what Python imports of each.

`pyproject.toml` has the same under the names that pip knows, with the reason for each; a test compares the two.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

EXTRAS = {
    "train": ("filelock", "matplotlib", "msgspec", "PIL"),
    "datasets": ("torchvision",),
    "lesson": ("latex2mathml", "matplotlib"),
    "tensorboard": ("tensorboard",),
}


def missing(extra: str, *needed: str) -> str:
    """Return the line that says how to install an extra, or '' where all of it, or what is needed, is installed."""
    absent = [name for name in needed or EXTRAS[extra] if find_spec(name) is None]
    if not absent:
        return ""
    verb = "is" if len(absent) == 1 else "are"
    line = f"{', '.join(absent)} {verb} not installed: pip install 'manual-bp[{extra}]'"
    return f"{line} 'torch=={_torch_version()}'" if extra == "datasets" else line


def exit_without(extra: str, program: str) -> None:
    """End the program with this line and exit code 2 where the extra is not installed."""
    if line := missing(extra):
        print(f"{program}: {line}", file=sys.stderr)
        sys.exit(2)


def _torch_version() -> str:
    """Return the version of torch: named beside torchvision, pip keeps it, and takes the torchvision that fits."""
    import torch

    return torch.__version__.partition("+")[0]
