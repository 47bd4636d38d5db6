"""A forward that makes its data and weights itself has nothing that a gradient can be of; it is said what to do."""

import numpy as np
import pytest

from tests.torch_ref.lines.programs import made
from torch_ref import check_lines

DATA = """
X = np.array([[0.0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
W = 2 * np.random.random((3, 1)) - 1
"""

FORWARD = """
L = 1 / (1 + np.exp(-(X @ W)))
loss = 0.5 * (L**2).sum()
"""

BACKWARD = """
dL = L
dW = X.T @ (dL * L * (1 - L))
"""


@pytest.mark.parametrize("names", ["", "XW"])
def test_a_cell_that_makes_its_own_data_is_told_to_be_divided(names: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in names:  # which the notebook has already, from an earlier run of the cell
        monkeypatch.setitem(globals(), name, np.ones((4, 3) if name == "X" else (3, 1)))
    with pytest.raises(ValueError, match=r"this cell makes all .* into a cell of their own before it"):
        check_lines(f"import numpy as np\n{DATA}{FORWARD}", BACKWARD, {})
    rng = np.random.default_rng(0)
    given = {"X": rng.normal(size=(4, 3)), "W": rng.normal(size=(3, 1))}
    assert check_lines(f"import numpy as np\n{FORWARD}", BACKWARD, given, power=False).ok


def test_so_is_a_function() -> None:
    inside = f"{DATA}{FORWARD}".replace("\n", "\n    ")
    text = f"def forward():\n    {inside}\n    return loss\n\ndef backward(X, L):\n    dL = L\n    return dL\n"
    found = made(text)
    with pytest.raises(ValueError, match=r"this function makes all .* out of it"):
        check_lines(found["forward"], found["backward"], [])
