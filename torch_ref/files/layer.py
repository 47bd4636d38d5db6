"""A layer of the protocol in a file: ``forward(x) -> (y, saved)`` and ``backward(error, saved)``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from manual_bp.layer import described, holding
from torch_ref.check.layer import check_layer
from torch_ref.files.found import Checked, NotCheckedError, Settings
from torch_ref.files.inputs import Wanted, copied
from torch_ref.files.reference import ITSELF, Reference, in_file
from torch_ref.steps.calling import is_pair
from torch_ref.steps.guarded import as_it_was
from torch_ref.steps.step import source_of

KEEPS = (
    "its forward gives {} where forward(x) -> (y, saved) is expected: it keeps what backward reads on itself. Give "
    "check_function a forward and a backward that call it"
)


NO_SECOND_ORDER = ("second derivatives", "those of a layer are not looked at")


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
        return f"layer {self.name}" if isinstance(self.owner, type) else f"layer {self.name}, a {self.kind.__name__}"

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
        """Return what the class is made from, then x."""
        x, made_from = self._x, self._made_from
        if x in made_from.names:
            raise NotCheckedError(f"{self.name} is made from an argument {x}, and its forward takes {x}: rename one")
        return Wanted((*made_from.names, x), made_from.defaults)

    @cached_property
    def _x(self) -> str:
        needed = Wanted.by(self.kind.forward, "self").needed
        if len(needed) != 1:
            takes = ", ".join(needed) or "nothing"
            raise NotCheckedError(f"its forward takes {takes}, where forward(x) -> (y, saved) is expected")
        return needed[0]

    @cached_property
    def _made_from(self) -> Wanted:
        return Wanted.by(self.owner) if isinstance(self.owner, type) else Wanted((), {})

    def run_forward(self, inputs: Mapping[str, Any]) -> Any:
        """Return what its forward gives."""
        return holding(self._layer(inputs), {}).forward(inputs[self._x])

    def check(self, inputs: Mapping[str, Any], settings: Settings) -> Checked:
        """Compare it with the reference of the file, or with its own forward."""
        layer = self._layer(inputs)
        with as_it_was():
            passed = self.run_forward(copied(inputs))
        if not is_pair(passed):
            raise NotCheckedError(KEEPS.format(described(passed)))
        itself = Reference(lambda x, **p: holding(layer, p).forward(x)[0], ITSELF, True)
        names = dict.fromkeys((self.name, self.kind.__name__))
        reference = in_file(self.namespace, *names) or itself
        report = check_layer(layer, inputs[self._x], reference.of, **settings.options)
        if settings.second_order:
            report = replace(report, not_compared=(*report.not_compared, NO_SECOND_ORDER))
        return Checked(report, reference.shown)

    def _layer(self, inputs: Mapping[str, Any]) -> Any:
        """Return the object, made from the inputs where there is only the class."""
        made_from = {name: value for name, value in inputs.items() if name != self._x}
        return self.owner(**made_from) if isinstance(self.owner, type) else self.owner
