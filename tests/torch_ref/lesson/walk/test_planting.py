"""Spot the bug: which faults one sample shows, what goes wrong, and what is said of those that cannot be shown."""

import re

import pytest
import torch

from manual_bp import SoftmaxCrossEntropy
from torch_ref import crosscheck
from torch_ref.known.faults import FAULTS
from torch_ref.lesson.walk import planting
from torch_ref.lesson.walk.both import Both
from torch_ref.lesson.walk.examples import digit, of_images, random_example, reader, x2
from torch_ref.lesson.walk.planting import (
    IN_NO_WALK,
    UnshownFaultError,
    drawn,
    fault_named,
    fitting_options,
    planted,
    showing,
)
from torch_ref.trial.images import KINDS

BREAKS = {"linear-forward-nan", "linear-weight-shape", "linear-bias-over-units", "sigmoid-error-in-place"}
"""What cannot be walked through: it needs a second sample, makes gradients of another shape, or overwrites what it was
given, so that the number above it would be marked."""


OF_ROWS = [name for name, fault in FAULTS.items() if fault.of not in (*KINDS, *IN_NO_WALK)]
"""Those of layers of images have a walk of their own, ``--network conv``."""


ONE_OF_EACH = {(FAULTS[name].of, FAULTS[name].makes): f"[{name}]" for name in OF_ROWS}
"""Of the faults of each formula the last one."""


@pytest.mark.long(but=(*ONE_OF_EACH.values(), *BREAKS, "linear-weight-one-sample"))
@pytest.mark.parametrize("name", OF_ROWS)
def test_every_fault_is_shown_or_it_is_said_why_not(name: str) -> None:
    fault = FAULTS[name]
    example = fitting(fitting_options(fault))
    if not shows_alone(example, fault):
        with pytest.raises(UnshownFaultError, match="be walked through" if name in BREAKS else "needs a batch"):
            planted(example, fault, None)
        assert name in BREAKS or shows_in_a_batch(example, fault)
        return
    found = planted(example, fault, None)
    wrong = [quantity for quantity, where in found.both.wrong.items() if where.any()]
    guilty = fault.quantity(example.network, found.l)
    first = guilty if guilty in found.both.hand else "y"
    assert wrong[0] == first
    assert first_that_its_formula_does_not_give(found.both) == first


@pytest.mark.parametrize("kind", IN_NO_WALK)
def test_a_fault_of_a_layer_that_no_walk_has_is_refused(kind: type) -> None:
    fault = next(fault for fault in FAULTS.values() if fault.of is kind)
    with pytest.raises(
        UnshownFaultError, match=f"{fault.name} cannot be walked through: no network here has the layer"
    ):
        planted(x2(), fault, None)


@pytest.mark.parametrize(
    ("name", "layer", "said"),
    [
        ("entropy-error-sign", None, "does not fit this network; it shows with --network 3-3-3 --loss cross-entropy"),
        ("tanh-error-plus", None, "does not fit this network; it shows with --network 3-3-3 --activation tanh"),
        ("linear-bias-sign", None, "does not fit this network; it shows with --network 3-3-3"),
        ("linear-weight-dead-unit", None, "changes no number of this network; it shows with --network 3-3-3"),
        ("linear-error-sign", 1, "does not show in layer 1 of this network; it does in layer 2"),
        ("linear-weight-one-sample", None, "needs a batch of several samples"),
        ("sigmoid-error-sign", 3, "--layer expects a layer from 1 to 2 of this network, got 3"),
        ("squared-error-sign", 2, "is in the loss: leave --layer out"),
    ],
)
def test_a_fault_that_x2_does_not_show_is_refused_with_what_would(name, layer, said) -> None:
    with pytest.raises(UnshownFaultError, match=re.escape(said)):
        planted(x2(), FAULTS[name], layer)


@pytest.mark.parametrize(
    ("wrong", "near"), [("sigmoid-eror-sign", "sigmoid-error-sign"), ("slope-twice", "sigmoid-error-slope-twice")]
)
def test_a_near_miss_is_suggested(wrong: str, near: str) -> None:
    with pytest.raises(UnshownFaultError, match=f"did you mean .*{near}"):
        fault_named(wrong)
    with pytest.raises(UnshownFaultError, match="got 'zzz'; '--fault list'"):
        fault_named("zzz")


def test_a_fault_goes_into_the_first_layer_that_shows_it_or_where_it_is_told() -> None:
    assert planted(x2(), FAULTS["sigmoid-error-sign"], None).l == 1
    assert planted(x2(), FAULTS["linear-error-sign"], None).l == 2
    found = planted(x2(), FAULTS["sigmoid-error-sign"], 2)
    assert found.answer == "The fault is sigmoid-error-sign, in layer 2."
    assert found.both.numbers["δ^2_1"].wrong
    assert planted(x2(), FAULTS["squared-error-sign"], None).answer.endswith("in the loss.")


