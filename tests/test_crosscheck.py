"""The checker: its rows, what it accepts, and the planted faults that it must reject and place."""

import json
import math
from dataclasses import dataclass

import pytest
import torch
from cases import REGIMES, network, targets
from torch import Tensor

from manual_bp import Linear, Network, ReLU, Sigmoid, SoftmaxCrossEntropy, SquaredError, Tanh, mlp
from manual_bp.training.data import mnist5k
from torch_ref import crosscheck, mirror, module_of, ulp_distance
from torch_ref.report import compare


def test_rows_follow_the_data_flow() -> None:
    report = crosscheck(mlp([5, 4, 4, 3]), torch.randn(2, 5), torch.rand(2, 3))
    assert [row.quantity for row in report.rows] == [
        "net^1", "x^1", "net^2", "x^2", "net^3", "y", "L",
        "δ^3", "∂L/∂W^3", "∂L/∂b^3", "δ^2", "∂L/∂W^2", "∂L/∂b^2", "δ^1", "∂L/∂W^1", "∂L/∂b^1",
    ]  # fmt: skip
    shapes = {row.quantity: row.shape for row in report.rows}
    assert (shapes["L"], shapes["δ^2"], shapes["∂L/∂W^3"], shapes["∂L/∂b^1"]) == ((), (2, 4), (3, 4), (4,))


def test_rows_name_their_equations() -> None:
    softmax = mlp([5, 4, 3], loss=SoftmaxCrossEntropy())
    by = {row.quantity: row.formula for row in crosscheck(softmax, torch.randn(2, 5), torch.tensor([0, 2])).rows}
    assert (by["net^1"], by["x^1"], by["y"], by["L"], by["δ^2"], by["δ^1"], by["∂L/∂W^1"]) == (
        "E1", "E2", "E5", "E8", "E17", "E14", "E12",
    )  # fmt: skip
    by = {row.quantity: row.formula for row in crosscheck(mlp([5, 3]), torch.randn(2, 5), torch.tensor([0, 2])).rows}
    assert (by["y"], by["L"], by["δ^1"]) == ("E2", "E6", "E13")


def test_real_digits_are_identical_in_every_row() -> None:
    digits, _ = mnist5k()
    x, t = digits.pixels[:128].flatten(1).float() / 255, digits.labels[:128]
    report = crosscheck(mlp([784, 256, 10]), x, t)
    assert report.identical, str(report)
    assert report.ok
    assert report.verdict == "All 11 quantities are identical to the last bit."


def test_the_report_is_json_and_fits_80_columns() -> None:
    report = crosscheck(mlp([784, 300, 3]), torch.randn(250, 784), torch.rand(250, 3))
    parsed = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert parsed["ok"] is True
    assert parsed["dtype"] == "torch.float32"
    assert [row["quantity"] for row in parsed["rows"]] == [row.quantity for row in report.rows]
    lines = str(report).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("identical" in line for line in lines) == 1 + len(report.rows)


def test_neither_network_nor_batch_nor_random_state_is_changed() -> None:
    made = mlp([5, 3])
    x, t = torch.randn(2, 5), torch.rand(2, 3)
    before, x_before, t_before, state = made.state_dict(), x.clone(), t.clone(), torch.get_rng_state()
    crosscheck(made, x, t)
    assert all(torch.equal(parameter, before[name]) for name, parameter in made.parameters().items())
    assert torch.equal(x, x_before)
    assert torch.equal(t, t_before)
    assert torch.equal(torch.get_rng_state(), state)


def test_works_where_autograd_is_switched_off() -> None:
    with torch.inference_mode():
        made = mlp([5, 3])
        report = crosscheck(made, torch.randn(2, 5), torch.rand(2, 3))
    assert report.identical


# ------------------------------------------------------------------------------------------------- planted faults


@dataclass(frozen=True, eq=False)
class LinearFault(Linear):
    """A Linear with one wrong formula."""

    fault: str = ""

    def forward(self, x, out=None):
        net, saved = super().forward(x)
        return (net * 1.0005, saved) if self.fault == "net" else (net, saved)

    def backward(self, error, saved, out=None):
        error_of_x, gradients = super().backward(error, saved)
        return (error_of_x * 1.0005, gradients) if self.fault == "error of x" else (error_of_x, gradients)

    def gradients(self, error, saved, out=None):
        d = super().gradients(error, saved)
        if self.fault == "zeros":
            d["weight"] = torch.zeros_like(d["weight"])
        elif self.fault == "sign":
            d["weight"] = -d["weight"]
        elif self.fault == "0.05 %":
            d["weight"] = d["weight"] * 1.0005
        elif self.fault == "bias twice":
            d["bias"] = 2 * d["bias"]
        elif self.fault == "bias of one row":
            d["bias"] = -error[0]
        return d


