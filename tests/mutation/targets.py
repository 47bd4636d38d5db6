"""What the tests are put to the test with: the formulas of `manual_bp`, and the code of the checker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mutation import functions, logic, operators
from mutation.equivalent import OF_CHECKER, OF_FORMULAS
from mutation.functions import Function
from mutation.operators import Operator
from mutation.suite import ROOMS, Parts, parts_of_checker, parts_of_formulas

CHECKER = Path(__file__).parents[2] / "torch_ref"


@dataclass(frozen=True)
class Target:
    """A package, what is changed in it, the tests that must notice, and the changes that nobody can notice."""

    package: Path
    files: tuple[str, ...]
    """Relative to the package: 'linear.py', 'verdict/blame.py'."""
    functions: Callable[[str, str], list[Function]]
    """Of a file and its source."""
    operators: tuple[Operator, ...]
    parts: Callable[[str], Parts]
    """The tests for a file."""
    equivalent: dict[str, str]
    """The mutants that may survive, by ``Mutant.key``, each with the reason."""
    by_reach: bool
    """Whether a mutant meets only the tests that reach it, which a run of them before has to find out."""

    def source(self, file: str) -> str:
        """Return the source of a file as it is."""
        return (self.package / file).read_text(encoding="utf-8")


def of_rooms() -> tuple[str, ...]:
    """Return the files of the checker's rooms that have code, in the order of their names."""
    found = [path for room in ROOMS for path in sorted((CHECKER / room).glob("*.py")) if path.name != "__init__.py"]
    return tuple(path.relative_to(CHECKER).as_posix() for path in found)


TARGETS = {
    "formulas": Target(
        functions.PACKAGE,
        tuple(functions.FILES),
        functions.functions,
        operators.OPERATORS,
        parts_of_formulas,
        OF_FORMULAS,
        by_reach=False,
    ),
    "checker": Target(
        CHECKER,
        of_rooms(),
        logic.functions,
        logic.OPERATORS,
        parts_of_checker,
        OF_CHECKER,
        by_reach=True,
    ),
}
FORMULAS = TARGETS["formulas"]
