"""Just repeat: one update after the other, by hand and by autograd, each going on from its own weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from manual_bp import GradientDescent, Network
from manual_bp.structure import Names
from torch_ref.autograd.mirrored import mirror
from torch_ref.lesson.walk.both import WRONG
from torch_ref.lesson.walk.examples import Example
from torch_ref.numbers.agreement import compare, ulp_distance
from torch_ref.numbers.witness import Tensors, Witness

ALL = 20
"""Up to this many updates each one is shown; of more updates, some."""


@dataclass(frozen=True)
class State:
    """A network after some updates."""

    updates: int
    """How many."""
    by_hand: Tensors
    """L and y of a pass, and the parameters with which they were computed: W^1, b^1, ..."""
    ulp: float
    """The largest difference of any of these numbers from autograd's."""
    wrong: bool
    """Whether one is further apart than rounding can be."""


def repeated(example: Example, planted: Network, updates: int) -> Iterator[State]:
    """Yield the state before the first update and after each; end early where a number is not finite."""
    if example.t is None:
        raise ValueError(f"updates expect an example with a target, got {example.title}, which is forward only")
    hand, names = Network(planted.layers, planted.loss_function), planted.names
    model, loss_module = mirror(example.network)
    descent, optimizer = GradientDescent(hand, lr=example.lr), torch.optim.SGD(model.parameters(), lr=example.lr)
    for made in range(updates + 1):
        trace, output = hand.forward(example.x), model(example.x)
        loss, reference = hand.loss(trace, example.t), loss_module(output, example.t)
        by_hand = _named(names, loss, trace.y, hand.parameters())
        by_autograd = _named(names, reference, loss_module.output(output), dict(model.named_parameters()))
        if not all(bool(value.isfinite().all()) for value in (loss, reference, hand.buffer)):
            return
        yield _state(made, by_hand, by_autograd)
        descent.update(hand.backward(trace))
        optimizer.zero_grad()
        reference.backward()
        optimizer.step()


def thinned_out(updates: int) -> set[int]:
    """Return which of many updates to show: all of a few, else 0, 1, 2, 5, 10, 20, 50, ... and the last."""
    if updates <= ALL:
        return set(range(updates + 1))
    return {0, updates} | {m * 10**k for m in (1, 2, 5) for k in range(len(str(updates))) if m * 10**k < updates}


def _named(names: Names, loss: Tensor, y: Tensor, parameters: Mapping[str, Tensor]) -> Tensors:
    """Return copies of L, y and the parameters by the lecture's names."""
    of_parameters = {names.parameters[name]: p for name, p in parameters.items()}
    return {name: value.detach().clone() for name, value in ({"L": loss, "y": y} | of_parameters).items()}


def _state(updates: int, hand: Tensors, auto: Tensors) -> State:
    differing = [(value, auto[name]) for name, value in hand.items() if not torch.equal(value, auto[name])]
    ulp = max((ulp_distance(a, b).max().item() for a, b in differing), default=0.0)
    compared = [compare(a, Witness.exactly(b), WRONG[a.dtype]) for a, b in differing]
    return State(updates, hand, ulp, any(not comparison.ok for comparison in compared))
