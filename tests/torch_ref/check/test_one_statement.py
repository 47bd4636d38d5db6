"""A statement that is wrong for several gradients, as in a loop over the layers, is accused once."""

from __future__ import annotations

import numpy as np

from tests.torch_ref.lines.programs import arrays, broken, made
from torch_ref import Report, check_lines

LAYERS = """
def backprop(x, y, Ws):
    hs, dWs = [x], [0 * W for W in Ws]
    for W in Ws:
        z = W @ hs[-1]
        hs.append(np.tanh(z))
    e = hs[-1] - y
    for l in reversed(range(len(Ws))):
        dz = e * (1 - hs[l + 1] ** 2)
        dWs[l] += np.outer(dz, hs[l])
        e = Ws[l].T @ dz
    return 0.5 * np.sum((hs[-1] - y) ** 2), dWs
"""


def check_layers(text: str) -> Report:
    x, y, *Ws = arrays(np.random.default_rng(2), (4,), (4,), (4, 4), (4, 4))
    return check_lines(made(text)["backprop"], None, [x, y, Ws])


def test_a_line_of_a_loop_over_layers_is_accused_once() -> None:
    text, where = broken(LAYERS, "dWs[l] += np.outer(dz, hs[l])", "dWs[l] += np.outer(dz, -hs[l])")
    report = check_layers(text)
    assert len(report.guilty) == 2
    assert report.verdict.count("Wrong: ") == 1
    assert f"{where}.\nLikely cause: the sign is wrong." in report.verdict
    assert "\nThe same statement is wrong for gradient of Ws[0]." in report.verdict


def test_another_cause_of_the_same_statement_is_said() -> None:
    line = "dWs[l] += np.outer(dz, hs[l])"
    text, _ = broken(LAYERS, line, "dWs[l] += np.outer(dz, hs[l]) * (3 if l else -1)")
    verdict = check_layers(text).verdict
    assert verdict.count("Wrong: ") == 1
    assert "Likely cause: a constant factor of 3." in verdict
    assert "for gradient of Ws[0] (likely cause: the sign is wrong)." in verdict
