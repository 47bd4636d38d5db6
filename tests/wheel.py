"""Build the package, install it where nothing else is, and use it there: what somebody gets who has no checkout.

    python tests/wheel.py            two minutes; needs the extra 'release', and an index to install torch from

The wheel is made from the source archive, both are checked for an index, and the wheel is installed into an empty
virtual environment beside the torch of constraints.txt, which must stay what it is, first alone and then with extras.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from pathlib import Path

from places import ROOT

CONSTRAINTS = ROOT / "constraints.txt"
TORCH, TORCHVISION = (
    re.search(rf"^{name}==(\S+)$", CONSTRAINTS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1]
    for name in ("torch", "torchvision")
)
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "manual_bp/__init__.py").read_text(encoding="utf-8"))[1]
DATA = (
    "manual_bp/py.typed",
    "manual_bp/training/images/mnist5k/LICENSE.md",
    "torch_ref/py.typed",
    "manual_bp/constraints.txt",
    "torch_ref/grade/formats/pages.css",
    "torch_ref/lesson/notebook.ipynb",
    "torch_ref/lesson/page/web/lesson.html",
)
SHORT = ("--epochs", "1", "--hidden", "8")


def run(*command: object, cwd: Path, code: int = 0, **environment: str) -> str:
    """Run a command in a folder and return what it printed; exit where its exit code is another one."""
    words, began = [str(word) for word in command], time.monotonic()
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | environment
    outcome = subprocess.run(words, cwd=cwd, env=clean, capture_output=True, text=True, timeout=600, check=False)
    shown = " ".join([Path(words[0]).name, *words[1:]])
    print(f"{time.monotonic() - began:6.1f} s  {shown}", flush=True)
    if outcome.returncode != code:
        sys.exit(f"expected exit code {code}, got {outcome.returncode}\n{outcome.stdout}\n{outcome.stderr}")
    return outcome.stdout + outcome.stderr


def expect(what: str, printed: str) -> None:
    """Exit unless a text was printed."""
    if what not in printed:
        sys.exit(f"expected {what!r} in\n{printed}")


def built(folder: Path) -> Path:
    """Build source archive and wheel, check both as an index would, and return the wheel."""
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder, PIP_CONSTRAINT=str(CONSTRAINTS))
    archives = sorted(folder.iterdir())
    run(sys.executable, "-m", "twine", "check", "--strict", *archives, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    expect(f"manual_bp-{VERSION}-py3-none-any.whl", wheel.name)
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    if tops != {"manual_bp", "torch_ref", f"manual_bp-{VERSION}.dist-info"}:
        sys.exit(f"the wheel has other things at its top: {sorted(tops)}")
    for name in ("manual_bp/train.py", *DATA):
        expect(name, "\n".join(names))
    return wheel


class Place:
    """An empty virtual environment with torch in it, and an empty folder to work in."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.folder = folder / "venv/bin", folder / "elsewhere"
        venv.create(folder / "venv", with_pip=True)
        self.folder.mkdir()
        self.install(f"torch=={TORCH}")
        self.torch = self.version("torch")

    def install(self, *what: object) -> None:
        """Install as a user would, without constraints; what was there of torch must be there still."""
        before = self.version("torch") if hasattr(self, "torch") else None
        run(self.bin / "pip", "install", "--quiet", *what, cwd=self.folder)
        if before not in (None, self.version("torch")):
            sys.exit(f"torch was {before} and is {self.version('torch')} now")

    def version(self, package: str) -> str:
        """Return the version of an installed package."""
        code = f"from importlib.metadata import version; print(version({package!r}))"
        return subprocess.check_output([self.bin / "python", "-c", code], text=True).strip()

    def __call__(self, *words: object, code: int = 0) -> str:
        """Run the command manual-bp."""
        return run(self.bin / "manual-bp", *words, cwd=self.folder, code=code)

    def python(self, *words: object) -> str:
        """Run Python."""
        return run(self.bin / "python", *words, cwd=self.folder)


def try_core(place: Place, wheel: Path) -> None:
    """Use what needs no extra, and see the one line where one is needed."""
    place.install(wheel)
    expect(f"manual-bp {VERSION}, torch {place.torch}", place("--version"))
    expect("usage: manual-bp [-h]", place("--help"))
    where = place.python("-c", "import manual_bp, torch_ref; print(manual_bp.__version__, manual_bp.__file__)")
    expect(f"{VERSION} {place.bin.parent}", where)
    expect("E14", place("compare"))
    place("compare", "--data", "mnist5k")
    expect(
        "100.00% of the planted faults are rejected",
        place("faults", "--networks", "1", "--family", "norms", "--functions", "4"),
    )
    (place.folder / "student.py").write_text(place("grade", "--template"), encoding="utf-8")
    expect("0 of 16 points", place("grade", "student.py", code=1))
    for command in ("lesson", "train"):
        expect(f"pip install 'manual-bp[{command}]'\n", place(command, code=2))


def try_extras(place: Place, wheel: Path) -> None:
    """Write the lesson, train, go on, read a checkpoint, and train by two processes."""
    place.install(f"{wheel}[lesson]")
    expect("lesson.html", place("lesson"))
    place.install(f"{wheel}[train]")
    expect("test accuracy", place("train", *SHORT, "--out-dir", "run"))
    expect("test accuracy", place("train", "--resume", "run", "--epochs", "2"))
    expect("test accuracy", place.python("-m", "torch_ref", "train", *SHORT, "--engine", "both"))
    torchrun = (place.bin / "torchrun", "--standalone", "--nproc-per-node=2")
    expect("test accuracy", run(*torchrun, "-m", "torch_ref", "train", *SHORT, cwd=place.folder))
    expect("pip install 'manual-bp[datasets]'", place("train", "--dataset", "mnist", code=2))
    place.install(f"{wheel}[all]", f"torch=={TORCH}")  # as that line says: the torch that is there is named
    if place.version("torchvision") != TORCHVISION:
        sys.exit(f"expected torchvision {TORCHVISION}, got {place.version('torchvision')}")
    expect("lacks train-images-idx3-ubyte.gz", place("train", "--dataset", "mnist", code=1))
    run(place.bin / "pip", "check", cwd=place.folder)


def main() -> int:
    """Build, install and use."""
    with tempfile.TemporaryDirectory() as folder:
        (dist := Path(folder) / "dist").mkdir()
        wheel = built(dist)
        place = Place(Path(folder))
        try_core(place, wheel)
        try_extras(place, wheel)
        print(f"{wheel.name} works beside torch {place.torch}, which it left as it was")
    return 0


if __name__ == "__main__":
    sys.exit(main())
