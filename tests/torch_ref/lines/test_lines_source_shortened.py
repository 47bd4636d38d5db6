from __future__ import annotations

import pytest

from torch_ref.lines.source import LONGEST, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("dz = dh * (1 - h ** 2)", "dz = dh * (1 - h ** 2)"),
        (
            "dx = self.rstd * (dxn - dxn.mean(-1, keepdims=True) - self.xn * dxn)",
            "dx = self.rstd * (dxn - dxn.mean(-1, keepdims=True) - se ...",
        ),
        (
            'dxt, da_prevt, dWaxt, dWaat, dbat = gradients["dxt"], gradients["da_prev"]',
            'dxt, da_prevt, dWaxt, dWaa ... = gradients["dxt"], gradi ...',
        ),
        (
            "self.gradients[layer_number]['weights'][begin:end] += np.outer(d, x)",
            "self.gradients[layer_numbe ... += np.outer(d, x)",
        ),
        ("return " + "x" * 80, "return " + "x" * (LONGEST - 11) + " ..."),
        ("values[where == nothing_at_all_that_is_long_enough_to_be_cut_here] = 0", None),
    ],
)
def test_of_a_long_statement_both_sides_can_be_read(text: str, shown: str | None) -> None:
    assert len(shortened(text)) <= LONGEST
    assert shortened(text) == shown or (shown is None and shortened(text).endswith(" ... = 0"))
