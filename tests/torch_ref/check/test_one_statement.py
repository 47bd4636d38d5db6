"""A statement that is wrong for several gradients, as in a loop over the layers, is accused once."""

from __future__ import annotations

import numpy as np
import pytest

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


@pytest.mark.long(but=1)
@pytest.mark.parametrize("instead", ["np.outer(dz, -hs[l])", "np.outer(dz, hs[l]) * (3 if l else -1)"])
def test_a_line_of_a_loop_over_layers_is_accused_once(instead: str) -> None:
    text, where = broken(LAYERS, "dWs[l] += np.outer(dz, hs[l])", f"dWs[l] += {instead}")
    verdict = check_layers(text).verdict
    assert verdict.count("Wrong: ") == 1
    assert f"{where}.\nLikely cause: " in verdict
    assert "\nWrong because of the same lines: gradient of Ws[0]." in verdict