@dataclass(frozen=True)
class SigmoidFault(Sigmoid):
    """A Sigmoid with one wrong formula."""

    fault: str = ""

    def forward(self, x, out=None):
        y, saved = super().forward(x)
        return (y + 1e-4, saved) if self.fault == "x" else (y, saved)

    def backward(self, error, saved, out=None):
        x = saved
        if self.fault == "no σ′":
            return error.clone(), {}
        if self.fault == "x for x (1 − x)":
            return error * x, {}
        if self.fault == "σ′ of x":
            s = torch.sigmoid(x)
            return error * s * (1 - s), {}
        return super().backward(error, saved)


LINEAR_FAULTS = {
    "net": "net^{l}",
    "error of x": "δ^{below}",
    "zeros": "∂L/∂W^{l}",
    "sign": "∂L/∂W^{l}",
    "0.05 %": "∂L/∂W^{l}",
    "bias twice": "∂L/∂b^{l}",
    "bias of one row": "∂L/∂b^{l}",
}


@pytest.mark.parametrize("fault", LINEAR_FAULTS)
@pytest.mark.parametrize("l", [1, 2, 3])
@pytest.mark.parametrize("regime", REGIMES, ids=lambda regime: regime.__name__)
def test_a_wrong_linear_is_rejected_and_placed(fault: str, l: int, regime) -> None:
    if fault == "error of x" and l == 1:
        l = 2  # nothing reads the error of x^0
    good = network((6, 5, 4, 3), Tanh(), SquaredError(), torch.float64, regime)
    layers = list(good.layers)
    linear = layers[2 * l - 2]
    layers[2 * l - 2] = LinearFault(linear.weight, linear.bias, fault=fault)
    report = crosscheck(
        Network(tuple(layers), good.loss_function), torch.randn(8, 6).double(), targets(8, 3, torch.float64)
    )
    first = next(row for row in report.rows if row.status != "identical")
    assert first.quantity == LINEAR_FAULTS[fault].format(l=l, below=l - 1)
    assert not report.ok
    assert report.verdict.startswith(f"Wrong: {first.quantity} ({first.formula})")


@pytest.mark.parametrize(
    ("fault", "first"), [("x", "x^2"), ("no σ′", "δ^2"), ("x for x (1 − x)", "δ^2"), ("σ′ of x", "δ^2")]
)
@pytest.mark.parametrize("regime", REGIMES, ids=lambda regime: regime.__name__)
def test_a_wrong_activation_is_rejected_and_placed(fault: str, first: str, regime) -> None:
    good = network((6, 5, 4, 3), Sigmoid(), SoftmaxCrossEntropy(), torch.float64, regime)
    layers = list(good.layers)
    layers[3] = SigmoidFault(fault=fault)
    report = crosscheck(Network(tuple(layers), good.loss_function), torch.randn(8, 6).double(), torch.arange(8) % 3)
    assert next(row.quantity for row in report.rows if row.status != "identical") == first
    assert not report.ok


def test_faulty_layers_are_mirrored_as_what_they_should_be() -> None:
    """The reference of a subclass is its parent's module: otherwise these tests would prove nothing."""
    assert type(module_of(SigmoidFault())) is torch.nn.Sigmoid
    assert type(mirror(Network((LinearFault(torch.ones(2, 2)),), SquaredError())).model[0]) is torch.nn.Linear


def test_a_number_that_is_not_finite_is_wrong_even_where_both_engines_have_it() -> None:
    made = mlp([3, 2], activation=ReLU())
    made.parameters()["0.weight"][1, 0] = math.inf
    report = crosscheck(made, torch.ones(2, 3), torch.rand(2, 2))
    assert not report.ok
    assert report.verdict.startswith("Wrong: net^1 (E1), a number is not finite.")
    json.dumps(report.to_dict(), allow_nan=False)


