"""The benchmarks compare what computes the same step; here nothing is timed."""

import numpy as np
import pytest
import torch

from benchmarks import equality
from benchmarks.cases import CASES, problem
from benchmarks.contenders import QUICK
from benchmarks.contenders.by_numpy import Numpy
from benchmarks.gates import word
from benchmarks.worker import Bench

SMALL = ("f", "a", "b", "c128", "d")


@pytest.mark.parametrize("case", SMALL)
def test_every_contender_computes_the_same_step(case: str) -> None:
    ready = Bench().prepare(CASES[case], list(QUICK))
    assert ready.excluded == {}
    assert ready.left_out == {}
    assert set(ready.names) == set(QUICK)


class SlowLearner(Numpy):
    def step(self):
        before = self.parameters()
        loss = super().step()
        for p, b in zip(self.all, before, strict=True):
            p[...] = b + np.float32(0.98) * (p - b)
        return loss


class NoLowestLayer(Numpy):
    def _backward(self, i):
        if i:
            super()._backward(i)


@pytest.mark.parametrize("kind", [SlowLearner, NoLowestLayer])
@pytest.mark.parametrize("case", SMALL)
def test_whoever_does_less_is_found_out(kind: type[Numpy], case: str) -> None:
    torch.set_num_threads(1)
    this = problem(CASES[case])
    theirs = equality.after_steps(kind(this))
    assert equality.difference(this.arrays(), equality.expected(this), theirs) != ""


def test_a_gate_gives_ten_percent_for_noise() -> None:
    assert [word("at least", value, 2.0) for value in (2.1, 1.85, 1.7)] == ["ok", "ok, within 10 %", "missed"]
    assert [word("at most", value, 2.0) for value in (1.9, 2.15, 2.3)] == ["ok", "ok, within 10 %", "missed"]
