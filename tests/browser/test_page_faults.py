"""Each planted fault of the page against the one of the same name in torch_ref's catalogue."""

from __future__ import annotations

import re

import pytest
from comparing import BOUND, worst
from places import ROOT
from settings import ACTIVATIONS, LOSSES, Plain, drawn, in_manual_bp, sample

from torch_ref.known import faults
from torch_ref.lesson.page.data import cited, x2
from torch_ref.lesson.walk.quantities import pass_by_hand, scalars

LISTED = """() => lesson.FAULTS.map(({ name, of, makes, equation, title, hint }) =>
  ({ name, of, makes, equation, title, hint }))"""
PLANTED = """(network) => lesson.FAULTS.flatMap((fault) => fault.layers(network).map((l) => {
  const planted = lesson.plant(fault, l);
  const numbers = [...lesson.pass(network, planted)];
  return { name: fault.name, l, numbers, spoiled: lesson.spoiled(network, planted) };
}))"""

CITED_AS = {"squared": "squared-error", "entropy": "cross-entropy"}

# Square layers and biases: every fault finds a place. ReLU has units that are on and units that are off.
BIASES = [[0.3, -0.2, 0.5], [-0.4, 0.1, 0.2]]
NETWORKS = {
    f"{activation}, {loss}": drawn(24, sizes=[3, 3, 3], activation=activation, loss=loss, biases=BIASES)
    for activation in ACTIVATIONS
    for loss in LOSSES
}


@pytest.fixture
def planted(lesson):
    """Return for a network every fault in every layer that it can be in, with the numbers it makes."""

    def of(network: Plain) -> list[dict]:
        return [row | {"numbers": dict(row["numbers"])} for row in lesson(PLANTED, network)]

    return of


def test_every_fault_is_one_of_the_catalogue_and_cites_its_equation(lesson) -> None:
    listed = lesson(LISTED)
    assert len({fault["name"] for fault in listed}) == len(listed) >= 10
    for fault in listed:
        original = faults.FAULTS[fault["name"]]
        assert fault["makes"] == original.makes
        assert fault["equation"] == cited()[CITED_AS.get(fault["of"], fault["of"])][fault["makes"]]
        assert fault["name"].startswith(f"{fault['of']}-")
        assert fault["title"]
        assert fault["hint"]
        assert fault["title"] != fault["hint"]


@pytest.mark.parametrize("case", NETWORKS)
def test_a_planted_fault_makes_the_catalogue_s_wrong_numbers(planted, case) -> None:
    plain = NETWORKS[case]
    right = scalars(pass_by_hand(in_manual_bp(plain), *sample(plain)))
    for row in planted(plain):
        network = faults.FAULTS[row["name"]].plant(in_manual_bp(plain), row["l"])
        expected = scalars(pass_by_hand(network, *sample(plain)))
        assert worst(row["numbers"], expected) < BOUND, row["name"]
        assert worst(right, expected) > 1e-3, row["name"]
        guilty = faults.FAULTS[row["name"]].quantity(network, row["l"])
        first = re.sub(r"_\d+$", "", row["spoiled"][0])
        assert first == ("y" if guilty == "x^2" else guilty), row["name"]


def test_every_fault_is_planted_in_some_network(planted, lesson) -> None:
    found = {row["name"] for plain in NETWORKS.values() for row in planted(plain)}
    assert found == {fault["name"] for fault in lesson(LISTED)}
    page = (ROOT / "docs" / "lecture.md").read_text(encoding="utf-8")
    assert f"with {len(found)} planted mistakes" in " ".join(page.split())


def test_x2_has_the_faults_that_its_shape_allows(planted) -> None:
    found = {(row["name"], row["l"]) for row in planted(x2()["network"])}
    names = {name for name, _ in found}
    assert {("linear-forward-transposed", 1), ("linear-weight-swapped", 1), ("linear-error-sign", 2)} <= found
    assert len(names) >= 20
    assert not names & {"linear-forward-no-bias", "linear-bias-sign", "linear-error-transposed", "tanh-error-plus"}
    assert ("linear-error-sign", 1) not in found  # below layer 1 nothing is sent back
    assert not any(name.startswith("entropy") for name in names)


def test_a_fault_that_does_not_apply_says_so(lesson) -> None:
    shapes = [
        drawn(1, sizes=[2, 3], biases=None, activation="relu", loss=l) for l in ("squared-error", "cross-entropy")
    ]
    for plain in shapes:
        found = lesson("(n) => lesson.FAULTS.map((f) => [f.applies(n), f.layers(n).length > 0, f.name])", plain)
        assert all(applies == has_place for applies, has_place, _ in found)
        applying = {name for applies, _, name in found if applies}
        assert not any("transposed" in name or "swapped" in name or "sigmoid-error" in name for name in applying)
        assert any(name.startswith("relu-") for name in applying) == (plain["loss"] == "squared-error")


def test_a_fault_belongs_to_its_layer_alone(lesson) -> None:
    network = NETWORKS["sigmoid, squared-error"]
    spoiled = """(network) => { const f = lesson.FAULTS.find((f) => f.name === "sigmoid-error-no-slope");
      return [1, 2].map((l) => lesson.spoiled(network, { ...f, l })); }"""
    first, second = lesson(spoiled, network)
    assert first[0] == "δ^1_1"
    assert second[0] == "δ^2_1"
    assert not any(name.startswith("δ^2") for name in first)
