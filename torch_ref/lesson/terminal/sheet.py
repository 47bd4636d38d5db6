"""A sheet of text: formulas at the left, numbers in columns at the right, at any width, in Unicode or ASCII."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.text import Text

from torch_ref.lesson.walk.expression import GLUE
from torch_ref.lesson.walk.phases import PHASES
from torch_ref.lesson.walk.shown import DECIMALS

ASCII = {
    "σ": "sigma", "δ": "delta", "∂": "d", "η": "eta", "Σ": "sum", "−": "-", "·": "*", "½": "1/2", "²": "^2", "′": "'",
    "⊙": ".*", "ᵀ": "^T", "←": "<-", "→": "->", "✗": "x", "‖": "|", "×": "x", "…": "...", "█": "#", "▀": '"', "▄": "_",
}  # fmt: skip
"""What stands for each character of a sheet where a stream takes ASCII only."""

MARK, EQUATION = "✗ ", 5

TITLES = {"forward": "forward pass", "backward": "backward pass"}
"""Of the phases that are not called by their own name."""


def in_ascii(text: str) -> str:
    """Write a text in ASCII: delta^1_1, dL/dW^1_11."""
    return text.translate({ord(char): name for char, name in ASCII.items()}).encode("ascii", "replace").decode()


@dataclass(frozen=True)
class Column:
    """A column of numbers: its heading and how wide it is, the space before it included."""

    heading: str
    width: int


COLUMNS = (Column("by hand", 11), Column("autograd", 11), Column("ulp", 5))
"""Of a walk by both engines."""


@dataclass(frozen=True)
class Note:
    """A line below a formula, with numbers in the first columns where it has them."""

    text: str
    cells: Sequence[str] = ()
    style: str = ""


@dataclass(frozen=True)
class Entry:
    """One quantity: its equation, its formula written in several ways, its numbers, and notes."""

    equation: str
    name: str
    written: Sequence[str]
    """Each follows the name and an equals sign, on a line of its own."""
    cells: Sequence[str]
    notes: Sequence[Note] = ()
    style: str = ""
    """Of the numbers."""
    wrong: bool = False


@dataclass(frozen=True)
class Sheet:
    """Turns entries into lines of text that are at most ``width`` wide."""

    width: int
    columns: Sequence[Column]
    plain: bool = False
    """In ASCII."""
    marks: bool = False
    """Leave room at the left for the sign that marks what is wrong."""

    @property
    def room(self) -> int:
        """Return the width to the left of the columns."""
        return self.width - sum(column.width for column in self.columns)

    def heading(self, title: str) -> list[Text]:
        """Return a blank line and the line that begins a part: its title, and the headings of the columns."""
        headings = "".join(f"{column.heading:>{column.width}}" for column in self.columns)
        return [
            Text(),
            Text.assemble((f"{self._own(title):<{self.room}}", "bold"), (self._own(headings.rstrip()), "dim")),
        ]

    def entry(self, entry: Entry) -> list[Text]:
        """Return the lines of one quantity; its numbers stand in the first."""
        mark = (MARK if entry.wrong else "  ") if self.marks else ""
        blank = " " * (len(mark) + EQUATION)
        first, *others = self._written(entry)
        head = Text.assemble((self._own(mark), "bold red"), (f"{entry.equation:<{EQUATION}}", "cyan"), first)
        lines = [self._with_cells(head, entry.cells, "bold red" if entry.wrong else entry.style)]
        lines += [Text(blank + line) for line in others]
        return lines + [line for note in entry.notes for line in self._note(note, blank)]

    def phases(self, entries: Iterable[tuple[str, Entry]]) -> Iterator[Text]:
        """Yield the lines of entries, each given with its phase, under a heading for each phase."""
        for phase, of_phase in groupby(entries, lambda both: both[0]):
            yield from self.heading(TITLES.get(phase, phase))
            for _, entry in of_phase:
                yield from self.entry(entry)

    def part(self, phases: Collection[str]) -> list[Text]:
        """Return the line that says which phases alone follow; none where all do."""
        shown = [phase for phase in PHASES if phase in phases]
        if len(shown) == len(PHASES):
            return []
        return self.paragraph(f"Shown: {', '.join(shown)}. The rest is computed, but not shown.")

    def paragraph(self, text: str, style: str = "") -> list[Text]:
        """Return a text in lines that fit; a line feed in it begins a new one."""
        parts = [textwrap.wrap(self._own(part), self.width, break_on_hyphens=False) for part in text.split("\n")]
        return [Text(line.replace(GLUE, " "), style) for part in parts for line in part or [""]]

    def _written(self, entry: Entry) -> list[str]:
        """Return the formula in lines that leave the columns free, below each other at the equals sign."""
        name = self._own(entry.name)
        width = self.room - EQUATION - len(MARK) * self.marks
        lines: list[str] = []
        for written in entry.written or [""]:
            equals = f"{GLUE}={GLUE}" if written else ""
            start = (name if not lines else GLUE * len(name)) + equals
            hanging = " " * (len(name) + len(equals))
            text = start.replace(" ", GLUE) + self._own(written)
            lines += _wrapped(text, len(hanging), width) if lines else self._first(text, len(hanging), width)
        return [line.replace(GLUE, " ") for line in lines]

    def _first(self, text: str, hanging: int, width: int) -> list[str]:
        """Wrap the lines beside the columns, which they must not reach: if need be between factors, or anywhere."""
        between_factors = text[:hanging] + text[hanging:].replace(GLUE, " ")
        ways = (text, hanging), (between_factors, hanging), (text.replace(GLUE, " "), 2)
        wrapped = [_wrapped(written, indent, width) for written, indent in ways]
        return next((lines for lines in wrapped if max(map(len, lines)) <= width), wrapped[-1])

    def _note(self, note: Note, blank: str) -> list[Text]:
        text = _wrapped(self._own(note.text), 0, self.room - len(blank))
        first, *others = [Text(blank + line.replace(GLUE, " "), note.style) for line in text]
        return [self._with_cells(first, note.cells, note.style), *others]

    def row(self, text: str, cells: Sequence[str] = (), style: str = "") -> Text:
        """Return one line: a text, and numbers in the columns."""
        return self._with_cells(Text(self._own(text)), cells, style)

    def _with_cells(self, line: Text, cells: Sequence[str], style: str) -> Text:
        line.pad_right(max(0, self.room - len(line.plain)) if cells else 0)
        for column, cell in zip(self.columns, cells, strict=False):
            line.append(f" {self._own(cell):>{column.width - 1}}", style)
        line.rstrip()
        return line

    def _own(self, text: str) -> str:
        return in_ascii(text.replace(GLUE, "\0")).replace("\0", GLUE) if self.plain else text


@dataclass(frozen=True)
class Look:
    """How text is laid out: how wide, and whether in ASCII."""

    width: int
    plain: bool

    def sheet(self, columns: Sequence[Column] = (), *, marks: bool = False) -> Sheet:
        """Return a sheet with these columns."""
        return Sheet(self.width, columns, self.plain, marks)


def _wrapped(text: str, hanging: int, width: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=" " * hanging, break_long_words=False, break_on_hyphens=False)


def at_the_point(number: str, room: int = 10) -> str:
    """Pad a number with spaces, so that its decimal point stands below that of a number of six decimals."""
    _, point, decimals = number.partition(".")
    missing = 0 if "e" in number else DECIMALS + 1 - len(point + decimals)
    return number + " " * min(missing, room - len(number))
