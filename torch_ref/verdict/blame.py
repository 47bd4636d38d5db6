"""Who is to blame for a formula that differs from the reference's: a table of cases, the first that holds decides."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

from torch_ref.numbers.witness import all_finite
from torch_ref.steps.evidence import Evidence
from torch_ref.steps.meant import CONSTANT, PADDING, meant_otherwise
from torch_ref.steps.step import Made
from torch_ref.verdict.row import Blame


class Case(NamedTuple):
    """One line of the table."""

    holds: Callable[[Evidence, Made], bool]
    blame: Blame
    """Nobody, '', for what is right and for what only follows from something else that is wrong."""
    reason: str


def _agrees(seen: Evidence, made: Made) -> bool:
    return seen.comparisons[made.name].ok


def _gives_no_such_tensor(seen: Evidence, made: Made) -> bool:
    return seen.values[made.name].failure is not None or seen.gradient(made) is None


def _reference_is_not_finite(seen: Evidence, made: Made) -> bool:
    """Tell whether the reference has NaN or infinity here, and nothing was compared in its place."""
    is_compared = math.isfinite(seen.comparisons[made.name].relative)
    return not is_compared and not all_finite(seen.step.witnesses[made.name].value)


def _is_an_output(seen: Evidence, made: Made) -> bool:
    return made in seen.step.outputs


def _is_right_for_a_wrong_forward(seen: Evidence, made: Made) -> bool:
    """Tell whether backward gives the right numbers after all, with what the wrong forward formula saved."""
    return not seen.forward_is_right and seen.own_comparisons[made.name].ok


def _is_the_derivative_of_a_wrong_forward(seen: Evidence, made: Made) -> bool:
    own, slope = seen.own_gradient(made), seen.own_slope(made)
    return not seen.forward_is_right and bool(own is not None and slope and slope.agrees(own))


def _reference_is_not_its_own_derivative(seen: Evidence, made: Made) -> bool:
    """Tell whether the slopes of the reference's forward formula confirm the code, and not what autograd gave."""
    return _slopes_confirm(seen, made) and meant_otherwise(seen.step) != PADDING  # which surely is meant


def _slopes_confirm(seen: Evidence, made: Made) -> bool:
    slope, gradient = seen.reference_slope(made), seen.gradient(made)
    confirmed = bool(gradient is not None and slope and slope.agrees(gradient))
    return confirmed and slope is not None and slope.agrees(seen.right_gradient(made)) is False


def not_constant(seen: Evidence, made: Made) -> str:
    """Return why autograd leaves out what a gradient takes into account; '' for any other difference."""
    why = meant_otherwise(seen.step) if _slopes_confirm(seen, made) else ""
    return why if why in CONSTANT else ""


CASES = (
    Case(_agrees, "", "it agrees with the reference"),
    Case(_gives_no_such_tensor, "by hand", "the code failed, or gave no tensor of the right shape and device"),
    Case(_reference_is_not_finite, "", "the reference has NaN or infinity here: there is nothing to compare with"),
    Case(_is_an_output, "by hand", "an output of the forward formula is wrong, and it was given the right inputs"),
    Case(_is_right_for_a_wrong_forward, "", "only what the wrong forward formula saved for it is wrong"),
    Case(_is_the_derivative_of_a_wrong_forward, "", "it is the derivative of the forward formula, which is wrong"),
    Case(_reference_is_not_its_own_derivative, "reference", "finite differences of the reference confirm the code"),
    Case(lambda seen, made: True, "by hand", "it is wrong although everything that it was given is right"),
)


def case_of(seen: Evidence, made: Made, cases: Iterable[Case] = CASES) -> Case:
    """Return the first case that holds for one formula of a step."""
    return next(case for case in cases if case.holds(seen, made))
