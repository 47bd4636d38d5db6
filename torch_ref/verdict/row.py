"""One row of a report: a quantity, the formula that makes it, and what its comparison found."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from torch_ref.known import Cause
from torch_ref.numbers.agreement import Comparison, Status

Blame = Literal["", "by hand", "reference", "both"]


@dataclass(frozen=True)
class Quantity:
    """One tensor of a pass, and the formula that makes it."""

    name: str
    """The lecture's name: net^1, δ^2, ∂L/∂W^3, ..."""
    formula: str = "-"
    """The lecture's number, or '-'."""
    text: str = ""
    """The formula itself."""
    layer: int | None = None
    """The lecture's index of the layer whose formula it is; None for a loss, or outside a network."""
    owner: str = ""
    """The name of the layer's type."""
    part: str = ""
    """Which part of the lecture's equation it is, where it is not the whole: 'its sum', of E14."""

    @property
    def cited(self) -> str:
        """Return how the formula is cited: 'E12', 'E14, its sum', or '-'."""
        return f"{self.formula}, {self.part}" if self.part else self.formula


@dataclass(frozen=True)
class Row:
    """One quantity by hand, by the reference and, where it is a gradient, by finite differences of the loss."""

    of: Quantity
    shape: tuple[int, ...]
    isolated: Comparison
    """The formula on its own, fed with the reference's inputs."""
    end_to_end: Comparison | None = None
    """As it comes out of the whole pass; None where there is none."""
    differences: float | None = None
    """How far the finite differences of the loss are from it, as a share of its norm; None where they cannot tell."""
    blame: Blame = ""
    """Whose formula is wrong: empty for what is right, and for what is a consequence."""
    why: Cause | None = None
    """The likely cause, where somebody is to blame."""
    source: str = ""
    """File and line of the method, where somebody is to blame."""
    method: str = ""
    others: str = ""
    """Where the lines are that may be wrong instead: the named one is computed from them; '' where it is known."""
    called: tuple[str, ...] = ()
    """Where the function was called that the named line stands in, from outside to inside."""
    shares: str = ""
    """The quantity that is accused, where this one is wrong because of the same lines."""

    @property
    def quantity(self) -> str:
        """Return the lecture's name."""
        return self.of.name

    @property
    def formula(self) -> str:
        """Return the lecture's equation number."""
        return self.of.formula

    @property
    def cause(self) -> str:
        """Return the likely cause in words; '' where nobody is to blame."""
        return self.why.text if self.why else ""

    @property
    def code(self) -> str:
        """Return the code of the likely cause, as in docs/causes.md; '' where nobody is to blame."""
        return self.why.code if self.why else ""

    @property
    def seen(self) -> Comparison:
        """Return the comparison that a reader wants first: of the whole pass, or of the formula that is to blame."""
        return self.isolated if self.blame or self.end_to_end is None else self.end_to_end

    @property
    def status(self) -> Status:
        """Return 'wrong' where the formula or what came out of the pass is wrong, else the worse of the two."""
        if self.blame or not self.seen.ok:
            return "wrong"
        return self.seen.status

    @property
    def max_abs(self) -> float:
        """Return the largest absolute difference."""
        return self.seen.max_abs

    @property
    def max_ulp(self) -> int | None:
        """Return the largest difference in units in the last place; None where a number is not finite."""
        return self.seen.max_ulp

    @property
    def relative(self) -> float:
        """Return the norm of the difference over the norm of the reference."""
        return self.seen.relative

    @property
    def remark(self) -> str:
        """Return what is wrong, in words."""
        return self.seen.remark

    def to_dict(self) -> dict[str, Any]:
        """Return the row in terms that JSON knows."""
        head = {"quantity": self.quantity, "formula": self.formula, "text": self.of.text, "layer": self.of.layer}
        where = {"owner": self.of.owner, "method": self.method, "source": self.source, "shape": list(self.shape)}
        where |= {"others": self.others, "called": list(self.called)}
        found: dict[str, Any] = {"status": self.status, "blame": self.blame, "cause": self.cause, "code": self.code}
        found |= {"numbers": dict(self.why.numbers) if self.why else {}, "differences": self.differences}
        views = {"isolated": asdict(self.isolated), "end_to_end": self.end_to_end and asdict(self.end_to_end)}
        return {key: jsonable(value) for key, value in (head | where | found | views).items()}


def jsonable(value: Any) -> Any:
    """Return a value in terms that JSON knows: a number that is not finite becomes None, a complex one two."""
    if isinstance(value, dict):
        return {key: jsonable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(inner) for inner in value]
    if isinstance(value, complex):
        return [jsonable(value.real), jsonable(value.imag)]
    return None if isinstance(value, float) and not math.isfinite(value) else value
