"""The notebook's exercises: the right answer is right, and each known mistake is called by its name."""

import math

import pytest
import torch

from torch_ref.lesson import marking
from torch_ref.lesson.marking import EXERCISES, OPEN, RIGHT, Exercise

MISTAKES = [(name, said) for name, exercise in EXERCISES.items() for said in exercise.mistakes]


def is_number(exercise: Exercise) -> bool:
    return exercise.inputs() == [()]


def answered(exercise: Exercise, formula) -> object:
    """Return the answer that a reader gives: a number, rounded where decimals are asked for, or a function."""
    if not is_number(exercise):
        return formula
    return formula() if exercise.decimals is None else round(formula(), exercise.decimals)


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)
def test_what_is_right_is_right_and_nothing_is_open(exercise: Exercise) -> None:
    assert exercise.mark(answered(exercise, exercise.right)) == RIGHT
    assert exercise.mark(None) == OPEN
    assert exercise.mark(lambda *inputs: None) == OPEN


@pytest.mark.parametrize(("name", "said"), MISTAKES)
def test_a_common_mistake_is_called_by_its_name(name: str, said: str) -> None:
    exercise = EXERCISES[name]
    assert exercise.mark(answered(exercise, exercise.mistakes[said])) == f"Wrong: {said}."


def test_a_sign_and_a_factor_are_seen_in_every_function() -> None:
    for exercise in (marking.DELTA, marking.LEAKY, marking.CHAIN):
        assert exercise.mark(lambda *inputs, right=exercise.right: -right(*inputs)) == "Wrong: the sign."
        half = exercise.mark(lambda *inputs, right=exercise.right: 0.5 * right(*inputs))
        assert half == "Wrong: the right answer times 0.5."
    assert marking.PARAMETERS.mark(-23860) == "Wrong: the sign."


def test_what_no_known_mistake_explains_is_shown_with_its_inputs() -> None:
    said = marking.UPDATE.mark(lambda w, g, lr: w - 2 * lr * g)
    assert said == "Wrong: for (0.4, 0.25, 0.5) expected 0.275, got 0.15."
    assert marking.PARAMETERS.mark(12) == "Wrong: no mistake that we know gives this number."
    second = marking.UPDATE.mark(lambda w, g, lr: w - lr * g if w > 0 else 7)
    assert second == "Wrong: for (-1.2, 0.3, 2.0) expected -1.8, got 7.0."


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda delta, x: torch.zeros(2), "expected the shape (3, 5), got (2,)"),
        (lambda delta, x: x @ delta, "it raises RuntimeError: mat1 and mat2"),
        (lambda delta: delta, "it raises TypeError"),
        (lambda delta, x: "sum", "expected numbers or tensors, got 'sum'"),
        (3.0, "expected a function, got a number"),
        (lambda delta, x: delta.T @ x * math.nan, "for ("),
        (lambda delta, x: 0 * delta.T @ x, "for ("),
    ],
)
def test_an_answer_of_another_kind_is_wrong_and_says_why(answer, said: str) -> None:
    assert marking.GRADIENT.mark(answer).startswith(f"Wrong: {said}")


def test_an_answer_that_changes_its_inputs_is_marked_all_the_same() -> None:
    def in_place(delta: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return delta.neg_().T @ x

    assert marking.GRADIENT.mark(in_place) == RIGHT


def test_autograd_may_be_asked_in_its_two_ways() -> None:
    def by_backward(loss: torch.Tensor, net: torch.Tensor) -> torch.Tensor:
        loss.backward()
        return -net.grad

    assert marking.AUTOGRAD.mark(by_backward) == RIGHT
    assert marking.AUTOGRAD.mark(lambda loss, net: -torch.autograd.grad(loss, net)[0]) == RIGHT


def test_a_number_may_be_more_exact_than_asked_for_but_not_less() -> None:
    assert marking.UNIT.mark(0.1192029) == RIGHT
    assert marking.UNIT.mark(0.1) != RIGHT
