"""The step of LeNet-5: everybody computes the same one, and who does less is found out; nothing is timed."""

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.equality import after_steps, difference
from benchmarks.lenet.by_numpy import Numpy
from benchmarks.lenet.by_torch import Autograd, ByHand, Mkldnn
from benchmarks.lenet.measure import IN_TORCH, QUICK, WHO
from benchmarks.lenet.problem import Problem


@pytest.fixture(scope="module")
def expected() -> list[np.ndarray]:
    return after_steps(ByHand(Problem.drawn()))


@pytest.mark.parametrize("name", QUICK)
def test_everybody_computes_the_same_step(name: str, expected: list[np.ndarray]) -> None:
    problem = Problem.drawn()
    assert difference(problem.arrays(), expected, after_steps(WHO[name](problem))) == ""
    assert set(IN_TORCH) <= set(QUICK) <= set(WHO)


class NoFirstLayer(Numpy):
    def step(self):
        first = [p.copy() for p in self.all[:2]]
        loss = super().step()
        for p, before in zip(self.all[:2], first, strict=True):
            p[...] = before
        return loss


class AverageOfPixels(Autograd):
    def __init__(self, problem):
        super().__init__(problem)
        self.model[2] = nn.AvgPool2d(2)


@pytest.mark.parametrize("kind", [NoFirstLayer, AverageOfPixels])
def test_whoever_does_something_else_is_found_out(kind: type, expected: list[np.ndarray]) -> None:
    problem = Problem.drawn()
    assert difference(problem.arrays(), expected, after_steps(kind(problem))) != ""


@pytest.mark.parametrize(("kind", "may"), [(Autograd, False), (Mkldnn, True)])
def test_each_has_its_own_convolution_and_leaves_torch_as_it_was(kind: type, may: bool) -> None:
    before = torch.backends.mkldnn.enabled
    with kind(Problem.drawn()).scope():
        assert torch.backends.mkldnn.enabled == may
    assert torch.backends.mkldnn.enabled == before
