"""X1 and X2: each printed number digit for digit by the slides' arithmetic, each exact number by both engines."""

import re
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

import pytest
import torch
from places import ROOT
from torch import Tensor

from manual_bp.lecture import (
    X1_INPUTS,
    X1_NUMBERS,
    X2_INPUT,
    X2_LEARNING_RATE,
    X2_NUMBERS,
    X2_TARGET,
    PrintedNumber,
    entries,
    on_paper,
    quantities,
    x1_network,
    x2_network,
)
from torch_ref import mirror

every_x2_number = pytest.mark.parametrize("number", X2_NUMBERS, ids=lambda number: number.quantity)
every_x1_number = pytest.mark.parametrize(
    ("x", "number"),
    [(x, number) for x, numbers in zip(X1_INPUTS, X1_NUMBERS, strict=True) for number in numbers],
    ids=lambda part: part.quantity if isinstance(part, PrintedNumber) else str(part),
)


def by_autograd(network, x: tuple[float, ...], t: tuple[float, ...], lr: float) -> dict[str, float]:
    """Read the same numbers off the mirrored network; δ is −∂L/∂net as autograd gives it."""
    model, loss_module = mirror(network)
    values = [torch.tensor([x], dtype=torch.float64)]
    for module in model:
        values.append(module(values[-1]))
        values[-1].retain_grad()
    loss_module(values[-1], torch.tensor([t], dtype=torch.float64)).backward()
    numbers = entries("y", values[-1].detach()[0])
    for l, (net, output, linear) in enumerate(zip(values[1::2], values[2::2], model[::2], strict=True), start=1):
        numbers |= entries(f"net^{l}", net.detach()[0]) | entries(f"x^{l}", output.detach()[0])
        numbers |= entries(f"δ^{l}", -net.grad[0]) | entries(f"∂L/∂W^{l}", linear.weight.grad)
    torch.optim.SGD(model.parameters(), lr=lr).step()
    for l, linear in enumerate(model[::2], start=1):
        numbers |= {f"{name} after": value for name, value in entries(f"W^{l}", linear.weight.detach()).items()}
    return numbers


ENGINES = pytest.mark.parametrize("engine", [quantities, by_autograd], ids=["by hand", "by autograd"])


@every_x2_number
def test_x2_printed_digit_for_digit(number: PrintedNumber) -> None:
    assert str(on_paper()[number.quantity].value) == number.printed


@every_x2_number
@ENGINES
def test_x2_exact(number: PrintedNumber, engine) -> None:
    value = engine(x2_network(), X2_INPUT, X2_TARGET, X2_LEARNING_RATE)[number.quantity]
    assert f"{value:.6f}" == number.exact


@every_x1_number
@ENGINES
def test_x1_printed_and_exact(x: tuple[float, ...], number: PrintedNumber, engine) -> None:
    value = engine(x1_network(), x, (0.0, 0.0), 1.0)[number.quantity]
    assert f"{value:.12f}" == number.exact
    places = -Decimal(number.printed).as_tuple().exponent
    assert f"{value:.{places}f}" == number.printed


def test_both_engines_agree_to_the_last_bit_on_both_examples() -> None:
    for make, x, t in [(x1_network, X1_INPUTS[0], (0.0, 1.0)), (x2_network, X2_INPUT, X2_TARGET)]:
        assert quantities(make(), x, t, 1.0) == by_autograd(make(), x, t, 1.0)


def test_the_slides_number_is_no_rounding_of_the_exact_one() -> None:
    """0.000945 and 0.000929 are two numbers: a tolerance that lets one pass as the other would be a defect."""
    exact = quantities(x2_network(), X2_INPUT, X2_TARGET, X2_LEARNING_RATE)
    assert f"{exact['∂L/∂W^1_11']:.6f}" == "0.000929" != str(on_paper()["∂L/∂W^1_11"].value) == "0.000945"
    assert f"{exact['∂L/∂W^2_11']:.4f}" == "0.0277" != str(on_paper()["∂L/∂W^2_11"].value) == "0.0276"


def test_just_repeat() -> None:
    """The loss of X2 falls with every repetition, towards 0."""
    network, losses = x2_network(), []
    x, t = torch.tensor([X2_INPUT]).double(), torch.tensor([X2_TARGET]).double()
    for _ in range(300):
        losses.append(network.loss(network.forward(x), t).item())
        quantities(network, X2_INPUT, X2_TARGET, X2_LEARNING_RATE)
    assert all(later < earlier for earlier, later in pairwise(losses))
    assert losses[-1] < 1e-6 * losses[0]


def test_every_number_is_written_down_once() -> None:
    """The printed numbers of X2 stand in lecture.py and nowhere else in the packages."""
    root = ROOT
    for package in ("manual_bp", "torch_ref"):
        for path in (root / package).rglob("*.py"):
            code = re.sub(r'""".*?"""', "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
            expected = 1 if path.name == "lecture.py" else 0
            assert code.count("0.000945") == expected, path


def test_entries_count_from_one() -> None:
    assert entries("W^1", Tensor([[1, 2], [3, 4]])) == {"W^1_11": 1, "W^1_12": 2, "W^1_21": 3, "W^1_22": 4}
    assert entries("x^1", Tensor([5, 6])) == {"x^1_1": 5, "x^1_2": 6}


def test_each_calculation_on_paper_gives_its_printed_number() -> None:
    for name, calculation in on_paper().items():
        left, right = calculation.text.replace("−", "-").replace("·", "*"), calculation.value
        python = re.sub(r"(?<![\w.])(\d+(\.\d+)?)", r'Decimal("\1")', left)
        value = eval(python, {"Decimal": Decimal, "σ": lambda z: 1 / (1 + (-z).exp())})
        assert value.quantize(right, rounding=ROUND_HALF_UP) == right, name
