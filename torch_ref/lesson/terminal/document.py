"""A walk in terms that JSON knows: every number in full precision, every formula as text."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from torch_ref.lesson.terminal.tensors import Summary, summaries
from torch_ref.lesson.terminal.updates import numbers_of
from torch_ref.lesson.walk.both import Both
from torch_ref.lesson.walk.examples import Example
from torch_ref.lesson.walk.expression import GLUE, SYMBOLS, Values, with_numbers
from torch_ref.lesson.walk.paper import explanation
from torch_ref.lesson.walk.planting import Planted
from torch_ref.lesson.walk.repeat import State
from torch_ref.lesson.walk.steps import WalkStep

Document = dict[str, Any]


def head(example: Example) -> Document:
    """Describe the example; its parameters too, where there are few."""
    document: Document = {"example": example.title, "network": example.description, "sizes": example.sizes}
    document |= {"lr": example.lr, "x": example.x[0].tolist()}
    document["t"] = None if example.t is None else example.t[0].tolist()
    document |= {"label": example.label} if example.label is not None else {}
    document |= {"training": asdict(example.training)} if example.training else {}
    if example.is_walkable:
        document["parameters"] = {name: p.tolist() for name, p in example.network.parameters().items()}
    return document


def fault(planted: Planted | None) -> Document:
    """Name the planted fault, where there is one."""
    return {"fault": {"name": planted.fault.name, "layer": planted.l}} if planted else {}


def verdict(both: Both) -> Document:
    """Return how far the two engines are apart, and what crosscheck says."""
    found: Document = {"agrees": both.agrees, "identical": both.identical, "verdict": both.verdict}
    return found | {"report": both.report.to_dict() if both.report else None}


def tensors(both: Both, phases: Collection[str]) -> Document:
    """Return a summary of each tensor of some phases."""
    return {"tensors": [_tensor(summary) for summary in summaries(both, phases)]}


def _tensor(summary: Summary) -> Document:
    return asdict(summary) | {"formula": " = ".join(summary.formula)}


def steps(both: Both, phases: Collection[str]) -> Document:
    """Return each step of some phases of a walk, with the slide's number where there is one."""
    example, by_name = both.example, {step.name: step for step in both.steps()}
    documents = []
    for step in (step for step in by_name.values() if step.phase in phases):
        number = both.numbers[step.name]
        found: Document = {"by_hand": number.by_hand, "autograd": number.autograd}
        found |= {"ulp": number.ulp, "wrong": number.wrong}
        if slide := example.slides.get(step.name):
            why = explanation(step, by_name, example.slides, both.exact).replace(GLUE, " ")
            found["slide"] = {"printed": slide.printed, "calculation": slide.calculation, "why": why}
        documents.append(_step(step, both.written) | found)
    return {"steps": documents}


def paper_steps(steps: Sequence[WalkStep], values: Values, exact: dict[str, float]) -> Document:
    """Return each step of a walk on paper."""
    documents = [_step(s, values) | {"on_paper": str(values[s.name]), "exact": exact[s.name]} for s in steps]
    return {"steps": documents}


def updates(states: Sequence[State], example: Example) -> Document:
    """Return each state of a network between its updates."""
    documents = [
        {"step": state.updates, "L": state.by_hand["L"].item(), "ulp": state.ulp, "wrong": state.wrong}
        | {"numbers": numbers_of(state, example)}
        for state in states
    ]
    return {"updates": documents}


def _step(step: WalkStep, values: Values) -> Document:
    symbols, numbers = step.formula.text(SYMBOLS), step.formula.text(with_numbers(values))
    written = {"symbols": symbols.replace(GLUE, " "), "numbers": numbers.replace(GLUE, " ")}
    return {"name": step.name, "phase": step.phase, "equation": step.equation, **written}
