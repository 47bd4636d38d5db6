"""The autograder's archive for Gradescope: two scripts, this package, the versions to install, the lecturer's options.

Gradescope unpacks it into /autograder/source and runs setup.sh once, with a network. From then on run_autograder needs
none: it grades /autograder/submission and writes /autograder/results/results.json.
"""

from __future__ import annotations

import shlex
import zipfile
from pathlib import Path

import manual_bp
import torch_ref
from torch_ref.grade.formats.assignment import Assignment
from torch_ref.grade.formats.versions import NEEDED, constraints
from torch_ref.grade.unusable import UnusableFileError

SETUP = """#!/usr/bin/env bash
# Install Python 3.11 or later, and torch, numpy and rich in the versions of constraints.txt.
set -euo pipefail
root="${AUTOGRADER_ROOT:-/autograder}"
new_enough() { command -v "$1" > /dev/null && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; }

apt-get update
apt-get install -y python3 python3-venv
python=python3
if ! new_enough python3; then
    python=python3.11
    apt-get install -y python3.11 python3.11-venv
fi
"$python" -m venv "$root/venv"
"$root/venv/bin/python" -m pip install --no-cache-dir -c "$root/source/constraints.txt" \\
    INDEX NEEDED
"""

RUN = """#!/usr/bin/env bash
# Grade one submission. The last line of options is the lecturer's: it may be changed here.
set -euo pipefail
root="${AUTOGRADER_ROOT:-/autograder}"
export PYTHONPATH="$root/source" OMP_NUM_THREADS=1
code=0
"$root/venv/bin/python" -P -m torch_ref grade "$root/submission" \\
    --format gradescope --out "$root/results/results.json" \\
    OPTIONS || code=$?
[ "$code" -le 1 ]  # 0: full marks, 1: less; anything else is a fault of the grader's, and there are no results
"""


def write(path: Path, assignment: Assignment, points: Path | None) -> None:
    """Write the archive, with the options of ``grade`` and the templates to hand out.

    Raises UnusableFileError where it cannot be written.
    """
    options = shlex.join(assignment.words)
    setup = SETUP.replace("INDEX NEEDED", shlex.join([*assignment.of_index, *NEEDED]))
    texts = {"setup.sh": setup, "constraints.txt": constraints()}
    texts |= {f"template/{name}": text for name, text in assignment.files().items()}
    for option, file in {"points": points, "network": assignment.options["network"]}.items():
        if file is not None:
            name = f"{option}{file.suffix}"
            texts[name] = file.read_text(encoding="utf-8")
            options += f' --{option} "$root/source/{name}"'
    texts["run_autograder"] = RUN.replace("OPTIONS", options)
    texts |= _package()
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in sorted(texts.items()):
                archive.writestr(_entry(name), text)
    except OSError as error:
        raise UnusableFileError(f"{path}: {error.strerror}") from error


def _entry(name: str) -> zipfile.ZipInfo:
    """Return an entry that is the same whenever it is made: same options, same archive."""
    entry = zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = (0o100755 if name in ("setup.sh", "run_autograder") else 0o100644) << 16
    entry.create_system = 3  # Unix, whose modes these are
    return entry


def _package() -> dict[str, str]:
    """Return the sources of both packages by their names in the archive; grading needs no other file of theirs."""
    roots = [Path(str(package.__file__)).parent for package in (manual_bp, torch_ref)]
    files = [(file, root.parent) for root in roots for file in root.rglob("*.py")]
    return {file.relative_to(above).as_posix(): file.read_text(encoding="utf-8") for file, above in files}
