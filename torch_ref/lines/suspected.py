"""The suspects of a chain: each gradient was judged by those behind it, so what made those is not looked at again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from torch_ref.lines.chained import Chained
from torch_ref.lines.culprit import culprit, wrong_summand
from torch_ref.lines.flow import Flow
from torch_ref.lines.left_out import is_left_out
from torch_ref.lines.pairing import Pair
from torch_ref.lines.places import is_array
from torch_ref.lines.record import Version
from torch_ref.lines.suspects import Suspects
from torch_ref.numbers.given import as_gradient


def suspects_of(chained: Chained, guilty: Sequence[str]) -> Suspects:
    """Return what may have made the gradients of some pairs wrong, which are given in the order of the backward pass.

    A step that is left out is known where it is, and is not among them.
    """
    pairs = {pair.name: pair for pair in chained.pairs}
    wrong: dict[str, Version] = {}
    known: list[Version] = []
    for name in guilty:
        i = wrong_at(chained, pairs[name])
        version = chained.made_as(pairs[name], pairs[name].gradients[i][-1])
        if (
            pairs[name].gradients[i][-1].place in chained.values.given
        ):  # moved by its gradient: what it was before is no part of that
            wrong[name] = version
        elif not is_left_out(version):
            run, factor = chained.backward.run, chained.factor
            found = culprit(chained.chain, chained.claims[name], i, run, version, factor)
            wrong[name] = wrong_summand(chained.chain, chained.claims[name], i, Flow(run), found.version)
            known += found.right
    chosen = {pair.name: _chosen(chained, pair) for pair in chained.pairs}
    zeros = {name for name in chosen if any(one.found.reason == "zero" for one in chained.chain.alone[name])}
    right = [one for name, several in chosen.items() if name not in {*guilty, *zeros} for one in several]
    handed_on = {one.made for several in (*chosen.values(), known) for one in several}
    return Suspects(chained.backward, wrong, right, frozenset(handed_on), lambda value: _is_known(chained, value))


def wrong_at(chained: Chained, pair: Pair) -> int:
    """Return which of several places is the first, backward, whose gradient is wrong."""
    found = chained.chain.alone[pair.name]
    return max((i for i, one in enumerate(found) if not one.found.ok), default=0)


def _chosen(chained: Chained, pair: Pair) -> list[Version]:
    """Return the gradients that are handed on."""
    found = chained.chain.alone[pair.name]
    return [several[one.which] for several, one in zip(pair.gradients, found, strict=True) if several]


def _is_known(chained: Chained, value: Any) -> bool:
    """Tell whether a value is one of the forward pass."""
    if not is_array(value):
        return False
    t = as_gradient(value, torch.empty(0, dtype=torch.float64))
    return t is not None and chained.values.equal_to(t) is not None
