"""The convolution against plain arithmetic, PyTorch's own layer, and the bits of its mirror over many shapes."""

from collections.abc import Iterator
from itertools import chain, product

import pytest
import torch
from bits import drawn_layers
from cases import DTYPES, ROUNDING, assert_close, assert_identical
from torch import Tensor, nn

from manual_bp import Conv2d
from manual_bp.initial import random_conv2d
from manual_bp.layer import parameters
from torch_ref import module_of

Outcome = dict[str, Tensor]


def by_hand(layer: Conv2d, x: Tensor, error: Tensor | None = None) -> tuple[Tensor, Outcome]:
    """Return an error of net, and net, the error of x and the gradients."""
    net, saved = layer.forward(x)
    error = torch.randn_like(net) if error is None else error
    error_of_x, gradients = layer.backward(error, saved)
    return error, {"net": net, "error of x": error_of_x, **gradients}


def under_autograd(module: nn.Module, x: Tensor, error: Tensor) -> Outcome:
    leaf = x.clone().requires_grad_()
    net = module(leaf)
    net.backward(-error)
    return {"net": net.detach(), "error of x": -leaf.grad} | {name: p.grad for name, p in module.named_parameters()}


def of_both_dtypes(count: int, seed: int) -> Iterator[tuple[Conv2d, Tensor]]:
    """Yield so many convolutions of every kind in each dtype, with images that fit."""
    return chain.from_iterable(drawn_layers("Conv2d", dtype, count, seed) for dtype in DTYPES)


def test_equal_to_autograd_to_the_last_bit_in_any_shape() -> None:
    for layer, x in of_both_dtypes(75, seed=1):
        error, found = by_hand(layer, x)
        expected = under_autograd(module_of(layer), x, error)
        for name in expected:
            assert_identical(found[name], expected[name], f"{layer} at {tuple(x.shape)}: {name}")


def test_the_mirror_is_pytorch_s_own_convolution_within_rounding() -> None:
    for layer, x in of_both_dtypes(30, seed=2):
        settings = layer.windows
        own = nn.Conv2d(*layer.weight.shape[1::-1], settings.kernel, settings.stride, settings.padding, dtype=x.dtype)
        own.load_state_dict({"bias": torch.zeros(len(layer.weight), dtype=x.dtype)} | parameters(layer))
        error, found = by_hand(layer, x)
        expected = under_autograd(own, x, error)
        for name in found:
            off = (found[name] - expected[name]).norm()
            assert off <= 100 * torch.finfo(x.dtype).eps * expected[name].norm(), f"{layer}: {name}"


def test_by_plain_arithmetic() -> None:
    """C1, C2 and C3 entry by entry, in Python's own floats: a witness without tensor operations."""
    layer = Conv2d(torch.randn(2, 3, 3, 2).double(), torch.randn(2).double(), stride=(2, 1), padding=(1, 0))
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    delta, found = by_hand(layer, x)
    expected = {name: torch.zeros_like(value) for name, value in found.items()}
    expected["net"] += layer.bias[:, None, None]
    expected["bias"] -= torch.tensor([sum(delta[:, c].flatten().tolist()) for c in range(2)], dtype=x.dtype)
    for n, c, d, i, j, p, q in product(range(2), range(2), range(3), range(3), range(2), range(2), range(4)):
        u, v = 2 * p + i - 1, q + j
        if 0 <= u < 4 and 0 <= v < 5:
            w, pixel, sent = layer.weight[c, d, i, j].item(), x[n, d, u, v].item(), delta[n, c, p, q].item()
            expected["net"][n, c, p, q] += w * pixel
            expected["error of x"][n, d, u, v] += w * sent
            expected["weight"][c, d, i, j] -= sent * pixel
    for name in expected:
        assert_close(found[name], expected[name], ROUNDING, name)


def test_padding_stays_zero_when_the_columns_are_used_again() -> None:
    """``out`` is written for images of ones first: none of them may be left where the padding is."""
    layer = Conv2d(torch.randn(2, 1, 3, 3), None, padding=2)
    step, x = layer.forward(torch.ones(3, 1, 4, 5)), torch.randn(3, 1, 4, 5)
    assert_identical(layer.forward(x, out=step)[0], layer.forward(x)[0], "net")


