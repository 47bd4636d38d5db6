"""The page's two engines against manual_bp and autograd, number by number."""

from __future__ import annotations

import math

import pytest
import torch
from comparing import BOUND, worst
from settings import LOSSES, Plain, drawn, in_manual_bp, sample, walked

from manual_bp import GradientDescent, lecture
from torch_ref.lesson.page.data import x2
from torch_ref.lesson.walk.quantities import pass_by_autograd, pass_by_hand, scalars
from torch_ref.numbers.agreement import relative_difference

SETTINGS = [drawn(seed) for seed in range(100)]
BOTH = """(networks) => networks.map((network) => ({
  byHand: [...lesson.pass(network)], byTape: [...lesson.passByTape(network)] }))"""


@pytest.fixture
def numbers(lesson):
    """Return the numbers of networks by both engines of the page, all in one call."""

    def evaluated(networks: list[Plain]) -> list[dict[str, dict[str, float]]]:
        return [{engine: dict(rows) for engine, rows in both.items()} for both in lesson(BOTH, networks)]

    return evaluated


def test_x2_is_manual_bp_s_and_autograd_s(numbers, data) -> None:
    given = data["x2"]
    (found,) = numbers([given["network"]])
    assert list(found["byHand"]) == walked(given["network"])
    assert given["byHand"] == given["autograd"]
    for engine in found.values():
        assert engine.keys() == given["autograd"].keys()
        assert worst(engine, given["autograd"]) < 1e-15


def test_x2_shows_what_the_lecture_prints(lesson) -> None:
    found = lesson("() => [...lesson.pass(lesson.DATA.x2.network)].map(([name, value]) => [name, lesson.shown(value)])")
    for number in lecture.X2_NUMBERS:
        assert dict(found)[number.quantity] == number.exact.replace("-", "−"), number.quantity


def test_both_inputs_of_x1_come_out_as_the_lecture_has_them(numbers, data) -> None:
    example = data["x1"]
    both = numbers([example["network"] | {"x": given["x"]} for given in example["inputs"]])
    for found, given, printed in zip(both, example["inputs"], lecture.X1_NUMBERS, strict=True):
        for engine in found.values():
            assert worst(engine, given["numbers"]) < BOUND
            for number in printed:
                assert f"{engine[number.quantity]:.12f}" == number.exact, number.quantity


def test_a_hundred_random_networks_agree_with_manual_bp_and_autograd(numbers) -> None:
    for plain, found in zip(SETTINGS, numbers(SETTINGS), strict=True):
        hand = scalars(pass_by_hand(in_manual_bp(plain), *sample(plain)))
        auto = scalars(pass_by_autograd(in_manual_bp(plain), *sample(plain)))
        for engine in found.values():
            assert list(engine) == walked(plain)
            assert engine.keys() == hand.keys()
            assert worst(engine, hand) < BOUND, plain
            assert worst(engine, auto) < BOUND, plain


def test_the_hundred_are_of_every_kind() -> None:
    kinds = {(len(p["sizes"]), p["activation"], p["loss"], p["biases"] is None) for p in SETTINGS}
    assert len(kinds) >= 34  # of 36
    assert any(not any(p["x"]) and p["activation"] == "relu" and p["biases"] is None for p in SETTINGS)
    assert {size for p in SETTINGS for size in p["sizes"]} == {1, 2, 3, 4}


@pytest.mark.parametrize("loss", LOSSES)
def test_nets_of_two_thousand_overflow_nowhere(numbers, loss) -> None:
    network = x2()["network"] | {"sizes": [1, 2, 2], "loss": loss, "x": [1.0], "t": [0.0, 1.0]}
    network |= {"weights": [[[2000.0], [-2000.0]], [[2000.0, -2000.0], [-2000.0, 2000.0]]]}
    expected = scalars(pass_by_hand(in_manual_bp(network), *sample(network)))
    assert all(map(math.isfinite, expected.values()))
    (found,) = numbers([network])
    for engine in found.values():
        assert worst(engine, expected) == 0


@pytest.mark.parametrize("plain", [x2()["network"], *SETTINGS[:12]], ids=lambda p: str(p["sizes"]))
def test_fifty_updates_are_those_of_gradient_descent(lesson, plain) -> None:
    networks = lesson("(n) => lesson.repeated(n, 50)", plain)
    network = in_manual_bp(plain)
    x, t, lr = sample(plain)
    assert len(networks) == 51
    assert networks[0] == plain
    for after in networks[1:]:
        trace = network.forward(x)
        network.loss(trace, t)
        GradientDescent(network, lr=lr).update(network.backward(trace))
        expected = torch.cat([p.flatten() for p in network.parameters().values()])
        found = torch.tensor(list(parameters(after)), dtype=torch.float64)
        assert relative_difference(found, expected) < BOUND
        assert {key: after[key] for key in after if key not in ("weights", "biases")} == {
            key: plain[key] for key in plain if key not in ("weights", "biases")
        }


def parameters(plain: Plain):
    """Yield every parameter in manual_bp's order: a layer's weights, then its biases."""
    for l, rows in enumerate(plain["weights"]):
        yield from (w for row in rows for w in row)
        yield from [] if plain["biases"] is None else plain["biases"][l]


def test_an_update_leaves_the_given_network_as_it_was(lesson) -> None:
    for plain in SETTINGS[:5]:
        assert lesson("(n) => { lesson.updated(n); lesson.pass(n); lesson.passByTape(n); return n; }", plain) == plain
        once, repeated = lesson("(n) => [lesson.updated(n), lesson.repeated(n, 1)[1]]", plain)
        assert once == repeated
    given = x2()["network"]
    assert lesson("(n) => lesson.updated(n)", given)["weights"] != given["weights"]


def test_the_embedded_numbers_keep_every_bit(lesson, data) -> None:
    assert lesson("() => lesson.DATA") == data
