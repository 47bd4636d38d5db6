"""Which tests a mutant meets, in what order: first those that know its file, then the quick ones, then the others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parents[1]

Parts = tuple[tuple[str, ...], ...]

FIRST: dict[str, tuple[str, ...]] = {
    "products.py": ("products", "products_in_networks", "layers"),
    "convolution.py": ("convolution", "layers"),
    "pooling.py": ("pooling", "layers"),
    "flatten.py": ("pooling", "layers"),
    "dropout.py": ("dropout", "layers"),
    "masks.py": ("dropout",),
    "norm.py": ("norm", "layers"),
    "recurrent.py": ("recurrent", "layers"),
    "windows.py": ("pooling", "convolution"),
    "loss.py": ("loss",),
    "structure.py": ("trace", "protocol"),
    "trace.py": ("trace", "protocol"),
    "gradients.py": ("trace", "protocol"),
    "network.py": ("trace", "lecture"),
    "descent.py": ("descent::test_three_updates_by_plain_arithmetic",),
    "initial.py": ("layers", "trace", "convolution", "recurrent"),
}
"""The tests that know a file of formulas best; of a file that is not here, those of all layers."""
QUICK = (
    "wrong_input",
    "network::test_a_training_step_in_reused_buffers_allocates_nothing",
    "network::test_gradients_by_finite_differences",
    "lecture", "loss", "trace", "protocol", "mirror", "descent", "engine",
)  # fmt: skip
"""The tests of formulas that come next. After them come all the others, which take minutes."""
OF_THE_CHECKOUT = ("mutants", "arrows", "extras")
"""The tests that look at files or start programs: they see the source as it is, whatever is planted."""

ELSEWHERE = {"lesson", "followed", "lines", "files"}
"""Rooms whose tests no mutant of the formulas meets: the lesson shows what the formulas compute, which others hold to
autograd, and the others are about code that people bring.
"""

ROOMS = ("numbers", "steps", "verdict", "check")
"""The rooms of the checker, which are rooms of tests too."""
USERS = ("lines",)
"""Rooms whose tests reach files of the checker that no others do."""
SLOW = ("trial", "pytest_plugin")
"""The tests of the checker that come last."""


def parts_of_formulas(file: str) -> Parts:
    """Return the suite in three parts, for a file of `manual_bp`; without those of the checkout and of other rooms."""
    first = FIRST.get(file, ("layers",))
    apart = (*first, *QUICK, *OF_THE_CHECKOUT)
    others = [name for name, path in files().items() if name not in apart and not ELSEWHERE & set(path.parts)]
    return paths(first), paths(QUICK), paths(others)


def parts_of_checker(file: str) -> Parts:
    """Return the tests of the checker in four parts, for a file of one of its rooms: those of the room come first."""
    in_rooms = {room: in_room(room) for room in (*ROOMS, "known", "trial")}
    first = in_rooms.pop(file.split("/")[0])
    others = tuple(name for names in in_rooms.values() for name in names if name not in SLOW)
    users = tuple(name for room in USERS for name in in_room(room))
    return paths([name for name in first if name not in SLOW]), paths(others), paths(users), paths(SLOW)


def in_room(room: str) -> tuple[str, ...]:
    """Return the short names of the files of tests of one room of `torch_ref`."""
    return tuple(name for name, path in files().items() if path.parent == TESTS / "torch_ref" / room)


def paths(names: Sequence[str]) -> tuple[str, ...]:
    """Return what pytest takes: 'tests/manual_bp/test_network.py::test_...' for 'network::test_...'."""
    split = [name.partition("::") for name in names]
    return tuple(f"{files()[name]}{colons}{test}" for name, colons, test in split)


@cache
def files() -> dict[str, Path]:
    """Return the files of tests by their short names; those of the browser are a run of their own."""
    found = {path.stem.removeprefix("test_"): path for path in sorted(TESTS.rglob("test_*.py"))}
    return {name: path for name, path in found.items() if "browser" not in path.parts}