# ---------------------------------------------------------------------------------------------------- comparisons


def test_compare_is_relative_to_the_norm() -> None:
    """Gradients of a trained network are 1e-6: an absolute 1e-5 would pass zeros."""
    tiny = 1e-6 * torch.randn(5, 5).double()
    assert compare("q", "E", torch.zeros_like(tiny), tiny).status == "wrong"
    assert compare("q", "E", tiny * (1 + 1e-15), tiny).status in ("rounding", "identical")
    assert compare("q", "E", tiny * (1 + 1e-13), tiny).status == "wrong"
    assert compare("q", "E", tiny.float() * (1 + 3e-7), tiny.float()).status == "rounding"
    assert compare("q", "E", tiny.float() * (1 + 1e-5), tiny.float()).status == "wrong"
    assert compare("q", "E", tiny, torch.zeros_like(tiny)).status == "wrong"
    assert compare("q", "E", torch.zeros(3), torch.zeros(3)).status == "identical"


@pytest.mark.parametrize("size", [1e-300, 1e-170, 1e155, 1e300])
def test_compare_knows_no_size_too_small_or_too_large(size: float) -> None:
    """Squares of 1e-170 are 0 and squares of 1e155 infinite: norms are taken of the scaled tensors."""
    reference = size * torch.randn(5, 5).double()
    for wrong in (torch.zeros_like(reference), -reference, reference * 1.01):
        assert compare("q", "E", wrong, reference).status == "wrong"
    assert compare("q", "E", reference * (1 + 3e-16), reference).status == "rounding"


def test_compare_never_broadcasts_and_says_what_is_wrong() -> None:
    row = torch.ones(3)
    assert compare("q", "E", row, row.expand(2, 3)).remark == "of shape (3,), expected (2, 3)"
    assert compare("q", "E", row, row.double()).remark == "of dtype torch.float32, expected torch.float64"
    assert compare("q", "E", row, row * math.nan).remark == "a number is not finite"
    assert compare("q", "E", 2 * row, row).remark == "off by 1.0e+00 of its norm"


def test_dtypes_without_a_bound_are_named() -> None:
    with pytest.raises(TypeError, match=r"crosscheck expects a network of float32 or float64, got torch\.bfloat16"):
        crosscheck(mlp([5, 3], dtype=torch.bfloat16), torch.randn(2, 5).bfloat16(), torch.rand(2, 3).bfloat16())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_ulp_distance_counts_floating_point_numbers(dtype: torch.dtype) -> None:
    info = torch.finfo(dtype)
    one = torch.tensor([1.0], dtype=dtype)
    above = one + info.eps
    assert ulp_distance(one, one).item() == 0
    assert ulp_distance(one, above).item() == ulp_distance(above, one).item() == 1
    assert ulp_distance(-one, -above).item() == 1
    assert ulp_distance(torch.zeros_like(one), -torch.zeros_like(one)).item() == 0
    smallest = torch.tensor([info.smallest_normal], dtype=dtype)
    to_zero = ulp_distance(smallest, torch.zeros_like(one)).item()
    assert ulp_distance(smallest, -smallest).item() == 2 * to_zero == 2 * round(1 / info.eps)
    assert ulp_distance(one, 2 * one).item() == round(1 / info.eps)
    matrix = torch.randn(3, 4).to(dtype)
    assert ulp_distance(matrix.t(), matrix.t()).max() == 0


def test_ulp_distance_of_float64_extremes_does_not_overflow() -> None:
    large = torch.tensor([torch.finfo(torch.float64).max], dtype=torch.float64)
    assert ulp_distance(large, -large).item() == pytest.approx(2 * 0x7FEFFFFFFFFFFFFF)


def test_a_wrong_batch_is_named() -> None:
    with pytest.raises(ValueError, match=r"Linear expects x of shape \(N, 5\), got \(2, 4\)"):
        crosscheck(mlp([5, 3]), torch.randn(2, 4), torch.rand(2, 3))


def test_reports_print_a_tensor_free_head() -> None:
    report = crosscheck(mlp([5, 3]), torch.randn(2, 5), torch.rand(2, 3))
    assert isinstance(report.rows[0].max_abs, float)
    assert not any(isinstance(value, Tensor) for row in report.to_dict()["rows"] for value in row.values())
