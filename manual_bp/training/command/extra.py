"""The packages of the extra ``train``: looked for before the first of them is imported."""

from __future__ import annotations

from importlib.util import find_spec

PACKAGES = {"filelock": "filelock", "matplotlib": "matplotlib", "msgspec": "msgspec", "PIL": "pillow"}
"""By the name that is imported. Not torchvision: the digits that come along are read without it."""
INSTALL = "pip install 'manual-bp[train]'"


def check_extra() -> None:
    """End the program with one line where a package that training needs is not installed."""
    if missing := [package for module, package in PACKAGES.items() if find_spec(module) is None]:
        raise SystemExit(f"train.py: error: training needs {', '.join(missing)} too: {INSTALL}")
