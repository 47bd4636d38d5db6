"""Two functions of a file, forward and backward."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torch_ref.check.function import check_function
from torch_ref.files.arranged import Arranged, arguments_of, arranged, is_upstream
from torch_ref.files.found import Checked, NotCheckedError, Settings
from torch_ref.files.inputs import Wanted, copied
from torch_ref.files.reference import (
    CANNOT_FOLLOW,
    NOT_ITS_DERIVATIVE,
    PASSES_ON,
    cannot_follow,
    in_file,
    names_of_reference,
    rounds,
)
from torch_ref.files.wrong_line import wrong_line
from torch_ref.steps.guarded import as_it_was
from torch_ref.steps.step import source_of
from torch_ref.verdict.report import Report

ARRAY = (Tensor, np.ndarray)


@dataclass(frozen=True)
class Pair:
    """A forward and its backward."""

    name: str
    forward: Callable[..., Any]
    backward: Callable[..., Any]
    members: tuple[str, str]
    """Their names in the file."""
    namespace: Mapping[str, Any]

    @property
    def title(self) -> str:
        """Say what it is."""
        return " and ".join(self.members)

    @property
    def place(self) -> str:
        """Return file and line of backward."""
        return source_of(self.backward)

    @property
    def wanted(self) -> Wanted:
        """Return the arguments of forward."""
        return Wanted.by(self.forward)

    @property
    def made_from(self) -> tuple[str, ...]:
        """Return nothing: it is no class of layers."""
        return ()

    def run_forward(self, inputs: Mapping[str, Any]) -> Any:
        """Return what forward gives."""
        given = self._given(inputs)
        return self.forward(**given) if isinstance(given, dict) else self.forward(*given)

    def check(self, inputs: Mapping[str, Any], settings: Settings) -> Checked:
        """Compare backward with autograd through the reference of the file, or through forward itself."""
        with as_it_was(), torch.no_grad():
            outputs = self.run_forward(copied(inputs))
        called = self._called(inputs, outputs)
        options = {"second_order": settings.second_order, **settings.options}
        if called.is_slope:
            options |= self._upstream(inputs, outputs, called)
        if reference := in_file(self.namespace, self.name, *self.members):
            report = check_function(
                self.forward, called.backward, self._given(inputs), reference=reference.of, **options
            )
            self._check_whole(report)
            return Checked(report, reference.shown)
        return self._by_forward(inputs, called, options)

    def _given(self, inputs: Mapping[str, Any]) -> Any:
        """Return the inputs in order; by name where an argument is keyword-only."""
        return dict(inputs) if self.wanted.has_keywords else [*inputs.values()]

    # ----------------------------------------------------------------------------------------- how backward is called

    def _called(self, inputs: Mapping[str, Any], outputs: Any) -> Arranged:
        theirs = arguments_of(self.backward, [*inputs])
        if self.wanted.has_keywords:
            return Arranged(self.backward)
        if _has_cache(outputs, theirs, inputs):
            return self._of_cache(theirs)
        count = len(outputs) if isinstance(outputs, tuple | list) else 1
        is_loss = isinstance(outputs, float) or (isinstance(outputs, ARRAY) and math.prod(outputs.shape) == 1)
        found = arranged(self.forward, self.backward, [*inputs], count, is_loss=is_loss)
        if found is None:
            expected = f"the gradient of {'its output' if count == 1 else f'each of {count} outputs'}"
            raise NotCheckedError(
                f"{self.members[1]} takes {', '.join(theirs or ())}: expected {expected}, then {', '.join(inputs)}, or "
                "the same names in another order"
            )
        return found

    def _of_cache(self, theirs: Sequence[str] | None) -> Arranged:
        """Return backward(d_out, cache) for a forward that gives (out, cache)."""
        if theirs is not None and len(theirs) > 2:
            raise NotCheckedError(
                f"{self.members[0]} gives (out, cache), and {self.members[1]} takes {', '.join(theirs)}: expected "
                "d_out, cache"
            )
        first, last = (theirs or ["", ""])[0], (theirs or ["", ""])[-1]
        is_last = is_upstream(last, [first]) and not is_upstream(first, [last])
        return Arranged(_swapped(self.backward) if is_last and first != last else self.backward)

    def _upstream(self, inputs: Mapping[str, Any], y: Any, called: Arranged) -> dict[str, Any]:
        """Return the upstream gradient of a backward that takes none: 1 everywhere; what a loss has is chosen anyway.

        Raises NotCheckedError where it is no slope of each entry, but a Jacobian.
        """
        if not isinstance(y, ARRAY) or math.prod(y.shape) == 1:
            return {}
        given = [*copied(inputs).values()]
        with as_it_was(), torch.no_grad():
            d = called.backward(*given)
        if isinstance(d, ARRAY) and d.shape != given[0].shape:
            raise NotCheckedError(
                f"{self.members[1]} takes no upstream gradient and gives an array of shape {tuple(d.shape)} for an "
                f"input of shape {tuple(given[0].shape)}: a Jacobian is not compared, give backward(d_y, ...)"
            )
        return {"upstream": torch.ones_like(torch.as_tensor(y))}

    def _check_whole(self, report: Report) -> None:
        """Raise NotCheckedError where all that is wrong is that backward gives too few gradients."""
        wrong = [row for row in report.rows if row.status == "wrong"]
        if wrong and all("which has nothing for it" in row.remark for row in wrong):
            missing = ", ".join(row.quantity.removeprefix("gradient of ") for row in wrong)
            raise NotCheckedError(
                f"{self.members[1]} gives nothing for {missing}: let it return a gradient for each input in order, and "
                "None for what has none"
            )

    # ---------------------------------------------------------------------------------- autograd through forward itself

    def _by_forward(self, inputs: Mapping[str, Any], called: Arranged, options: dict[str, Any]) -> Checked:
        """Compare backward with autograd through forward; where it is wrong, perhaps something else is meant."""
        name, reference = self.members[0], names_of_reference(self.name)[0]
        shown, given = f"autograd through {name} itself", self._given(inputs)
        try:
            report = check_function(self.forward, called.backward, given, **options)
        except ValueError as error:
            if not cannot_follow(error):
                raise
            raise NotCheckedError(CANNOT_FOLLOW.format(name, reference)) from error
        if report.ok:
            return Checked(report, shown)
        if rounding := rounds(self.forward, [*inputs.values()]):
            through = check_function(self.forward, called.backward, given, differences=False, **options)
            if through.ok:
                return Checked(through, shown).having(PASSES_ON.format(rounding, name))
        for other in called.others:
            otherwise = check_function(self.forward, other.backward, given, **options)
            if otherwise.ok:
                return Checked(otherwise, shown).having(f"{self.members[1]} is right where {other.said}")
        self._check_whole(report)
        if any(row.blame == "reference" for row in report.rows):
            raise NotCheckedError(NOT_ITS_DERIVATIVE.format(name, reference))
        line = wrong_line(self.forward, self.backward, inputs, report)
        return Checked(report, shown).having(line) if line else Checked(report, shown)


def _has_cache(outputs: Any, theirs: Sequence[str] | None, inputs: Mapping[str, Any]) -> bool:
    """Tell whether forward gives something for backward beside its output: (out, cache)."""
    if not isinstance(outputs, tuple) or len(outputs) != 2 or not isinstance(outputs[0], (*ARRAY, float)):
        return False
    if not isinstance(outputs[1], (*ARRAY, float)):
        return True
    if theirs is None or len(theirs) != 2 or theirs[1] in inputs:
        return False
    return not (is_upstream(theirs[0], [theirs[1]]) and is_upstream(theirs[1], [theirs[0]]))


def _swapped(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Return backward(cache, d_out) as backward(d_out, cache)."""

    @wraps(backward)
    def swapped(d_out: Any, cache: Any) -> Any:
        return backward(cache, d_out)

    return swapped