def test_only_what_is_wrong_is_marked() -> None:
    numbers = planted(x2(), FAULTS["linear-weight-twice"], 1).both.numbers
    wrong = {name for name, number in numbers.items() if number.wrong}
    assert wrong == {f"∂L/∂W^1_{ij}" for ij in (11, 12, 21, 22)} | {f"W^1_{ij} after" for ij in (11, 12, 21, 22)}
    assert {name for name, number in numbers.items() if number.ulp} == wrong


def test_a_fault_of_one_part_in_two_thousand_is_marked() -> None:
    wrong = planted(x2(), FAULTS["linear-weight-1.0005"], 2).both.numbers
    assert wrong["∂L/∂W^2_11"].wrong
    assert wrong["W^2_11 after"].wrong


def test_rounding_is_not_marked() -> None:
    both = Both.of(x2())
    moved = {name: torch.nextafter(value, value + 1) for name, value in both.hand.items()}
    rounded = Both(both.example, moved, both.autograd, both.planted)
    assert not any(number.wrong for number in rounded.numbers.values())
    assert {number.ulp for number in rounded.numbers.values()} == {1.0}
    assert rounded.verdict == "0 of 25 numbers are identical; the others differ by at most 1 ulp."


def test_float32_is_held_to_its_own_rounding() -> None:
    both = Both.of(digit(0, reader((784, 3, 10), "sigmoid", "cross-entropy", 1, bias=True, is_trained=False), 0.5))
    for factor, wrong in ((1 + 5e-4, True), (1 + 5e-6, False)):
        moved = {name: value * factor for name, value in both.autograd.items()}
        found = Both(both.example, moved, both.autograd, both.planted)
        assert {name: bool(where.any()) for name, where in found.wrong.items()} == dict.fromkeys(moved, wrong)


def test_a_seed_draws_a_fault_that_shows() -> None:
    found = [drawn(x2(), seed) for seed in range(8)]
    assert len({(f.fault.name, f.l) for f in found}) > 5
    assert all(any(w.any() for w in f.both.wrong.values()) for f in found)
    assert drawn(x2(), 3).answer == found[3].answer


@pytest.mark.long
def test_the_list_is_of_what_can_be_planted() -> None:
    listed = showing(x2())
    assert listed["sigmoid-error-sign"] == [1, 2]
    assert listed["linear-error-sign"] == [2]
    assert not any(name.startswith(("tanh", "relu", "entropy", "linear-bias")) for name in listed)
    for name, layers in listed.items():
        for l in layers:
            assert planted(x2(), FAULTS[name], None if FAULTS[name].is_of_loss else l).l == l


def first_that_its_formula_does_not_give(both: Both) -> str:
    """Find the bug as a class does: recalculate each number by hand from the numbers put into its formula."""
    for step in both.steps():
        number = both.numbers[step.name].by_hand
        if float(step.formula.value(both.written)) != pytest.approx(number, rel=1e-9, abs=1e-12):
            return re.sub("_[0-9]+", "", step.name)
    return "none"


def shows_alone(example, fault) -> bool:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planting, "FAULTS", {fault.name: fault})  # the others take their time too
        return fault.name in showing(example)


def fitting(options: str):
    words = options.split()
    given = dict(zip(words[::2], words[1::2], strict=True))
    sizes = [int(n) for n in given["--network"].split("-")]
    activation, loss = given.get("--activation", "sigmoid"), given.get("--loss", "squared-error")
    return random_example(sizes, activation, loss, 1, 0.5, bias=True)


@pytest.mark.long
def test_every_fault_of_images_shows_or_needs_several_samples() -> None:
    found = showing(of_images("tanh", "squared-error", 1, 0.5, bias=True))
    assert {
        name: layers
        for name, layers in found.items()
        if name in ("convolution-error-turned", "max-pooling-error-to-all")
    } == {
        "convolution-error-turned": [2],
        "max-pooling-error-to-all": [1],
    }
    assert sum(name not in OF_ROWS for name in found) > 50
    assert not any(name.startswith("average") or name.endswith("wrong-sample") for name in found)


def shows_in_a_batch(example, fault) -> bool:
    x, t = torch.rand(4, 3, dtype=torch.float64), torch.rand(4, 3, dtype=torch.float64)
    t = torch.softmax(t, 1) if fault.of is SoftmaxCrossEntropy else t
    network = type(example.network)(example.network.layers, type(example.network.loss_function)())
    return not crosscheck(fault.plant(network, 2), x, t).ok
