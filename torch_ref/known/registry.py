"""Where everything that is known of a type of layer or loss is kept, and how somebody else's layer is added.

    register(Known(
        Softplus,
        {"forward": Formula("-", "x^{l} = ln(1 + e^net^{l})", "x"), "error": Formula("-", "δ^{l} = …", "δ")},
        causes={"error": of_error},        # a function of a Scene that yields Candidates
        faults=(Fault("softplus-error-no-slope", Softplus, "error", "slope-missing", "σ′ is missing", wrong),),
    ))

Then reports print these texts, verdicts name these causes, and ``python -m torch_ref faults`` tries these faults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from manual_bp.layer import described
from torch_ref.known.cause import Code
from torch_ref.known.codes import CODES
from torch_ref.known.faults import FAULTS, Fault
from torch_ref.known.scene import Candidates


class Formula(NamedTuple):
    """One formula of a layer or loss."""

    number: str
    """The lecture's equation; '-' where it has none."""
    text: str
    """The formula itself: {l} stands for the layer's index, {below} for that of the layer below, {mean} for 'over N'
    where a loss is a mean, and {error} for the name of what a loss sends back."""
    symbol: str
    """What it makes, without an index: net."""
    part: str = ""
    """Which part of the equation it is, or what is put in: 'its sum', 'with E16'; empty where it is the whole."""


@dataclass(frozen=True)
class Known:
    """What is known of one type of layer or loss, by what its formulas make.

    A layer makes ``forward``, ``error`` (of its input) and, under each parameter's name, its gradient; a loss makes
    ``output`` (the network's answer y), ``forward`` (L) and ``error``.
    """

    kind: type
    formulas: Mapping[str, Formula]
    causes: Mapping[str, Candidates] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    make: Callable[..., Any] | None = None
    """Makes one with n inputs and n outputs for the trial, make(n, dtype, generator); None: the type without
    arguments."""
    codes: Mapping[str, Code] = field(default_factory=dict)
    """Codes of its causes that ``codes.CODES`` does not have yet."""
    chapter: str = ""
    """In which chapter of the grader students' files are graded on it; '' where they are not."""


KNOWN: dict[type, Known] = {}
"""Everything that is known, in the order in which it was registered: the lecture's types come first."""


def register(known: Known) -> None:
    """Add what is known of a type.

    Raises TypeError where ``kind`` is no type, ValueError where it is known already or something does not fit. Nothing
    is added then.
    """
    if not isinstance(known.kind, type):
        raise TypeError(f"register expects the type of a layer or loss, got {described(known.kind)}")
    name = known.kind.__name__
    if known.kind in KNOWN:
        raise ValueError(f"register expects a type that is not known yet, got {name} again")
    for made, formula in known.formulas.items():
        try:
            formula.text.format(l=1, below=0, mean="", error="")
        except (KeyError, ValueError, IndexError) as error:
            raise ValueError(
                f"register expects the text of {name}'s {made} with {{l}}, {{below}}, {{mean}} and {{error}} alone in "
                f"braces, got {formula.text!r} (write {{{{ and }}}} for braces)"
            ) from error
    for made in known.causes:
        if made not in known.formulas:
            raise ValueError(f"register expects causes of {list(known.formulas)} for {name}, got {made!r}")
    for fault in known.faults:
        if fault.of is not known.kind or fault.makes not in known.formulas:
            raise ValueError(f"register expects faults in the formulas of {name}, got {fault.name}")
        if fault.name in FAULTS:
            raise ValueError(f"register expects faults with names of their own, got {fault.name} again")
        if fault.code not in CODES and fault.code not in known.codes:
            raise ValueError(f"register expects faults with a code that is known, got {fault.code!r} of {fault.name}")
    KNOWN[known.kind] = known
    FAULTS.update({fault.name: fault for fault in known.faults})
    CODES.update(known.codes)


def known_of(kind: type, makes: str) -> Known | None:
    """Return what is known of the nearest type among a type and its parents that has the formula."""
    return next((KNOWN[t] for t in kind.__mro__ if t in KNOWN and makes in KNOWN[t].formulas), None)


def formula_of(kind: type, makes: str) -> Formula | None:
    """Return the formula by which a type, or its nearest parent that is known, makes something."""
    known = known_of(kind, makes)
    return known.formulas[makes] if known else None
