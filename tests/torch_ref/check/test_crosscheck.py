"""The checker on right networks: its rows, and what it accepts and leaves alone."""

import json
import math
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from manual_bp import Linear, Network, ReLU, Sigmoid, SoftmaxCrossEntropy, SquaredError, Tanh, mlp
from manual_bp.training.images.data import mnist5k
from torch_ref import crosscheck
from torch_ref.known.faults import FAULTS


def test_rows_follow_the_data_flow() -> None:
    report = crosscheck(mlp([5, 4, 4, 3]), torch.randn(2, 5), torch.rand(2, 3))
    assert [row.quantity for row in report.rows] == [
        "net^1", "x^1", "net^2", "x^2", "net^3", "x^3", "y", "L", "e^3",
        "δ^3", "∂L/∂W^3", "∂L/∂b^3", "e^2", "δ^2", "∂L/∂W^2", "∂L/∂b^2", "e^1", "δ^1", "∂L/∂W^1", "∂L/∂b^1", "e^0",
    ]  # fmt: skip
    shapes = {row.quantity: row.shape for row in report.rows}
    assert (shapes["L"], shapes["δ^2"], shapes["∂L/∂W^3"], shapes["∂L/∂b^1"]) == ((), (2, 4), (3, 4), (4,))


def test_rows_name_their_equations() -> None:
    softmax = mlp([5, 4, 3], loss=SoftmaxCrossEntropy())
    by = {row.quantity: row.formula for row in crosscheck(softmax, torch.randn(2, 5), torch.tensor([0, 2])).rows}
    assert (by["net^1"], by["x^1"], by["y"], by["L"], by["δ^2"], by["e^1"], by["δ^1"], by["∂L/∂W^1"]) == (
        "E1", "E2", "E5", "E8", "E17", "E14", "E15", "E12",
    )  # fmt: skip
    by = {row.quantity: row.formula for row in crosscheck(mlp([5, 3]), torch.randn(2, 5), torch.tensor([0, 2])).rows}
    assert (by["x^1"], by["y"], by["L"], by["e^1"], by["δ^1"]) == ("E2", "E4", "E6", "E13", "E15")


def test_real_digits_are_identical_in_every_row() -> None:
    digits, _ = mnist5k()
    x, t = digits.pixels[:128].flatten(1).float() / 255, digits.labels[:128]
    report = crosscheck(mlp([784, 256, 10]), x, t, power=False)
    assert report.identical, str(report)
    assert report.ok
    assert report.verdict == (
        "Right: all 15 quantities are identical to the last bit, and finite differences confirm 9 gradients."
    )


def test_the_report_is_json_and_fits_80_columns() -> None:
    report = crosscheck(mlp([784, 300, 3]), torch.randn(250, 784), torch.rand(250, 3))
    parsed = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert parsed["ok"] is True
    assert parsed["dtype"] == "torch.float32"
    assert [row["quantity"] for row in parsed["rows"]] == [row.quantity for row in report.rows]
    lines = str(report).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.count("identical") for line in lines) == 1 + 2 * len(report.rows)


def test_a_cause_is_a_code_a_sentence_and_its_numbers_in_json_too() -> None:
    good, x, t = mlp([5, 4, 3], dtype=torch.float64), torch.randn(6, 5).double(), torch.rand(6, 3).double()
    report = crosscheck(FAULTS["linear-weight-over-n"].plant(good, 1), x, t)
    (row,) = report.guilty
    assert (row.code, row.cause, row.why.numbers) == ("factor", "a factor of 1/N (N = 6?)", {"factor": 1 / 6})
    written = {row["quantity"]: row for row in json.loads(json.dumps(report.to_dict()))["rows"]}
    guilty, right = written["∂L/∂W^1"], written["net^1"]
    assert (guilty["code"], guilty["cause"], guilty["numbers"]) == (
        "factor",
        "a factor of 1/N (N = 6?)",
        {"factor": 1 / 6},
    )
    assert (right["code"], right["cause"], right["numbers"]) == ("", "", {})


