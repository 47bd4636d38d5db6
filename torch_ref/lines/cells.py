"""The text of a notebook's cell as something that can be called: it runs among the variables of whoever asks."""

from __future__ import annotations

import itertools
import linecache
import re
from collections.abc import Mapping
from typing import Any

from torch_ref.lines.places import is_value
from torch_ref.lines.trace import Run
from torch_ref.lines.upstream import OUTPUT
from torch_ref.lines.world import World

_numbers = itertools.count(1)


class Cell:
    """A cell: its code, and the global variables that it reads and writes."""

    def __init__(self, text: str, name: str, variables: dict[str, Any]) -> None:
        """Compile a text; ``name`` is how the cell is called in reports. Raises SyntaxError where it is no Python."""
        self.file, self.variables = f"<{name} cell {next(_numbers)}>", variables
        lines = [_without_magic(line) for line in text.splitlines(keepends=True)]
        linecache.cache[self.file] = (len(text), None, lines, self.file)
        self.__code__ = compile("".join(lines), self.file, "exec")

    def __call__(self) -> None:
        """Run it."""
        exec(self.__code__, self.variables)

    def within(self, world: World, inputs: Mapping[str, Any]) -> Cell:
        """Return the same cell among copies of the variables, with the inputs among them."""
        found = Cell.__new__(Cell)
        found.file, found.__code__ = self.file, self.__code__
        world.read(self.__code__, self.variables)
        found.variables = world.variables(self.variables)
        found.variables |= inputs
        return found


def _without_magic(line: str) -> str:
    """Return a line as it is; a command to the notebook, %matplotlib inline, as nothing."""
    return re.sub(r"^(\s*)[%!].*", r"\1pass", line)


def result_of(run: Run) -> Any:
    """Return the output of a cell, which returns nothing: its loss by name, or the last value that it made."""
    made = {v.place: run.variables[v.place] for v in run.versions if not v.given and v.place in run.variables}
    values = {name: value for name, value in made.items() if is_value(value)}
    name = next((name for name in OUTPUT if name in values), None)
    return values[name] if name else next(reversed(values.values()), None)
