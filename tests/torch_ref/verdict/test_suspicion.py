"""When finite differences of the whole loss are a suspicion at all."""

from __future__ import annotations

from dataclasses import replace

import torch

from manual_bp import Sigmoid
from torch_ref.numbers.witness import Witness
from torch_ref.steps.evidence import Evidence
from torch_ref.steps.protocol import layer_step
from torch_ref.verdict.judge import rows_of, third_opinion

X = torch.linspace(0.5, 2.0, 12, dtype=torch.float64).view(4, 3)


def opinion(differences: float, witness: Witness | None = None, reason: str = "") -> float | None:
    """Return the differences that are left in the row of a right error; None where they were a suspicion."""
    step = layer_step(Sigmoid(), torch.sigmoid, X, X.flip(0), "y", "e", {})
    seen = Evidence(step)
    out, error = rows_of(seen).values()
    error = replace(error, differences=differences, isolated=replace(error.isolated, reason=reason))  # type: ignore[arg-type]
    found = step.witnesses if witness is None else step.witnesses | {"e": witness}
    return third_opinion([out, error], dict.fromkeys(("y", "e"), seen), found)[1].differences


def inexact(noise: float) -> Witness:
    exact = torch.ones(1, dtype=torch.float64)
    return Witness.exactly(exact.float(), exact=exact, others=[exact + noise])


def test_differences_of_a_thousandth_are_no_suspicion() -> None:
    assert opinion(5e-4) == 5e-4
    assert opinion(2e-3) is None


def test_differences_are_no_suspicion_where_arithmetic_is_less_exact() -> None:
    bound = 4 * 2.5e-3
    assert opinion(5 * bound, inexact(2.5e-3)) == 5 * bound
    assert opinion(20 * bound, inexact(2.5e-3)) is None
    assert opinion(0.9, inexact(1.0)) == 0.9
    assert opinion(1.1, inexact(1.0)) is None, "more than a tenth is not allowed, however inexact it is"


def test_differences_are_no_suspicion_at_a_kink_and_of_what_is_zero() -> None:
    assert opinion(0.5, reason="kink") == 0.5
    zero = torch.zeros(1, dtype=torch.float64)
    assert opinion(0.5, Witness.exactly(zero.float(), exact=zero, others=[zero + 1e-9])) == 0.5