def test_neither_network_nor_batch_nor_random_state_is_changed() -> None:
    made = mlp([5, 3])
    x, t = torch.randn(2, 5), torch.rand(2, 3)
    before, x_before, t_before, state = made.state_dict(), x.clone(), t.clone(), torch.get_rng_state()
    crosscheck(made, x, t)
    assert all(torch.equal(parameter, before[name]) for name, parameter in made.parameters().items())
    assert torch.equal(x, x_before)
    assert torch.equal(t, t_before)
    assert torch.equal(torch.get_rng_state(), state)


def test_an_expanded_batch_that_a_layer_changes_is_put_back() -> None:
    class Halving(ReLU):
        def forward(self, x, out=None):
            x[0].mul_(0.5)  # all rows are one in memory
            return super().forward(x)

    x = torch.rand(1, 5).expand(4, 5)
    before, made = x.clone(), mlp([5, 3])
    report = crosscheck(Network((Halving(), *made.layers), made.loss_function), x, torch.rand(4, 3))
    assert "changes x in place" in report.verdict
    assert "changed x" in report.note
    assert torch.equal(x, before)


def test_works_where_autograd_is_switched_off() -> None:
    with torch.inference_mode():
        made = mlp([5, 3])
        report = crosscheck(made, torch.randn(2, 5), torch.rand(2, 3))
    assert report.identical


def test_a_number_that_is_not_finite_is_wrong_even_where_both_engines_have_it() -> None:
    made = mlp([3, 2], activation=ReLU())
    made.parameters()["0.weight"][1, 0] = math.inf
    report = crosscheck(made, torch.ones(2, 3), torch.rand(2, 2))
    assert not report.ok
    assert report.verdict.startswith("Not compared: net^1 at [0, 1] is inf by hand and inf by the reference.")
    assert report.outcome == "not compared"
    json.dumps(report.to_dict(), allow_nan=False)


def test_a_wrong_batch_is_named() -> None:
    with pytest.raises(ValueError, match=r"Linear expects x of shape \(N, 5\), got \(2, 4\)"):
        crosscheck(mlp([5, 3]), torch.randn(2, 4), torch.rand(2, 3))


def test_wrong_arguments_are_named() -> None:
    x, t = torch.randn(2, 5), torch.rand(2, 3)
    with pytest.raises(TypeError, match=r"crosscheck expects a manual_bp\.Network, got Sequential"):
        crosscheck(torch.nn.Sequential(), x, t)
    with pytest.raises(ValueError, match=r"at least one row, got an empty batch \(0, 5\)"):
        crosscheck(mlp([5, 3]), x[:0], t[:0])
    with pytest.raises(TypeError, match=r"Linear expects x as a torch\.Tensor, got list"):
        crosscheck(mlp([5, 3]), [1.0], t)
    with pytest.raises(ValueError, match=r"SquaredError expects t of shape \(N, 3\), got \(2, 2\)"):
        crosscheck(mlp([5, 3]), x, t[:, :2])


@pytest.mark.long
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_measured_by_its_own_rounding(dtype: torch.dtype) -> None:
    made = mlp([5, 4, 3], dtype=dtype)
    x, t = torch.randn(6, 5).to(dtype), torch.rand(6, 3).to(dtype)
    assert crosscheck(made, x, t).ok
    assert not crosscheck(FAULTS["linear-weight-over-n"].plant(made, 1), x, t).ok


def test_inputs_with_a_history_are_taken_without_it() -> None:
    x = torch.randn(2, 5, requires_grad=True)
    assert crosscheck(mlp([5, 3]), x, torch.rand(2, 3)).identical
    assert x.grad is None


