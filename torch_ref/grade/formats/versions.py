"""The exact versions of the packages with which this project is verified, for the machine of a course system."""

from __future__ import annotations

import re
from pathlib import Path

import manual_bp
from torch_ref.grade.unusable import UnusableFileError

NEEDED = ("torch", "numpy", "rich")
"""What grading needs; a test of the extras holds the package to it."""


def constraints() -> str:
    """Return constraints.txt: it lies beside the packages of a checkout, and inside an installed one."""
    package = Path(str(manual_bp.__file__)).parent
    found = next((f / "constraints.txt" for f in (package, package.parent) if (f / "constraints.txt").is_file()), None)
    if found is None:
        raise UnusableFileError(f"expected constraints.txt in {package} or beside it: install the package again")
    return found.read_text(encoding="utf-8")


def requirements(index: str) -> str:
    """Return what grading needs as a requirements.txt, each package in its exact version; of an index too, if given."""
    lines = [line for line in constraints().splitlines() if re.match(rf"({'|'.join(NEEDED)})==", line)]
    return "\n".join([*([f"--extra-index-url {index}"] if index else []), *lines]) + "\n"
