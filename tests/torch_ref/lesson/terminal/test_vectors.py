"""The formulas beside whole tensors are formulas of whole tensors: what each says is calculated here, and comes out."""

import pytest
import torch

from torch_ref.lesson.terminal.vectors import formulas
from torch_ref.lesson.walk.activations import ACTIVATIONS
from torch_ref.lesson.walk.both import Both
from torch_ref.lesson.walk.examples import LOSSES, Example, large_example
from torch_ref.lesson.walk.phases import phase_of

SAID = {
    "W^1 x^0 + b^1": lambda v: v["W^1"] @ v["x^0"] + v["b^1"],
    "W^2 x^1 + b^2": lambda v: v["W^2"] @ v["x^1"] + v["b^2"],
    "W^1 x^0": lambda v: v["W^1"] @ v["x^0"],
    "W^2 x^1": lambda v: v["W^2"] @ v["x^1"],
    "σ(net^1)": lambda v: torch.sigmoid(v["net^1"]),
    "σ(net^2)": lambda v: torch.sigmoid(v["net^2"]),
    "tanh(net^1)": lambda v: torch.tanh(v["net^1"]),
    "tanh(net^2)": lambda v: torch.tanh(v["net^2"]),
    "max(0, net^1)": lambda v: v["net^1"].clamp(min=0),
    "max(0, net^2)": lambda v: v["net^2"].clamp(min=0),
    "softmax(net^2)": lambda v: torch.softmax(v["net^2"], 0),
    "e^(net^2) / Σ_k e^(net^2_k)": lambda v: v["net^2"].exp() / v["net^2"].exp().sum(),
    "½ Σ_k (t_k − y_k)²": lambda v: sum((t - y) ** 2 for t, y in zip(v["t"], v["y"], strict=True)) / 2,
    "−Σ_k t_k ln(y_k)": lambda v: -sum(t * y.log() for t, y in zip(v["t"], v["y"], strict=True)),
    "t − y": lambda v: v["t"] - v["y"],
    "σ′(net^2) ⊙ e^2": lambda v: slope(v["net^2"], v["kind"]) * v["e^2"],
    "σ′(net^1) ⊙ e^1": lambda v: slope(v["net^1"], v["kind"]) * v["e^1"],
    "y ⊙ (1 − y) ⊙ e^2": lambda v: v["y"] * (1 - v["y"]) * v["e^2"],
    "x^1 ⊙ (1 − x^1) ⊙ e^1": lambda v: v["x^1"] * (1 - v["x^1"]) * v["e^1"],
    "(1 − (y)²) ⊙ e^2": lambda v: (1 - v["y"] ** 2) * v["e^2"],
    "(1 − (x^1)²) ⊙ e^1": lambda v: (1 - v["x^1"] ** 2) * v["e^1"],
    "(W^2)ᵀ δ^2": lambda v: v["W^2"].T @ v["δ^2"],
    "−δ^1 (x^0)ᵀ": lambda v: -v["δ^1"][:, None] @ v["x^0"][None, :],
    "−δ^2 (x^1)ᵀ": lambda v: -v["δ^2"][:, None] @ v["x^1"][None, :],
    "−δ^1": lambda v: -v["δ^1"],
    "−δ^2": lambda v: -v["δ^2"],
    "W^1 − η ∂L/∂W^1": lambda v: v["W^1"] - v["η"] * v["∂L/∂W^1"],
    "W^2 − η ∂L/∂W^2": lambda v: v["W^2"] - v["η"] * v["∂L/∂W^2"],
    "b^1 − η ∂L/∂b^1": lambda v: v["b^1"] - v["η"] * v["∂L/∂b^1"],
    "b^2 − η ∂L/∂b^2": lambda v: v["b^2"] - v["η"] * v["∂L/∂b^2"],
}


def slope(net: torch.Tensor, kind: str) -> torch.Tensor:
    """Return σ′ by autograd."""
    net = net.clone().requires_grad_()
    {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}[kind](net).sum().backward()
    return net.grad


def values(example: Example, kind: str) -> dict[str, object]:
    """Return every tensor of a walk for its one sample, by name."""
    both, names = Both.of(example), example.network.names.parameters
    found = {
        name: value[0] if phase_of(name) in ("forward", "backward") else value for name, value in both.autograd.items()
    }
    found |= {names[name]: parameter for name, parameter in example.network.parameters().items()}
    return found | {"x^0": example.x[0], "t": example.t[0], "η": example.lr, "kind": kind}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_what_a_formula_says_is_the_tensor(kind: str, loss: str, bias: bool) -> None:
    example = large_example([12, 5, 3], kind, loss, 1, 0.5, bias=bias)
    known = values(example, kind)
    for name in Both.of(example).hand:
        for text in formulas(name, example):
            assert torch.allclose(SAID[text.replace("\u00a0", " ")](known), known[name], rtol=1e-12), f"{name} = {text}"


def test_a_slope_that_is_1_or_0_is_not_written_twice() -> None:
    example = large_example([12, 5, 3], "relu", "squared-error", 1, 0.5, bias=True)
    assert formulas("δ^1", example) == ("σ′(net^1) ⊙ e^1",)
