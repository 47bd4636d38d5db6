"""Back-propagation through time against its mirror in any shape, PyTorch's own layer, and a network of sequences."""

import random

import pytest
import torch
from cases import DTYPES, assert_close, assert_identical
from torch import Tensor, nn

from manual_bp import RNN, LastStep, Network, SoftmaxCrossEntropy
from manual_bp.initial import random_linear, random_rnn
from manual_bp.layer import parameters
from torch_ref import crosscheck, module_of


def by_hand(layer: RNN, x: Tensor, error: Tensor) -> dict[str, Tensor]:
    h, saved = layer.forward(x)
    error_of_x, gradients = layer.backward(error, saved)
    return {"h": h, "error of x": error_of_x, **gradients}


def under_autograd(module: nn.Module, x: Tensor, error: Tensor) -> dict[str, Tensor]:
    leaf = x.clone().requires_grad_()
    h = module(leaf)
    h = h[0] if isinstance(h, tuple) else h
    h.backward(-error)
    return {"h": h.detach(), "error of x": -leaf.grad} | {name: p.grad for name, p in module.named_parameters()}


def test_equal_to_autograd_to_the_last_bit_in_any_shape() -> None:
    draw = random.Random(4)
    for _ in range(60):
        n_in, n, dtype = draw.choice([1, 2, 7, 16]), draw.choice([1, 2, 5, 16]), draw.choice(DTYPES)
        shape = draw.choice([1, 2, 5, 33]), draw.choice([1, 2, 5, 9]), n_in
        layer, x = random_rnn(n_in, n, dtype=dtype), torch.randn(shape, dtype=dtype)
        error = torch.randn(*shape[:2], n, dtype=dtype)
        expected = under_autograd(module_of(layer), x, error)
        for name, found in by_hand(layer, x, error).items():
            assert_identical(found, expected[name], f"{layer} at {shape}: {name}")


def test_the_mirror_is_pytorch_s_own_within_rounding() -> None:
    layer, x = random_rnn(5, 4, dtype=torch.float64), torch.randn(3, 7, 5).double()
    own, error = nn.RNN(5, 4, batch_first=True, dtype=torch.float64), torch.randn(3, 7, 4).double()
    own.load_state_dict(parameters(layer))
    expected = under_autograd(own, x, error)
    for name, found in by_hand(layer, x, error).items():
        assert_close(found, expected[name], 1e-14, name)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_network_of_sequences_is_identical(dtype: torch.dtype) -> None:
    layers = random_rnn(5, 6, dtype=dtype), LastStep(), random_linear(6, 3, dtype=dtype)
    network = Network(layers, SoftmaxCrossEntropy())
    report = crosscheck(network, torch.randn(8, 7, 5, dtype=dtype), torch.arange(8) % 3)
    assert report.ok, str(report)
    assert {row.max_ulp for row in report.rows} == {0}, str(report)


LAYER = random_rnn(5, 3)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (torch.zeros(4, 5), ValueError, r"RNN expects x of shape \(N, T, 5\), N and T at least 1, got \(4, 5\)"),
        (torch.zeros(4, 0, 5), ValueError, r"got \(4, 0, 5\)"),
        (torch.zeros(4, 2, 6), ValueError, r"got \(4, 2, 6\)"),
        (torch.zeros(4, 2, 5).double(), TypeError, "x of dtype torch.float32, got torch.float64"),
        ([1.0], TypeError, "x as a torch.Tensor, got list"),
    ],
)
def test_wrong_input_is_named(x: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        LAYER.forward(x)


W, V, B = torch.zeros(3, 5), torch.zeros(3, 3), torch.zeros(3)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ((B, V, B, B), ValueError, r"weight_ih_l0 of shape \(n, n_in\), each at least 1, got \(3,\)"),
        (("W", V, B, B), ValueError, "got str"),
        ((W.int(), V, B, B), TypeError, "a floating-point weight_ih_l0, got torch.int32"),
        ((W, W, B, B), ValueError, r"weight_hh_l0 of shape \(3, 3\), got \(3, 5\)"),
        ((W, V, None, B), ValueError, r"bias_ih_l0 of shape \(3,\), got NoneType"),
        ((W, V, B, B.double()), TypeError, "bias_hh_l0 of dtype torch.float32, got torch.float64"),
    ],
)
def test_wrong_parameters_are_named(given: tuple[object, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        RNN(*given)


@pytest.mark.parametrize("alone", [True, False])
def test_an_error_of_another_shape_never_broadcasts(alone: bool) -> None:
    _, saved = LAYER.forward(torch.randn(4, 2, 5))
    with pytest.raises(ValueError, match=r"the error of h of shape \(4, 2, 3\), got \(4, 1, 3\)"):
        (LAYER.gradients if alone else LAYER.backward)(torch.randn(4, 1, 3), saved)


def test_the_last_step_is_named_where_there_is_none() -> None:
    with pytest.raises(ValueError, match=r"LastStep expects x of shape \(N, T, n\), each at least 1, got \(4, 5\)"):
        LastStep().forward(torch.zeros(4, 5))
    with pytest.raises(ValueError, match="got str"):
        LastStep().forward("x")
    _, saved = LastStep().forward(torch.zeros(4, 2, 5))
    with pytest.raises(ValueError, match=r"the error of h_T of shape \(4, 5\), got \(4, 1\)"):
        LastStep().backward(torch.zeros(4, 1), saved)


def test_what_it_says_of_itself() -> None:
    assert repr(LAYER) == "RNN(5 → 3)"
