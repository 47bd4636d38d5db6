"""The poolings against PyTorch's, bit for bit over many shapes and at ties; and images as rows."""

import random

import pytest
import torch
from cases import DTYPES, assert_identical
from torch import Tensor

from manual_bp import AvgPool2d, Flatten, Layer, MaxPool2d, Unflatten
from torch_ref import module_of

POOLINGS = (MaxPool2d, AvgPool2d)


def assert_equal_to_autograd(layer: Layer, x: Tensor) -> None:
    y, saved = layer.forward(x)
    error = torch.randn_like(y)
    error_of_x, _ = layer.backward(error, saved)
    leaf = x.clone().requires_grad_()
    expected = module_of(layer)(leaf)
    expected.backward(-error)
    assert_identical(y, expected.detach(), f"{layer} at {tuple(x.shape)}: y")
    assert_identical(error_of_x, -leaf.grad, f"{layer} at {tuple(x.shape)}: error of x")


@pytest.mark.parametrize("kind", POOLINGS)
@pytest.mark.parametrize("ties", [True, False])
def test_equal_to_autograd_to_the_last_bit_in_any_shape(kind: type, ties: bool) -> None:
    draw = random.Random(kind.__name__)
    for _ in range(100):
        kernel, stride = (draw.randint(1, 4), draw.randint(1, 4)), (draw.randint(1, 4), draw.randint(1, 4))
        size = draw.randint(kernel[0], 11), draw.randint(kernel[1], 11)
        x = torch.randn(draw.choice([1, 2, 5, 33]), draw.choice([1, 3, 8]), *size, dtype=draw.choice(DTYPES))
        assert_equal_to_autograd(kind(kernel, draw.choice([None, stride])), x.round() if ties else x)


def test_the_first_of_the_largest_takes_the_whole_error() -> None:
    layer = MaxPool2d(2)
    _, saved = layer.forward(torch.tensor([[[[1.0, 7.0], [7.0, 7.0]]]]))
    assert layer.backward(torch.tensor([[[[5.0]]]]), saved)[0].tolist() == [[[[0, 5], [0, 0]]]]


def test_windows_that_overlap_add_their_errors() -> None:
    layer = MaxPool2d((1, 2), stride=1)
    _, saved = layer.forward(torch.tensor([[[[1.0, 7.0, 2.0]]]]))
    assert layer.backward(torch.tensor([[[[5.0, 3.0]]]]), saved)[0].tolist() == [[[[0, 8, 0]]]]


def test_what_is_left_over_belongs_to_no_window() -> None:
    layer, x = AvgPool2d(2), torch.arange(15.0).reshape(1, 1, 3, 5)
    y, saved = layer.forward(x)
    assert y.tolist() == [[[[3, 5]]]]
    error_of_x, _ = layer.backward(torch.tensor([[[[4.0, 8.0]]]]), saved)
    assert error_of_x.tolist() == [[[[1, 1, 2, 2, 0], [1, 1, 2, 2, 0], [0, 0, 0, 0, 0]]]]


@pytest.mark.parametrize("kind", POOLINGS)
@pytest.mark.parametrize(
    ("given", "x", "error", "message"),
    [
        ((2,), torch.zeros(4, 9), ValueError, r"x of shape \(N, c, h, w\), got \(4, 9\): Unflatten"),
        ((2,), torch.zeros(4, 1, 3, 1), ValueError, r"at least as large as its kernel \(2, 2\), got \(3, 1\)"),
        ((2,), torch.zeros(4, 0, 3, 3), ValueError, r"at least one image and channel, got \(4, 0, 3, 3\)"),
        ((2,), torch.zeros(4, 1, 3, 3).int(), TypeError, "x of a floating-point dtype, got torch.int32"),
        ((2,), "x", TypeError, "x as a torch.Tensor, got str"),
        ((0,), None, ValueError, "kernel as a whole number from 1, or a pair of them, got 0"),
        ((2, (1, 0)), None, ValueError, r"stride as a whole number from 1, or a pair of them, got \(1, 0\)"),
    ],
)
def test_wrong_input_is_named(
    kind: type, given: tuple[int, ...], x: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"{kind.__name__} expects .*{message}"):
        kind(*given).forward(x)


@pytest.mark.parametrize("kind", POOLINGS)
def test_an_error_of_another_shape_never_broadcasts(kind: type) -> None:
    layer = kind(2)
    _, saved = layer.forward(torch.randn(4, 3, 5, 5))
    with pytest.raises(ValueError, match=r"the error of y of shape \(4, 3, 2, 2\), got \(4, 3, 2, 1\)"):
        layer.backward(torch.randn(4, 3, 2, 1), saved)


def test_rows_and_images_are_the_same_numbers_in_the_same_memory() -> None:
    images = torch.randn(4, 3, 2, 5)
    rows, shape = Flatten().forward(images)
    again, _ = Unflatten((3, 2, 5)).forward(rows)
    back, _ = Flatten().backward(rows, shape)
    for found, expected in ((rows, images.reshape(4, 30)), (again, images), (back, images)):
        assert_identical(found, expected)
        assert found.data_ptr() == images.data_ptr()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Flatten().forward(torch.zeros(3)), r"Flatten expects x of shape \(N, ...\) .* got \(3,\)"),
        (lambda: Flatten().forward(torch.zeros(0, 3)), r"with at least one number, got \(0, 3\)"),
        (lambda: Flatten().forward("x"), "got str"),
        (lambda: Flatten().backward(torch.zeros(2, 5), torch.Size([2, 3, 2])), r"of y of shape \(2, 6\), got \(2, 5\)"),
        (lambda: Unflatten((2, 3)).forward(torch.zeros(4, 5)), r"Unflatten expects x of shape \(N, 6\), got \(4, 5\)"),
        (lambda: Unflatten((2, 0)), r"whole numbers from 1, as \(1, 28, 28\), got \(2, 0\)"),
        (lambda: Unflatten(784), "got 784"),
        (
            lambda: Unflatten((2, 3)).backward(torch.zeros(4, 6), torch.Size([4, 6])),
            r"the error of y of shape \(4, 2, 3\), got \(4, 6\)",
        ),
    ],
)
def test_other_shapes_are_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
