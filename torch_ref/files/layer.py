"""A layer of a file, a class or an object: of the protocol, or one that keeps what backward reads on itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from manual_bp.layer import holding
from torch_ref.check.function import check_function
from torch_ref.check.layer import check_layer
from torch_ref.files.arranged import is_upstream
from torch_ref.files.found import Checked, NotCheckedError, Settings
from torch_ref.files.inputs import Wanted, copied
from torch_ref.files.keeping import Keeping, Saving
from torch_ref.files.reference import ITSELF, Reference, in_file
from torch_ref.steps.calling import is_pair
from torch_ref.steps.guarded import as_it_was
from torch_ref.steps.step import source_of
from torch_ref.verdict.report import Report

NO_SECOND_ORDER = ("second derivatives", "those of a layer are not looked at")

NOT_SEEN = "no attribute, by its name, holds its gradient, and backward does not return it"

KEEP_IT = (
    "the gradient of {0} is not seen: no attribute, by its name, holds it, and backward does not return it. Keep it in "
    "an attribute of the form d{0}; what is no parameter has a name that begins with _"
)


@dataclass(frozen=True)
class LayerOfFile:
    """A class that is made from inputs, or an object."""

    name: str
    owner: Any
    namespace: Mapping[str, Any]

    @property
    def kind(self) -> Any:
        """Return the class."""
        return self.owner if isinstance(self.owner, type) else type(self.owner)

    @property
    def title(self) -> str:
        """Say what it is."""
        return f"class {self.name}" if isinstance(self.owner, type) else f"{self.name}, a {self.kind.__name__}"

    @property
    def members(self) -> tuple[str, ...]:
        """Return its own name."""
        return (self.name,)

    @property
    def place(self) -> str:
        """Return file and line of its backward."""
        return source_of(self.kind.backward)

    @property
    def wanted(self) -> Wanted:
        """Return what the class is made from, then what forward takes."""
        made_from, forward = self._made, self._forward
        if both := {*made_from.names} & {*forward.names}:
            raise NotCheckedError(f"{self.name} is made from {', '.join(both)}, and its forward takes it: rename one")
        return Wanted((*made_from.names, *forward.names), {**made_from.defaults, **forward.defaults})

    @property
    def made_from(self) -> tuple[str, ...]:
        """Return what the class is made from."""
        return self._made.names

    @cached_property
    def _forward(self) -> Wanted:
        return Wanted.by(self.kind.forward, "self")

    @cached_property
    def _made(self) -> Wanted:
        return Wanted.by(self.owner) if isinstance(self.owner, type) else Wanted((), {})

    def run_forward(self, inputs: Mapping[str, Any]) -> Any:
        """Return what its forward gives."""
        return holding(self._layer(inputs), {}).forward(*self._given(inputs).values())

    def check(self, inputs: Mapping[str, Any], settings: Settings) -> Checked:
        """Compare it with the reference of the file, or with its own forward."""
        layer, given = self._layer(inputs), self._given(inputs)
        with as_it_was():
            passed = self.run_forward(copied(inputs))
        names = dict.fromkeys((self.name, self.kind.__name__))
        reference = in_file(self.namespace, *names)
        takes = Wanted.by(self.kind.backward, "self").needed
        if not (is_pair(passed) and len(given) == 1 and len(takes) == 2):
            return self._of_keeping(Keeping(layer, given), reference, settings)
        if is_upstream(takes[0], takes[1:]) and not takes[0].startswith("delta"):
            as_gradient = self._of_keeping(Keeping(Saving(layer), given), reference, settings)
            return replace(as_gradient, reference=f"{as_gradient.reference}, {takes[0]} being the gradient +∂L/∂y")
        as_error = self._of_protocol(layer, next(iter(given.values())), reference, settings)
        return replace(as_error, reference=f"{as_error.reference}, {takes[0]} being the error −∂L/∂y")

    def _of_protocol(self, layer: Any, x: Any, reference: Reference | None, settings: Settings) -> Checked:
        reference = reference or Reference(lambda x, **p: holding(layer, p).forward(x)[0], ITSELF, True)
        report = check_layer(layer, x, reference.of, **settings.options)
        return Checked(_naming(report, settings), reference.shown)

    def _of_keeping(self, keeping: Keeping, reference: Reference | None, settings: Settings) -> Checked:
        options = {**settings.options, "reference": reference.of if reference else None}
        report = check_function(*keeping.functions(), **options)
        if report.ok and keeping.left_out:
            raise NotCheckedError(KEEP_IT.format(keeping.left_out[0]))
        left_out = [(f"gradient of {path}", NOT_SEEN) for path in keeping.left_out]
        return Checked(_naming(report, settings, *left_out), reference.shown if reference else ITSELF)

    def _given(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return what forward takes."""
        return {name: value for name, value in inputs.items() if name in self._forward.names}

    def _layer(self, inputs: Mapping[str, Any]) -> Any:
        """Return the object, made from the inputs where there is only the class."""
        made_from = {name: value for name, value in inputs.items() if name in self._made.names}
        return self.owner(**made_from) if isinstance(self.owner, type) else self.owner


def _naming(report: Report, settings: Settings, *left_out: tuple[str, str]) -> Report:
    """Return a report that names what was not compared besides."""
    twice = [NO_SECOND_ORDER] * settings.second_order
    return replace(report, not_compared=(*report.not_compared, *left_out, *twice))
