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


AT_INPUT = "the formula for the derivative is given the input; its output is meant"

WRITTEN = {
    "sigmoid": lambda z: 1 / (1 + torch.exp(-z)),
    "relu": lambda z: torch.where(z > 0, z, 0.0),
    "leaky relu": lambda z: torch.where(z > 0, z, 0.1 * z),
    "tanh": lambda z: 2 / (1 + torch.exp(-2 * z)) - 1,
    "sigmoid of torch": torch.sigmoid,
}


@pytest.mark.parametrize(
    ("name", "derivative", "code", "text"),
    [
        ("sigmoid", lambda z, h: z * (1 - z), "slope-at-input", AT_INPUT),
        ("tanh", lambda z, h: 1 - z * z, "slope-at-input", AT_INPUT),
        ("sigmoid", lambda z, h: 1 - h * h, "slope-miswritten",
         "1 − the square of the output stands for the derivative"),
        ("sigmoid", lambda z, h: h * h, "slope-miswritten", "the square of the output stands for the derivative"),
        ("sigmoid", lambda z, h: torch.cos(z), "slope-of-another-function", "the derivative is that of sin"),
        ("tanh", lambda z, h: h * (1 - h), "slope-miswritten", "the output (1 − the output) stands for the derivative"),
        ("sigmoid of torch", lambda z, h: 1 - h * h, "slope-miswritten",
         "1 − the square of its output stands for the derivative of sigmoid"),
        ("relu", lambda z, h: h, "slope-miswritten", "the output stands for the derivative"),
        ("relu", lambda z, h: z, "slope-miswritten", "the input stands for the derivative"),
        ("leaky relu", lambda z, h: torch.full_like(z, 0.1).where(z > 0, 1.0), "wrong-mask", "the mask is reversed"),
        ("leaky relu", lambda z, h: torch.where(z > 0, 1.0, 0.0), "wrong-mask", "below 0 the derivative is 0"),
    ],
)  # fmt: skip
def test_the_derivative_of_a_function_that_is_written_out(name, derivative, code: str, text: str) -> None:
    x, w, v = torch.randn(6, 5).double(), torch.randn(5, 4).double().requires_grad_(), torch.randn(4, 3).double()
    z = x @ w
    h = WRITTEN[name](z)
    y = h @ v
    with torch.no_grad():
        dy = torch.randn(6, 3).double()
        dh = dy @ v.t()
        dz = dh * derivative(z, h)
    claims = {"h": (h, dh), "z": (z, dz)}
    (row,) = torch_ref.check_chain(y, claims, upstream=dy, power=False).guilty
    assert (row.quantity, row.code, row.cause) == ("gradient of z", code, text)


def test_a_part_between_two_values_is_found_by_its_operation() -> None:
    z = torch.randn(6, 4).double().requires_grad_()
    h = torch.sin(z) + z.cumsum(1)
    dh = torch.randn(6, 4).double()
    k = torch.randn(6, 4).double()
    y = (h * 1.0) * k
    claims = {"h": (h, dh), "z": (z, dh * torch.cos(z).detach())}
    rows = torch_ref.check_chain(y, claims, upstream=dh / k, power=False).guilty
    assert [row.cause for row in rows] == ["the part that comes through the cumsum before the add is missing"]
