"""Just repeat: one update after the other, by hand and by autograd, each going on from its own weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from manual_bp import Network
from torch_ref.compare import Tensors, Witness, compare, ulp_distance
from torch_ref.lesson.both import WRONG
from torch_ref.lesson.examples import Example
from torch_ref.lesson.numbers import by_autograd, by_hand

ALL = 20
"""So many rows are shown one and all; more are thinned out."""


@dataclass(frozen=True)
class State:
    """A network after some updates."""

    step: int
    by_hand: Tensors
    """L and y of a pass, and the parameters with which they were computed: W^1, b^1, ..."""
    ulp: float
    """The largest difference of any of these numbers from autograd's."""
    wrong: bool
    """Whether one is further apart than rounding can be."""


def repeated(example: Example, planted: Network, steps: int) -> Iterator[State]:
    """Yield the state before and after each update, until ``steps`` are made or a number is not finite."""
    if example.t is None:
        raise ValueError("updates expect an example with a target, got one that is forward only")
    hand_network, auto_network = (Network(n.layers, n.loss_function) for n in (planted, example.network))
    for step in range(steps + 1):
        hand = by_hand(hand_network, example.x, example.t, example.lr)
        auto = by_autograd(auto_network, example.x, example.t, example.lr)
        yield _state(step, _before(hand_network, hand), _before(auto_network, auto))
        if step == steps or not all(bool(v.isfinite().all()) for v in (*hand.values(), *auto.values())):
            return
        for network, tensors in ((hand_network, hand), (auto_network, auto)):
            network.load_state_dict(dict(zip(network.parameters(), _after(tensors).values(), strict=True)))


def thinned_out(steps: int) -> set[int]:
    """Return which of many steps to show: all of a few, else 0, 1, 2, 5, 10, 20, 50, ... and the last."""
    if steps <= ALL:
        return set(range(steps + 1))
    return {0, steps} | {m * 10**k for m in (1, 2, 5) for k in range(len(str(steps))) if m * 10**k < steps}


def _before(network: Network, tensors: Tensors) -> Tensors:
    """Return L and y of a pass, and the parameters with which they were computed, by the lecture's names."""
    parameters = zip(_after(tensors), network.parameters().values(), strict=True)
    return {"L": tensors["L"], "y": tensors["y"]} | {name: p.clone() for name, p in parameters}


def _after(tensors: Tensors) -> Tensors:
    return {name.removesuffix(" after"): value for name, value in tensors.items() if name.endswith(" after")}


def _state(step: int, hand: Tensors, auto: Tensors) -> State:
    ulp = max(ulp_distance(value, auto[name]).max().item() for name, value in hand.items())
    compared = [compare(value, Witness.exactly(auto[name]), WRONG[value.dtype]) for name, value in hand.items()]
    return State(step, hand, ulp, any(not comparison.ok for comparison in compared))
