"""The table of who is to blame: each of its lines decides something that no other line would decide so."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from manual_bp import Tanh
from torch_ref.steps.evidence import Evidence
from torch_ref.steps.protocol import layer_step
from torch_ref.verdict import blame

X = torch.randn(4, 5, generator=torch.Generator().manual_seed(3)).double()


class DoubledGradient(torch.autograd.Function):
    """sin with twice the cosine for its derivative."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.sin(x)

    @staticmethod
    def backward(ctx, d_y):
        (x,) = ctx.saved_tensors
        return 2 * d_y * torch.cos(x)


@dataclass(frozen=True)
class Sine:
    """sin; with ``wrong`` at some calls of forward and backward, counted from 0."""

    wrong: dict[str, tuple[int, ...]] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=lambda: {"forward": 0, "backward": 0})

    def factor(self, name: str) -> float:
        self.calls[name] += 1
        return 3.0 if self.calls[name] - 1 in self.wrong.get(name, ()) else 1.0

    def forward(self, x, out=None):
        return self.factor("forward") * torch.sin(x), x

    def backward(self, error, saved, out=None):
        return self.factor("backward") * error * torch.cos(saved), {}


class Raising(Sine):
    def backward(self, error, saved, out=None):
        raise IndexError("no such unit")


class Changing(Sine):
    def backward(self, error, saved, out=None):
        return error.mul_(torch.cos(saved)), {}


@dataclass(frozen=True)
class Forgetful:
    """Forward forgot its softplus and saved x: the backward formula, from x, is right."""

    def forward(self, x, out=None):
        return x, x

    def backward(self, error, saved, out=None):
        return error * torch.sigmoid(saved), {}


def infinite_slope(x: Tensor) -> Tensor:
    """Have an infinite derivative where x is 0."""
    return torch.sqrt((x - x.detach()).abs() + 0 * x) + torch.sin(x)


def seen(layer: Any, reference: Any) -> Evidence:
    error = torch.randn(X.shape, generator=torch.Generator().manual_seed(4)).double()
    return Evidence(layer_step(layer, reference, X, error, "y", "e", {}))


ALWAYS = tuple(range(9))
SCENES = {
    "agrees": (lambda: seen(Sine(), torch.sin), "e", 0, ""),
    "raises, where the reference is not finite": (lambda: seen(Raising(), infinite_slope), "e", 1, "by hand"),
    "changes its input, where the reference is not finite": (
        lambda: seen(Changing(), infinite_slope), "e", 1, "by hand",
    ),
    "the reference is not finite": (lambda: seen(Sine(), infinite_slope), "e", 2, ""),
    "the output is wrong at the first call only": (
        lambda: seen(Sine({"forward": (0,)}), torch.sin), "y", 3, "by hand",
    ),
    "backward is right for what it reads": (lambda: seen(Forgetful(), torch.nn.functional.softplus), "e", 4, ""),
    "the derivative of another function": (lambda: seen(Tanh(), torch.sigmoid), "e", 5, ""),
    "the reference is not its own derivative": (lambda: seen(Sine(), DoubledGradient.apply), "e", 6, "reference"),
    "backward is wrong": (lambda: seen(Sine({"backward": ALWAYS}), torch.sin), "e", 7, "by hand"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "name", "line", "whose"), SCENES.values(), ids=SCENES)
def test_each_case_decides(make, name: str, line: int, whose: str) -> None:
    evidence = make()
    made = next(made for made in evidence.step.makes if made.name == name)
    case = blame.case_of(evidence, made)
    assert (blame.CASES.index(case), case.blame) == (line, whose), case.reason


@pytest.mark.parametrize(("make", "name", "line", "whose"), [*SCENES.values()][:-1], ids=[*SCENES][:-1])
def test_without_the_case_somebody_else_is_blamed(make, name: str, line: int, whose: str) -> None:
    """The last case holds always: it is what remains."""
    evidence = make()
    made = next(made for made in evidence.step.makes if made.name == name)
    others = [case for i, case in enumerate(blame.CASES) if i != line]
    assert blame.case_of(evidence, made, others).blame != whose


def test_a_backward_that_is_wrong_at_one_call_only_does_not_follow_from_a_right_forward() -> None:
    evidence = seen(Sine({"backward": (0,)}), torch.sin)
    (made,) = evidence.step.gradients.values()
    assert blame.case_of(evidence, made).blame == "by hand"
    assert evidence.own_comparisons["e"].ok, "at its second call it is right"


def test_every_case_says_why() -> None:
    assert len({case.reason for case in blame.CASES}) == len(blame.CASES)


def test_evidence_computes_each_part_once_and_all_in_gradients() -> None:
    layer = Sine({"backward": ALWAYS})
    evidence = seen(layer, torch.sin)
    (made,) = evidence.step.gradients.values()
    for _ in range(2):
        assert torch.equal(evidence.gradient(made), -evidence.values["e"].tensor), "an error is −∂L/∂x"
        assert evidence.slope(made) is evidence.slope(made)
        assert evidence.slope(made).agrees(evidence.right_gradient(made)) is True
        assert evidence.slope(made).agrees(evidence.gradient(made)) is False
        assert not evidence.comparisons["e"].ok
    assert layer.calls["backward"] == 1
    assert evidence.slope(evidence.step.outputs[0]) is None
