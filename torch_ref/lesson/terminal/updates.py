"""Just repeat: a table of the loss and the weights after each update."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from torch_ref.lesson.terminal.sheet import MARK, Column, Look, Sheet
from torch_ref.lesson.terminal.tensors import origin_of_weights
from torch_ref.lesson.walk.examples import Example
from torch_ref.lesson.walk.quantities import scalars
from torch_ref.lesson.walk.repeat import State
from torch_ref.lesson.walk.shown import count, short, shown

STEP, LOSS, ULP = 5, Column("L", 10), Column("ulp", 5)
WIDTH = 10
"""Of a weight."""


def repeat_lines(example: Example, states: Sequence[State], look: Look) -> Iterator[Text]:
    """Yield the table: a line for each state, with as many weights (of a large network: norms) as there is room for."""
    numbers = [numbers_of(state, example) for state in states]
    marks = any(state.wrong for state in states)
    first = STEP + len(MARK) * marks
    names = list(numbers[0])[: (look.width - first - LOSS.width - ULP.width) // WIDTH]
    columns = [LOSS, *(Column(name, WIDTH) for name in names), ULP]
    sheet = Sheet(first + sum(column.width for column in columns), columns, look.plain)
    whole = look.sheet()
    yield from whole.paragraph(f"{example.title}: {example.description}, η = {short(example.lr)}", "bold")
    yield from whole.paragraph(origin_of_weights(example)) if example.training else ()
    yield from whole.paragraph("By hand; ulp is the largest difference from autograd, of L, y and all parameters.")
    yield from sheet.heading(f"{'step':>{first}}")
    for state, row in zip(states, numbers, strict=True):
        cells = [shown(state.by_hand["L"].item()), *(shown(row[name], WIDTH - 1) for name in names), count(state.ulp)]
        mark = (MARK if state.wrong else " " * len(MARK)) if marks else ""
        yield sheet.row(f"{mark}{state.updates:>{STEP}}", cells, "bold red" if state.wrong else "")
    if left_out := len(numbers[0]) - len(names):
        yield from whole.paragraph(f"and {left_out} more in each line: --json prints them all")


def numbers_of(state: State, example: Example) -> dict[str, float]:
    """Return what a table shows of a state: every weight and bias, or each parameter's norm and the target's output."""
    parameters = {name: p for name, p in state.by_hand.items() if name not in ("L", "y")}
    if example.is_walkable:
        named = scalars({f"{name} after": p for name, p in parameters.items()})
        return {name.removesuffix(" after"): value for name, value in named.items()}
    target = {} if example.label is None else {f"y for {example.label}": state.by_hand["y"][0, example.label].item()}
    return target | {f"‖{name}‖": p.double().norm().item() for name, p in parameters.items()}


def unseen(states: Sequence[State]) -> str:
    """Say that a planted fault has not changed what a table shows; 'but for rounding' would not be true."""
    most = max(state.ulp for state in states)
    apart = f"they differ by at most {count(most)} ulp" if most else "they are autograd's to the last bit"
    return f"The fault is not seen in L, y and the parameters yet, {apart}. A larger --lr or more --steps may show it."


def verdict_of(states: Sequence[State], asked: int) -> str:
    """Say how far the two engines are apart after the last update; ``asked`` is how many were asked for."""
    last, most = states[-1], max(state.ulp for state in states)
    if last.updates < asked:
        return f"Stopped after {last.updates:,} updates: the next numbers are not finite. A smaller --lr helps."
    updates = f"{last.updates:,} update{'s' * (last.updates != 1)}"
    if any(state.wrong for state in states):
        return f"After {updates} by hand the numbers are wrong."
    if not most:
        return f"After {updates} all numbers by hand are autograd's, identical to the last bit."
    return f"After {updates} the numbers by hand are autograd's but for rounding, at most {count(most)} ulp."