def test_layers_of_any_order_have_names_of_their_own() -> None:
    """Two activations in a row, one before the first weights, and a layer of somebody else."""
    layers = (Tanh(), Linear(torch.randn(4, 5)), Sigmoid(), Tanh(), Linear(torch.randn(3, 4)))
    report = crosscheck(Network(layers, SoftmaxCrossEntropy()), torch.randn(6, 5), torch.arange(6) % 3)
    assert report.identical
    assert [row.quantity for row in report.rows] == [
        "Tanh 1", "net^1", "Sigmoid 1", "x^1", "net^2", "y", "L",
        "δ^2", "∂L/∂W^2", "e^1", "error of Sigmoid 1", "δ^1", "∂L/∂W^1", "error of Tanh 1", "e^0",
    ]  # fmt: skip
    texts = {row.quantity: row.of.text for row in report.rows}
    assert texts["Tanh 1"] == "x = tanh(net)"  # the lecture's indices are for what it has a name for
    assert texts["net^1"] == "net = W x + b"
    assert texts["net^2"] == "net^2 = W^2 x^1 + b^2"
    assert texts["error of Sigmoid 1"] == "δ = σ′(net) e, σ′ = 1 − (x)²"


def test_reports_print_a_tensor_free_head() -> None:
    report = crosscheck(mlp([5, 3]), torch.randn(2, 5), torch.rand(2, 3))
    assert isinstance(report.rows[0].max_abs, float)
    assert not any(isinstance(value, Tensor) for row in report.to_dict()["rows"] for value in row.values())


@dataclass(frozen=True, eq=False)
class Remembering(Linear):
    """Right whenever it stands alone; in a whole pass it overwrites the error that the loss handed down."""

    calls: list[int] = field(default_factory=list)

    def backward(self, error, saved, out=None):
        self.calls.append(1)
        answer = super().backward(error, saved)
        return (2 * answer[0], answer[1]) if len(self.calls) == 1 else answer


def test_a_formula_that_is_wrong_in_the_whole_pass_only_is_not_explained_away() -> None:
    layers = (Linear(torch.randn(4, 5)), Remembering(torch.randn(3, 4)))
    report = crosscheck(Network(layers, SquaredError()), torch.randn(6, 5), torch.rand(6, 3))
    assert not report.ok
    assert not report.guilty
    assert report.verdict.startswith("Wrong: δ^1 of the whole pass (off by")
    assert "every formula is right by itself" in report.verdict


@dataclass(frozen=True)
class Raising(Sigmoid):
    where: str = ""

    def forward(self, x, out=None):
        if self.where == "forward":
            raise IndexError("no such unit")
        return super().forward(x)

    def backward(self, error, saved, out=None):
        raise IndexError("no such unit")


@pytest.mark.parametrize("where", ["forward", "backward"])
def test_a_pass_that_breaks_off_is_a_verdict_too(where: str) -> None:
    network = Network((Linear(torch.randn(4, 5)), Raising(where), Linear(torch.randn(3, 4))), SquaredError())
    report = crosscheck(network, torch.randn(6, 5), torch.rand(6, 3))
    assert [row.cause for row in report.guilty][:1] == ["raises IndexError: no such unit"]
    assert "The whole pass broke off with IndexError: no such unit." in report.verdict
    assert "GUILTY" in str(report)


def test_a_t_that_no_loss_takes_is_raised_and_blamed_on_nobody() -> None:
    x, t = torch.randn(6, 5), torch.full((6, 3), 1 / 3)
    t[2] *= 2
    with pytest.raises(
        ValueError, match=r"SoftmaxCrossEntropy expects each row of t to sum to 1 \(E17\), got 2 at row"
    ):
        crosscheck(mlp([5, 4, 3], loss=SoftmaxCrossEntropy()), x, t)
    t[2, 1] = math.nan
    for loss in (SquaredError(), SoftmaxCrossEntropy()):
        with pytest.raises(ValueError, match=rf"{type(loss).__name__} expects finite targets, got .* at \(2, 1\)"):
            crosscheck(mlp([5, 4, 3], loss=loss), x, t)
