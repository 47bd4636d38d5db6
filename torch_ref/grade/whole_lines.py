"""Which line of a whole network's backward pass is wrong by itself: its variables, handed to autograd one by one.

Here, where no student's code is, autograd goes backward through the lecturer's forward pass, and each gradient that a
file computed goes on in the place of autograd's own, as ``check_chain`` does it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from torch_ref.grade.marking import AnswerSheet
from torch_ref.grade.whole_points import WholePoint
from torch_ref.lines.names import values_of
from torch_ref.numbers.agreement import relative_difference
from torch_ref.steps.chain import Chain, Claim
from torch_ref.steps.graph import place_of
from torch_ref.verdict.chain import Written, report_of_chain
from torch_ref.verdict.report import Report

NEAR = 1e-6
"""Of the norm: how near two values are that are the same."""


@dataclass(frozen=True)
class Seen:
    """A variable of a student's function, as it was received."""

    function: str
    line: int
    name: str
    value: Tensor


def report_on(
    point: WholePoint, seen: Sequence[Seen], sheet: AnswerSheet, i: int, lines: Sequence[str], file: str
) -> Report | None:
    """Return the report on the gradients that were seen, with the sign that leaves least to explain."""
    values = {name: p.clone().requires_grad_() for name, p in point.parameters.items()}
    with torch.inference_mode(mode=False), torch.enable_grad():
        given = {"x": point.x.clone().requires_grad_(), "t": point.t.clone(), **values}
        loss, every = point.owner.values(given)
        every = {name: v for name, v in every.items() if v.requires_grad and v is not loss}
        every |= {"x": given["x"], **values}
        found = torch.autograd.grad(loss, [*every.values()], retain_graph=True, allow_unused=True)
        right = dict(zip(every, found, strict=True))
        right = {name: g for name, g in right.items() if g is not None}
        paired = _paired(seen, right, _own_names(seen, every))
        returned = _returned(sheet, i, point)
        tried: list[Report] = []
        for sign in _signs({n: found for n, found in paired.items() if n not in point.parameters}, right):
            claims, written = [], {}
            for name in right:
                pairs = paired.get(name, [])
                of_parameter = name in point.parameters
                tensors = [returned[name]] if name in returned else [sign * one.value for one in pairs]
                if not tensors:
                    continue
                line = _line(name, tensors[-1] if of_parameter else None, pairs, seen)
                claims.append(Claim(name, (place_of(every[name]),), (tuple(_shaped(t, right[name]) for t in tensors),)))
                source = f"{file}:{line}" if line else file
                written[name] = (Written(statement(lines, line) if line else "", source),)
            if not claims:
                continue
            chain = Chain([(loss, torch.ones_like(loss))], claims)
            tried.append(report_of_chain(chain, power=False, written=written))
            if not tried[-1].guilty:
                break
        return min(tried, key=lambda report: len(report.guilty)) if tried else None


def _signs(paired: Mapping[str, list[Seen]], right: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Return the signs that a file's own gradients may have: that of gradients where some are right, or both."""
    if any(near(one.value, right[name]) for name, found in paired.items() for one in found):
        return (1,)
    return (1, -1)


def _returned(sheet: AnswerSheet, i: int, point: WholePoint) -> dict[str, Tensor]:
    """Return the gradients that backward gave, by parameter."""
    answers = {name: sheet.asked(f"∂L/∂{name}").get(i) for name in point.parameters}
    return {
        name: a.value.tensor
        for name, a in answers.items()
        if a and a.value.tensor is not None and a.value.tensor.shape == point.parameters[name].shape
    }


def _own_names(seen: Sequence[Seen], every: Mapping[str, Tensor]) -> dict[str, str]:
    """Return for each variable of forward the lecturer's name of the same value, or the same name."""
    found: dict[str, str] = {}
    for one in seen:
        if one.function != "forward":
            continue
        name = one.name.removeprefix("self.")
        same = [n for n, v in every.items() if v.shape == one.value.shape and near(one.value, v.detach())]
        if name in every or same:
            found[name] = name if name in every else same[0]
    return found


def _paired(seen: Sequence[Seen], right: Mapping[str, Tensor], own: Mapping[str, str]) -> dict[str, list[Seen]]:
    """Return for each value the variables that hold its gradient: by their names, or since they are right."""
    found: defaultdict[str, list[Seen]] = defaultdict(list)
    for one in seen:
        if one.function == "forward":
            continue
        name = next((n for n in _named(one.name, right, own) if right[n].numel() == one.value.numel()), None)
        if name is None:
            fits = (n for n, g in right.items() if g.shape == one.value.shape)
            name = next((n for n in fits if near(one.value, right[n]) or near(-one.value, right[n])), None)
        if name is not None:
            found[name].append(one)
    return found


def _named(place: str, right: Mapping[str, Tensor], own: Mapping[str, str]) -> Iterator[str]:
    """Yield the lecturer's names of the values that a variable may be the gradient of, by its own name."""
    for path in values_of(place):
        for name in (path.name, own.get(path.name, "")):
            if name in right:
                yield name
    short = re.fullmatch(r"(?:self\.)?(?:e|err|error|delta|d|δ)_?(?P<number>\d+)", place)
    if short:  # the lecture's errors of x and net, each with the number of its layer
        letters = ("x", "h", "a") if place.removeprefix("self.").startswith("e") else ("net", "z", "a", "s")
        yield from (name for letter in letters for name in [f"{letter}{short['number']}"] if name in right)


def _line(name: str, returned: Tensor | None, pairs: Sequence[Seen], seen: Sequence[Seen]) -> int | None:
    """Return the line in which a gradient was computed."""
    if returned is not None:
        same = [one for one in seen if one.function != "forward" and one.value.shape == returned.shape]
        found = next((one.line for one in same if bool((one.value == returned).all())), None)
        if found is not None:
            return found
    return pairs[-1].line if pairs else None


def _shaped(t: Tensor, like: Tensor) -> Tensor:
    return t.to(like.dtype).reshape(like.shape) if t.numel() == like.numel() else t


def near(a: Tensor, b: Tensor) -> bool:
    """Tell whether two values are the same but for rounding."""
    return a.shape == b.shape and bool(a.isfinite().all()) and relative_difference(a.to(b.dtype), b) <= NEAR


def statement(lines: Sequence[str], number: int) -> str:
    """Return a line of a file."""
    return lines[number - 1].strip() if 0 < number <= len(lines) else ""
