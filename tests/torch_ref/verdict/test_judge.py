"""From evidence to rows: the formula's text, and when finite differences have the last word."""

from dataclasses import replace

import torch

from manual_bp import Linear, Sigmoid, SquaredError
from torch_ref.steps.evidence import Evidence
from torch_ref.steps.protocol import layer_step
from torch_ref.steps.step import Made
from torch_ref.verdict.judge import quantity, quantity_of, rows_of, third_opinion
from torch_ref.verdict.row import Quantity

X = torch.randn(4, 5, generator=torch.Generator().manual_seed(5)).double()
STEP = layer_step(Sigmoid(), torch.sigmoid, X, X.flip(0), "x^2", "δ^2", {}, l=2)


def test_a_formula_has_its_index_in_a_network_and_none_outside() -> None:
    in_layer, outside = STEP, replace(STEP, layer=None)
    made = STEP.gradients["x"]
    assert quantity_of(in_layer, made).text == "δ^2 = σ′(net^2) e^2, σ′ = x^2 (1 − x^2)"
    assert quantity_of(outside, made).text == "δ = σ′(net) e, σ′ = x (1 − x)"
    weight = torch.randn(3, 5).double()
    linear = layer_step(Linear(weight), torch.nn.functional.linear, X, X[:, :3], "net^2", "e^1", {"weight": "d"}, l=2)
    assert quantity_of(linear, linear.gradients["x"]).text == "e^1 = (W^2)ᵀ δ^2"
    assert quantity_of(linear, Made("unknown", "gain")).text == "unknown"


def test_differences_of_the_whole_loss_raise_a_suspicion_that_the_formula_alone_can_refute() -> None:
    """In a deep network they can be off by more than they know: then they are left out, and nobody is blamed."""
    seen = Evidence(STEP)
    rows = [replace(row, differences=0.5 if row.quantity == "δ^2" else None) for row in rows_of(seen).values()]
    found = third_opinion(rows, dict.fromkeys(("x^2", "δ^2"), seen), STEP.witnesses)
    assert [(row.blame, row.differences) for row in found] == [("", None), ("", None)]


def test_where_something_is_wrong_already_differences_blame_nobody_else() -> None:
    seen = Evidence(STEP)
    out, error = rows_of(seen).values()
    rows = [replace(out, blame="by hand"), replace(error, differences=0.5)]
    assert third_opinion(rows, dict.fromkeys(("x^2", "δ^2"), seen), STEP.witnesses) is rows


def test_a_quantity_has_its_formula_and_whose_it_is() -> None:
    linear, mean, total = Linear(torch.ones(3, 5)), SquaredError(), SquaredError(reduction="sum")
    assert quantity("net^2", linear, "forward", 2) == Quantity("net^2", "E1", "net^2 = W^2 x^1 + b^2", 2, "Linear")
    assert quantity("net", linear, "forward") == Quantity("net", "E1", "net = W x + b", None, "Linear")
    assert quantity("gain", linear, "gain", 2) == Quantity("gain", "-", "gain", 2, "Linear")
    assert quantity("δ^3", mean, "error") == Quantity(
        "δ^3", "E13", "δ^3 = t − y, over N", None, "SquaredError", "its t − y"
    )
    assert quantity("δ^3", total, "error") == Quantity("δ^3", "E13", "δ^3 = t − y", None, "SquaredError", "its t − y")
    assert quantity("e^1", linear, "error").cited == "E14, its sum"
    assert quantity("net", linear, "forward").cited == "E1"
    assert quantity("δ", object(), "error") == Quantity("δ", "-", "δ", None, "object")
