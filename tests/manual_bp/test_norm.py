"""Layer normalisation against its mirror in any shape, PyTorch's own, and what it says to wrong input."""

import random

import pytest
import torch
from cases import DTYPES, assert_close, assert_identical
from torch import Tensor, nn

from manual_bp import LayerNorm
from torch_ref import module_of


def both(layer: LayerNorm, module: nn.Module, x: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Return y, the error of x and the gradients, each by hand and under autograd."""
    y, saved = layer.forward(x)
    error = torch.randn_like(y)
    error_of_x, gradients = layer.backward(error, saved)
    leaf = x.clone().requires_grad_()
    expected = module(leaf)
    expected.backward(-error)
    pairs = {"y": (y, expected.detach()), "error of x": (error_of_x, -leaf.grad)}
    return pairs | {name: (gradients[name], p.grad) for name, p in module.named_parameters()}


def test_equal_to_autograd_to_the_last_bit_in_any_shape() -> None:
    draw = random.Random(3)
    for _ in range(80):
        n, dtype = draw.choice([1, 2, 3, 16, 33, 128]), draw.choice(DTYPES)
        shape = (draw.choice([1, 2, 5, 33]), *draw.choice([(), (3,), (2, 4)]), n)
        layer = LayerNorm(torch.randn(n, dtype=dtype), torch.randn(n, dtype=dtype), draw.choice([1e-5, 1e-3]))
        for name, (found, expected) in both(layer, module_of(layer), torch.randn(shape, dtype=dtype)).items():
            assert_identical(found, expected, f"{name} at {shape}")


@pytest.mark.parametrize("shape", [(4, 7), (4, 3, 7)])
@pytest.mark.parametrize("epsilon", [1e-5, 0.1])
def test_the_mirror_is_pytorch_s_own_within_rounding(shape: tuple[int, ...], epsilon: float) -> None:
    layer = LayerNorm(torch.randn(7).double(), torch.randn(7).double(), epsilon)
    own = nn.LayerNorm(7, eps=epsilon, dtype=torch.float64)
    own.load_state_dict({"weight": layer.weight, "bias": layer.bias})
    for name, (found, expected) in both(layer, own, torch.randn(shape).double()).items():
        assert_close(found, expected, 1e-14, name)


LAYER = LayerNorm(torch.ones(5), torch.zeros(5))


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (torch.zeros(4, 6), ValueError, r"x of shape \(N, ..., 5\), N at least 1, got \(4, 6\)"),
        (torch.zeros(5), ValueError, r"got \(5,\)"),
        (torch.zeros(0, 5), ValueError, r"got \(0, 5\)"),
        (torch.zeros(4, 5).double(), TypeError, "x of dtype torch.float32, got torch.float64"),
        ("x", TypeError, "x as a torch.Tensor, got str"),
    ],
)
def test_wrong_input_is_named(x: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"LayerNorm expects {message}|LayerNorm expects .*{message}"):
        LAYER.forward(x)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ((torch.ones(2, 5), torch.zeros(5)), ValueError, r"a weight of shape \(n,\), each at least 1, got \(2, 5\)"),
        (("w", torch.zeros(5)), ValueError, "got str"),
        ((torch.ones(5).int(), torch.zeros(5)), TypeError, "a floating-point weight, got torch.int32"),
        ((torch.ones(5), torch.zeros(4)), ValueError, r"a bias of shape \(5,\), got \(4,\)"),
        ((torch.ones(5), None), ValueError, r"a bias of shape \(5,\), got NoneType"),
        ((torch.ones(5), torch.zeros(5).double()), TypeError, "bias of dtype torch.float32, got torch.float64"),
        ((torch.ones(5), torch.zeros(5), -1.0), ValueError, "an epsilon from 0 to 1, got -1.0"),
        ((torch.ones(5), torch.zeros(5), "small"), ValueError, "an epsilon from 0 to 1, got 'small'"),
    ],
)
def test_wrong_settings_are_named(given: tuple[object, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        LayerNorm(*given)


def test_an_error_of_another_shape_never_broadcasts() -> None:
    _, saved = LAYER.forward(torch.randn(4, 5))
    with pytest.raises(ValueError, match=r"the error of y of shape \(4, 5\), got \(4, 1\)"):
        LAYER.backward(torch.randn(4, 1), saved)


def test_what_it_says_of_itself() -> None:
    assert repr(LAYER) == "LayerNorm(5)"
