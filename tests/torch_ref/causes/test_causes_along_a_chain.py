"""Along a chain a cause is looked for between a value and those behind it, from the numbers by hand there."""

import pytest
import torch
from torch import Tensor

import torch_ref


def verdict(wrong: str) -> tuple[str, str]:
    """Return the quantity that is accused and the code of its cause, of two layers with two mistakes."""
    x, w, v = torch.randn(6, 5), torch.randn(5, 4, requires_grad=True), torch.randn(4, 3, requires_grad=True)
    z = x @ w
    h = torch.tanh(z)
    y = h @ v
    loss = y.square().sum() / 2
    with torch.no_grad():
        names: dict[str, Tensor] = {"x": x, "w": w, "v": v, "z": z, "h": h, "y": y, "dy": y * 3}  # dy is wrong, too
        for line in ("dv = h.t() @ dy", "dh = dy @ v.t()", "dz = dh * (1 - h * h)", "dw = x.t() @ dz"):
            name = line.split()[0]
            exec(wrong if wrong.startswith(f"{name} =") else line, {"torch": torch}, names)
    claims = {name: (names[name], names[f"d{name}"]) for name in ("y", "v", "h", "z", "w")}
    rows = torch_ref.check_chain(loss, claims, power=False).guilty
    (row,) = [row for row in rows if row.quantity != "gradient of y"]
    return row.quantity, row.code


@pytest.mark.long(but=3)
@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ("dz = dh * (1 - h)", ("gradient of z", "slope-miswritten")),
        ("dz = dh", ("gradient of z", "slope-missing")),
        ("dz = dh + (1 - h * h)", ("gradient of z", "slope-added")),
        ("dz = dh * (1 - torch.tanh(h) ** 2)", ("gradient of z", "slope-at-output")),
        ("dv = z.t() @ dy", ("gradient of v", "another-tensor")),
        ("dv = h[:-1].t() @ dy[:-1]", ("gradient of v", "sample-missing")),
        ("dw = x.t() @ dh", ("gradient of w", "another-gradient")),
    ],
)
def test_the_cause_of_one_line(wrong: str, found: tuple[str, str]) -> None:
    assert verdict(wrong) == found
