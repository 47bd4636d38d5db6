"""What makes a gradient another than the derivative on purpose, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from manual_bp import Sigmoid
from torch_ref.steps.arguments import Arguments
from torch_ref.steps.function import by_formula, function_step
from torch_ref.steps.meant import meant_otherwise
from torch_ref.steps.protocol import layer_step

X = torch.linspace(-2, 2, 12).view(4, 3)


def step_of(forward: Callable[..., Any], reference: Callable[..., Any], *given: Any) -> Any:
    arguments = Arguments.of(forward, given)
    compute = by_formula(forward, lambda d, *x: tuple(torch.zeros_like(t) for t in x), arguments)
    return function_step(forward, reference, arguments, compute)


@pytest.mark.parametrize(
    ("forward", "text"),
    [
        (lambda x: x * x.detach(), "it detaches a tensor"),
        (lambda x: x * x.clone().detach_(), "it detaches a tensor"),
        (lambda x: x + x.round(), "it calls round"),
        (lambda x: x + torch.floor(x), "it calls floor"),
        (lambda x: x + x.clone().ceil_(), "it calls ceil_"),
        (lambda x: x + x.trunc(), "it calls trunc"),
        (lambda x: x * x.sign(), "it calls sign"),
        (lambda x: x * torch.bernoulli(torch.full_like(x, 0.5)), "it calls bernoulli"),
        (
            lambda x: torch.fake_quantize_per_tensor_affine(x, 0.1, 0, 0, 255),
            "it calls fake_quantize_per_tensor_affine",
        ),
        (lambda x: x.detach() * x.round() * x, "it detaches a tensor"),
        (lambda x: x.round() * x.detach() * x, "it calls round"),
        (lambda x: x.round() * x.floor() * x, "it calls round"),
        (lambda x: torch.cat(tensors=[x, x]).round() * x.sum(), "it calls round"),
        (lambda x: torch.relu(x) * x, ""),
        (lambda x: x.matmul(x.t()), ""),
    ],
)
def test_what_is_done_on_purpose_is_said(forward: Callable[..., Any], text: str) -> None:
    assert meant_otherwise(step_of(forward, forward, X)) == text


def test_the_reference_is_looked_at_too_and_forward_first() -> None:
    rounding, plain = (lambda x: x + (x.round() - x).detach()), (lambda x: x * 1.0)
    assert meant_otherwise(step_of(plain, rounding, X)) == "it calls round"
    assert meant_otherwise(step_of(lambda x: x * x.floor(), rounding, X)) == "it calls floor"


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, ""),
        ({"padding_idx": None}, ""),
        ({"padding_idx": 0}, "its padding row gets no gradient"),
        ({"padding_idx": 2}, "its padding row gets no gradient"),
    ],
)
def test_the_padding_row_of_an_embedding_gets_no_gradient(more: dict[str, Any], text: str) -> None:
    def forward(w: Tensor, index: Tensor) -> Tensor:
        return functional.embedding(index, w, **more)

    assert meant_otherwise(step_of(forward, forward, X, torch.tensor([0, 2, 1]))) == text


def test_a_padding_row_by_place_counts_too() -> None:
    def forward(w: Tensor, index: Tensor) -> Tensor:
        return torch.embedding(w, index, 2)

    def without(w: Tensor, index: Tensor) -> Tensor:
        return torch.embedding(w, index, -1)

    index = torch.tensor([0, 2, 1])
    assert meant_otherwise(step_of(forward, forward, X, index)) == "its padding row gets no gradient"
    assert meant_otherwise(step_of(without, without, X, index)) == ""


def test_layers_are_looked_at_too() -> None:
    def through(x: Tensor) -> Tensor:
        return torch.sigmoid(x + (x.round() - x).detach())

    step = layer_step(Sigmoid(), through, X, X, "y", "e", {})
    assert meant_otherwise(step) == "it calls round"


def test_what_forward_did_before_it_failed_counts() -> None:
    def failing(x: Tensor) -> Tensor:
        x.round()
        raise ValueError

    def plain(x: Tensor) -> Tensor:
        return x * 1.0

    assert meant_otherwise(step_of(failing, plain, X)) == "it calls round"


def test_looking_changes_nothing() -> None:
    def changing(x: Tensor, t: Tensor) -> Tensor:
        x.mul_(2)
        t.mul_(2)
        torch.set_default_dtype(torch.float64)
        return x * torch.rand(3)

    def plain(x: Tensor, t: Tensor) -> Tensor:
        return x * t

    x, t = X.clone(), torch.arange(3)
    state = torch.get_rng_state()
    assert meant_otherwise(step_of(changing, plain, x, t)) == ""
    assert torch.equal(x, X)
    assert torch.equal(t, torch.arange(3))
    assert torch.get_default_dtype() == torch.float32
    assert torch.equal(torch.get_rng_state(), state)
