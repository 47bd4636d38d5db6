"""A ``torch.autograd.Function`` of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch_ref.check.autograd_function import check_autograd_function
from torch_ref.files.found import Checked, NotCheckedError, Settings
from torch_ref.files.inputs import Wanted
from torch_ref.files.reference import (
    CANNOT_FOLLOW,
    ITSELF,
    NOT_ITS_DERIVATIVE,
    PASSES_ON,
    Function,
    Reference,
    cannot_follow,
    in_file,
    is_split,
    itself,
    known,
    names_of_reference,
    rounds,
)
from torch_ref.steps.meant import straight_through
from torch_ref.steps.second_order import NOT_ASKED
from torch_ref.steps.step import source_of
from torch_ref.verdict.report import Report


@dataclass(frozen=True)
class AutogradFunction:
    """A subclass of ``torch.autograd.Function``."""

    name: str
    function: Function
    namespace: Mapping[str, Any]

    @property
    def title(self) -> str:
        """Say what it is."""
        return f"torch.autograd.Function {self.name}"

    @property
    def members(self) -> tuple[str, ...]:
        """Return its own name."""
        return (self.name,)

    @property
    def place(self) -> str:
        """Return file and line of its backward."""
        return source_of(self.function.backward)

    @property
    def wanted(self) -> Wanted:
        """Return the arguments of its forward, without ctx."""
        if is_split(self.function):
            return Wanted.by(self.function.forward)
        wanted = Wanted.by(self.function.forward)
        return Wanted(wanted.names[1:], wanted.defaults, wanted.takes_any)  # ctx, whatever it is called

    @property
    def made_from(self) -> tuple[str, ...]:
        """Return nothing: it is no class of layers."""
        return ()

    def run_forward(self, inputs: Mapping[str, Any]) -> Any:
        """Return what its forward gives."""
        return self.function.apply(*self._given(inputs))  # type: ignore[no-untyped-call]

    def check(self, inputs: Mapping[str, Any], settings: Settings) -> Checked:
        """Compare it with the first reference that there is."""
        given = self._given(inputs)
        reference = self._reference(given)
        report = self._report(given, reference, settings)
        if not report.ok and reference.is_forward and (rounding := rounds(reference.of, given)):
            through = self._report(given, Reference(straight_through(reference.of), ""), settings, differences=False)
            if through.ok:
                return Checked(through, reference.shown).having(PASSES_ON.format(rounding, "forward"))
        if reference.is_forward and any(row.blame == "reference" for row in report.rows):
            raise NotCheckedError(NOT_ITS_DERIVATIVE.format("its forward", names_of_reference(self.name)[0]))
        return Checked(report, reference.shown)

    def _given(self, inputs: Mapping[str, Any]) -> list[Any]:
        """Return what apply is called with: setup_context is given no defaults."""
        if not is_split(self.function):
            return [*inputs.values()]
        known = {**self.wanted.defaults, **inputs}
        return [known[name] for name in self.wanted.names]

    def _reference(self, given: list[Any]) -> Reference:
        found = in_file(self.namespace, self.name) or known(self.name, self.function.apply, given)
        return found or Reference(itself(self.function), ITSELF, True)

    def _report(
        self, given: list[Any], reference: Reference, settings: Settings, *, differences: bool = True
    ) -> Report:
        options = {"differences": differences, "second_order": settings.second_order, **settings.options}
        try:
            report = check_autograd_function(self.function, given, reference.of, **options)
        except (Exception, SystemExit) as error:
            if not reference.is_forward or not cannot_follow(error):
                raise
            raise NotCheckedError(CANNOT_FOLLOW.format("its forward", names_of_reference(self.name)[0])) from error
        left_out = tuple(BY_OPTION if one == NOT_ASKED else one for one in report.not_compared)
        return replace(report, not_compared=left_out)


BY_OPTION = (NOT_ASKED[0], "--second-order compares them")
"""As it is asked for in a terminal."""