def test_what_it_says_of_itself() -> None:
    weight = torch.zeros(6, 1, 5, 5)
    assert repr(Conv2d(weight, torch.zeros(6), padding=2)) == "Conv2d(1 → 6, 5 × 5, padding 2)"
    assert repr(Conv2d(weight, None, stride=(2, 1))) == "Conv2d(1 → 6, 5 × 5, stride (2, 1), no bias)"


WEIGHT = torch.zeros(2, 3, 3, 3)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (torch.zeros(4, 27), ValueError, r"x of shape \(N, 3, h, w\), got \(4, 27\): Unflatten\(\(c, h, w\)\) turns"),
        (torch.zeros(4, 1, 8, 8), ValueError, r"Conv2d expects x of shape \(N, 3, h, w\), got \(4, 1, 8, 8\)$"),
        (torch.zeros(3, 8, 8), ValueError, r"got \(3, 8, 8\)$"),
        (torch.zeros(0, 3, 8, 8), ValueError, r"at least one image and channel, got \(0, 3, 8, 8\)"),
        (torch.zeros(4, 3, 2, 8), ValueError, r"images at least as large as its kernel \(3, 3\), got \(2, 8\)$"),
        (torch.zeros(4, 3, 8, 8).double(), TypeError, r"x of dtype torch.float32, got torch.float64"),
        (torch.zeros(4, 3, 8, 8, dtype=torch.uint8), TypeError, "x of a floating-point dtype, got torch.uint8"),
        ([[1.0]], TypeError, "Conv2d expects x as a torch.Tensor, got list"),
    ],
)
def test_wrong_input_is_named(x: Tensor, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Conv2d(WEIGHT).forward(x)


def test_a_kernel_of_nothing_is_not_drawn() -> None:
    with pytest.raises(ValueError, match=r"random_conv2d expects kernel as a whole number from 1, or a pair .* got 0"):
        random_conv2d(1, 1, 0)


def test_padding_is_said_where_it_does_not_suffice() -> None:
    with pytest.raises(ValueError, match=r"kernel \(3, 3\), got \(1, 0\) and padding \(1, 1\)"):
        Conv2d(WEIGHT, padding=1).forward(torch.zeros(4, 3, 1, 0))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ((torch.zeros(3, 2),), ValueError, r"weight of shape \(c_out, c_in, k_h, k_w\), each at least 1, got \(3, 2\)"),
        ((torch.zeros(3, 0, 1, 1),), ValueError, "each at least 1, got"),
        (("W",), ValueError, "got str"),
        ((WEIGHT.long(),), TypeError, "a floating-point weight, got torch.int64"),
        ((WEIGHT, torch.zeros(3)), ValueError, r"a bias of shape \(2,\), got \(3,\)"),
        ((WEIGHT, 1.0), ValueError, r"a bias of shape \(2,\), got float"),
        ((WEIGHT, torch.zeros(2).double()), TypeError, "bias of dtype torch.float32, got torch.float64"),
        ((WEIGHT, None, 0), ValueError, "stride as a whole number from 1, or a pair of them, got 0"),
        ((WEIGHT, None, 1, -1), ValueError, "padding as a whole number from 0, or a pair of them, got -1"),
        ((WEIGHT, None, (1, 2, 3)), ValueError, r"stride as a whole number from 1, .* got \(1, 2, 3\)"),
        ((WEIGHT, None, True), ValueError, "stride as a whole number .* got True"),
        ((WEIGHT, None, 1.5), ValueError, "stride as a whole number .* got 1.5"),
        ((WEIGHT, None, 1, "same"), ValueError, "padding as a whole number .* got 'same'"),
    ],
)
def test_wrong_settings_are_named(given: tuple[object, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Conv2d(*given)


@pytest.mark.parametrize("alone", [True, False])
def test_an_error_of_another_shape_never_broadcasts(alone: bool) -> None:
    layer = Conv2d(WEIGHT)
    _, saved = layer.forward(torch.randn(4, 3, 5, 5))
    with pytest.raises(ValueError, match=r"the error of net of shape \(4, 2, 3, 3\), got \(4, 2, 3, 1\)"):
        (layer.gradients if alone else layer.backward)(torch.randn(4, 2, 3, 1), saved)
