"""The walk: its steps, their order, and that each displayed formula is what the engines calculate."""

import math

import pytest
import torch

from manual_bp import lecture
from torch_ref.lesson.walk.both import Both, given
from torch_ref.lesson.walk.examples import LOSSES, random_example, x1, x2
from torch_ref.lesson.walk.expression import GLUE, references, with_numbers
from torch_ref.lesson.walk.size import is_walkable, sizes_of
from torch_ref.lesson.walk.steps import walk

EXAMPLES = [
    random_example(sizes, activation, loss, seed, 0.5, bias=bias)
    for sizes in ([2, 2, 1], [3, 4, 2], [1, 1, 2], [2, 3, 2, 3], [4, 2])
    for activation in ("sigmoid", "tanh", "relu")
    for loss in LOSSES
    for seed, bias in ((1, True), (2, False))
    if not (loss == "cross-entropy" and sizes[-1] == 1)
]


def test_the_steps_of_x2_are_the_lecture_s() -> None:
    steps = [(step.name, step.equation, step.phase) for step in walk(lecture.x2_network())]
    weights = ["W^1_11", "W^1_12", "W^1_21", "W^1_22", "W^2_11", "W^2_12"]
    assert steps == [
        ("net^1_1", "E1", "forward"), ("x^1_1", "E2", "forward"), ("net^1_2", "E1", "forward"),
        ("x^1_2", "E2", "forward"), ("net^2_1", "E1", "forward"), ("y_1", "E2", "forward"), ("L", "E6", "loss"),
        ("e^2_1", "E13", "backward"), ("δ^2_1", "E15", "backward"), ("e^1_1", "E14", "backward"),
        ("δ^1_1", "E15", "backward"), ("e^1_2", "E14", "backward"), ("δ^1_2", "E15", "backward"),
        *((f"∂L/∂{w}", "E12", "gradients") for w in weights), *((f"{w} after", "E9", "update") for w in weights),
    ]  # fmt: skip


def test_the_steps_with_a_softmax_and_biases() -> None:
    example = random_example([1, 1, 2], "tanh", "cross-entropy", 1, 0.5, bias=True)
    steps = [(step.name, step.equation) for step in walk(example.network)]
    assert steps[:10] == [
        ("net^1_1", "E1"), ("x^1_1", "E2"), ("net^2_1", "E1"), ("net^2_2", "E1"), ("y_1", "E5"), ("y_2", "E5"),
        ("L", "E8"), ("δ^2_1", "E17"), ("δ^2_2", "E17"), ("e^1_1", "E14"),
    ]  # fmt: skip
    assert [name for name, _ in steps[10:]] == [
        "δ^1_1", "∂L/∂W^1_11", "∂L/∂b^1_1", "∂L/∂W^2_11", "∂L/∂W^2_21", "∂L/∂b^2_1", "∂L/∂b^2_2",
        "W^1_11 after", "b^1_1 after", "W^2_11 after", "W^2_21 after", "b^2_1 after", "b^2_2 after",
    ]  # fmt: skip
    assert steps[10] == ("δ^1_1", "E15")


@pytest.mark.long(but=18)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.description)
def test_each_displayed_formula_gives_the_number_by_hand(example) -> None:
    """From the numbers that the engine put into it, so a formula cannot hide behind a consequence."""
    both = Both.of(example)
    steps = both.steps()
    assert {step.name for step in steps} == set(both.numbers)
    assert both.identical
    for step in steps:
        number = both.numbers[step.name].by_hand
        assert float(step.formula.value(both.written)) == pytest.approx(number, rel=1e-12, abs=1e-15), step.name
        written = step.formula.text(with_numbers(both.written))
        assert calculated(written) == pytest.approx(number, rel=1e-4, abs=2e-5), f"{step.name} = {written}"


def test_a_formula_names_its_quantities_once_from_left_to_right() -> None:
    by_name = {step.name: step.formula for step in walk(lecture.x2_network())}
    assert list(references(by_name["δ^1_1"])) == ["x^1_1", "e^1_1"]
    assert list(references(by_name["net^1_2"])) == ["W^1_21", "x^0_1", "W^1_22", "x^0_2"]


def test_every_reference_is_a_given_number_or_an_earlier_step() -> None:
    for example in EXAMPLES:
        known = set(given(example))
        for step in walk(example.network):
            assert known.issuperset(references(step.formula)), step.name
            known.add(step.name)


def test_a_walk_by_numbers_ends_at_nine_units_and_two_hundred_steps() -> None:
    assert is_walkable([4, 4, 4, 4], bias=True)
    assert is_walkable([9, 3], bias=True)
    assert not is_walkable([10, 1], bias=True)
    assert not is_walkable([9, 9], bias=True)
    for example in EXAMPLES:
        assert is_walkable(sizes_of(example.network), bias=True)


def test_random_networks_have_two_decimals_and_pass_something_through() -> None:
    for example in EXAMPLES:
        parameters = example.network.parameters().values()
        for tensor in (*parameters, example.x, example.t):
            assert torch.equal((tensor * 100).round() / 100, tensor)
        assert all(p.all() for p in parameters)
        assert all(value.any() for value in example.network.forward(example.x).values)
    one, again, two = (random_example([2, 2], "tanh", "squared-error", seed, 0.5, bias=True) for seed in (1, 1, 2))
    assert torch.equal(one.network.buffer, again.network.buffer)
    assert not torch.equal(one.network.buffer, two.network.buffer)


@pytest.mark.parametrize(("activation", "low", "high"), [("sigmoid", 0, 1), ("tanh", -1, 1), ("relu", 0, 1)])
def test_targets_can_be_reached(activation: str, low: int, high: int) -> None:
    draw = (random_example([2, 9], activation, "squared-error", seed, 0.5, bias=True) for seed in range(20))
    t = torch.cat([example.t for example in draw])
    assert low <= t.min()
    assert t.max() <= high
    assert (t.max() - t.min()) > 0.7 * (high - low)


def test_x1_is_forward_only() -> None:
    for which in (1, 2):
        both = Both.of(x1(which))
        assert [step.phase for step in both.steps()] == ["forward"] * 12
        assert both.report is None
        assert both.agrees


def test_all_numbers_of_x2_agree_and_the_report_says_so() -> None:
    both = Both.of(x2())
    assert both.verdict == "All 25 numbers by hand are autograd's, identical to the last bit."
    assert both.report.identical
    assert {number.ulp for number in both.numbers.values()} == {0.0}


def calculated(written: str) -> float:
    """Calculate a formula as it is displayed, by Python."""
    text = written.replace(GLUE, " ").replace("e^(", "exp(").replace("²", "**2").replace("½", "0.5")
    text = text.translate(str.maketrans({"·": "*", "−": "-"}))
    functions = {"exp": math.exp, "ln": math.log, "tanh": math.tanh, "max": max}
    return eval(text, functions | {"σ": lambda z: 1 / (1 + math.exp(-z))})
