"""Tables on the terminal, and in markdown for the README."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from benchmarks.contenders import LEGEND, TITLES
from benchmarks.gates import Judged
from benchmarks.machine import sentence
from benchmarks.part import Part
from benchmarks.times import CaseTimes, Spread, names_of


def console() -> Console:
    """Return where tables go: 100 columns in a pipe."""
    plain = Console(highlight=False)
    return plain if plain.is_terminal else Console(highlight=False, width=100)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Group:
    """Return a table under its title, the first column text and the others numbers."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for i, column in enumerate(columns):
        made.add_column(column, justify="right" if i else "left", overflow="fold")
    for row in rows:
        made.add_row(*row)
    return Group(Text(title, style="bold"), made)


def case_table(times: CaseTimes) -> Group:
    """Return the times of one case, the fastest first."""
    columns = ("", "form", "threads", "quartile", "µs, median", "quartile", "of manual_bp", "of the floor")
    ordered = sorted(times.timings.values(), key=lambda timing: timing.median)
    rows = [
        (
            TITLES[t.name],
            t.form,
            str(t.threads),
            *map(micro, t.spread),
            number(times.ratio(t.name, "manual")),
            number(times.ratio(t.name, "floor")),
        )
        for t in ordered
    ]
    return table(f"{times.case.name}: {times.case.title}, {times.case.formulas}", columns, rows)


def missing(times: CaseTimes) -> list[str]:
    """Return a line for everyone who was excluded or left out."""
    excluded = [f"{name} is excluded: it {_as_clause(why)}" for name, why in times.excluded.items()]
    return excluded + [f"{name} is left out: {why}" for name, why in times.left_out.items()]


def _as_clause(why: str) -> str:
    return why if why.startswith(("has", "computes")) else f"does not compute the same step: {why}"


def medians(results: Sequence[CaseTimes]) -> tuple[list[str], list[list[str]]]:
    """Return columns and rows: a case in each row, the median in microseconds of each contender."""
    names = names_of(results)
    rows = [
        [times.case.name, *(micro(times.timings[n].median) if n in times.timings else "" for n in names)]
        for times in results
    ]
    return ["µs per step", *(TITLES[n] for n in names)], rows


def ratios(results: Sequence[CaseTimes]) -> tuple[list[str], list[list[str]]]:
    """Return columns and rows: what each contender takes of manual_bp's time, and manual_bp of the floor's."""
    names = [name for name in names_of(results) if name not in ("manual", "floor")]
    rows = [
        [
            times.case.name,
            *(number(times.ratio(n, "manual")) for n in names),
            number(times.ratio("manual", "floor")),
        ]
        for times in results
    ]
    return ["times manual_bp's", *(TITLES[n] for n in names), "manual_bp / floor"], rows


def judged_table(title: str, judged: Sequence[Judged]) -> Group:
    """Return promises or aims, and what was measured."""
    rows = [(v.what, "" if v.measured is None else f"{v.measured:.3g}", v.asked, v.word) for v in judged]
    return table(title, ("", "measured", "asked", ""), rows)


def part_table(part: Part) -> Group:
    """Return the table of a part."""
    return table(part.title, part.columns, part.rows)


def markdown(
    command: str, machine: Mapping[str, str], rounds: int, results: Sequence[CaseTimes], parts: Iterable[Part]
) -> str:
    """Return the tables for the README; the first line is the command that made them."""
    lines = [f"`{command}`", "", f"{sentence(dict(machine))}.", ""]
    if results:
        lines += [f"Medians of {rounds} rounds, each contender with the better of 1 and 2 threads.", ""]
        lines += [*grid(*medians(results)), "", *grid(*ratios(results)), ""]
        lines += [f"- {times.case.name}: {times.case.title}, {times.case.formulas}" for times in results]
        lines += ["", *(f"- {TITLES[name]}: {LEGEND[name]}" for name in names_of(results)), ""]
    for part in parts:
        lines += [f"{part.title}:", "", *grid(part.columns, part.rows), "", part.method, ""]
    return "\n".join(lines)


def grid(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a markdown table."""
    lines = [f"| {' | '.join(columns)} |", f"|---{'|--:' * (len(columns) - 1)}|"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def micro(seconds: float) -> str:
    """Return microseconds: 13.4, 644, 28,200."""
    value = 1e6 * seconds
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def number(ratio: Spread | None) -> str:
    """Return the median of a ratio: 1.08, 12.3."""
    if ratio is None:
        return ""
    return f"{ratio[1]:.2f}" if ratio[1] < 10 else f"{ratio[1]:.1f}"
