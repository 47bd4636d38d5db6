"""The small change of a layer's method that makes its gradients right."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from manual_bp.layer import holding
from torch_ref.check.mended import with_mends
from torch_ref.steps.calling import substituted
from torch_ref.steps.step import Step
from torch_ref.verdict.report import Report

METHODS = ("backward", "gradients")


def with_mended_methods(report: Report, step: Step) -> Report:
    """Return a report whose causes say which small change of a method of the step's layer makes a gradient right."""
    if step.kind != "layer":
        return report
    for name in METHODS:
        method = getattr(step.owner, name, None)
        mine = {made.name for made in step.gradients.values()}
        if callable(method) and any(row.method == name and row.quantity in mine for row in report.guilty):
            forward: Callable[..., Any] = step.owner.forward  # type: ignore[attr-defined]
            report = with_mends(report, step, method, forward, _given_by(step, name), [*step.gradients])
    return report


def _given_by(step: Step, name: str) -> Callable[[Callable[..., Any], Step], Mapping[str, Any]]:
    """Return what calls another method in the place of one."""
    (output,), layer = step.outputs, step.owner

    def given_by(changed: Callable[..., Any], at: Step) -> Mapping[str, Any]:
        other: Any = copy.copy(layer)
        kind = type(type(layer).__name__, (type(layer),), {name: getattr(changed, "__func__", changed)})
        object.__setattr__(other, "__class__", kind)
        other = holding(other, at.inputs)
        y, saved = other.forward(at.inputs["x"])
        saved = substituted(saved, y, at.witnesses[output.name].value)
        e, gradients = other.backward(at.errors[0], saved)
        return {"x": e, **(other.gradients(at.errors[0], saved) if name == "gradients" else gradients)}

    return given_by
