"""The losses against plain arithmetic, finite differences and autograd; targets of every kind, good and bad."""

import math

import pytest
import torch
from cases import (
    DTYPES,
    FINITE_DIFFERENCE_TOLERANCE,
    LOSSES,
    assert_close,
    assert_identical,
    directional_derivative,
    loss_id,
    targets,
)
from torch import Tensor
from torch.nn import functional

from manual_bp import Loss, SoftmaxCrossEntropy, SquaredError, one_hot
from torch_ref import loss_of, ulp_distance

every_loss = pytest.mark.parametrize("loss", LOSSES, ids=loss_id)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: str(dtype)[6:])
both_losses = pytest.mark.parametrize(
    "loss", [SquaredError(), SoftmaxCrossEntropy()], ids=lambda loss: type(loss).__name__
)


def test_squared_error_by_plain_arithmetic() -> None:
    """E6 and E7: ½ (0.25 + 1) + ½ (0 + 4); E13: t − y."""
    y, t = torch.tensor([[0.5, 2.0], [1.0, 0.0]]), torch.tensor([[1.0, 1.0], [1.0, 2.0]])
    total, saved = SquaredError("sum").forward(y, t)
    assert total.item() == 2.625
    assert SquaredError("sum").backward(saved).tolist() == [[0.5, -1.0], [0.0, 2.0]]
    mean, saved = SquaredError("mean").forward(y, t)
    assert mean.item() == 2.625 / 2
    assert SquaredError("mean").backward(saved).tolist() == [[0.25, -0.5], [0.0, 1.0]]


def test_softmax_cross_entropy_by_plain_arithmetic() -> None:
    """E5, E8 and E17 as they are written."""
    net, t = [[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]], [[0.2, 0.3, 0.5], [0.0, 1.0, 0.0]]
    y = [[math.exp(z) / sum(map(math.exp, row)) for z in row] for row in net]
    pairs = [list(zip(ts, ys, strict=True)) for ts, ys in zip(t, y, strict=True)]
    loss = SoftmaxCrossEntropy("sum")
    total, saved = loss.forward(torch.tensor(net).double(), torch.tensor(t).double())
    assert math.isclose(total.item(), -sum(tk * math.log(yk) for row in pairs for tk, yk in row), rel_tol=1e-7)
    expected = torch.tensor([[tk - yk for tk, yk in row] for row in pairs]).double()
    assert_close(loss.backward(saved), expected, 1e-6, "δ^L")
    assert_close(loss.output(torch.tensor(net).double()), torch.tensor(y).double(), 1e-6, "y")


@every_loss
def test_error_by_finite_differences(loss: Loss) -> None:
    x, t = torch.randn(7, 3, dtype=torch.float64), targets(7, 3, torch.float64)
    _, saved = loss.forward(x, t)
    error = loss.backward(saved)
    for _ in range(5):
        v = torch.randn_like(x)
        slope = directional_derivative(lambda at: loss.forward(at, t)[0], x, v)
        assert_close(-(error * v).sum(), slope, FINITE_DIFFERENCE_TOLERANCE, "error")


@every_loss
@every_dtype
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (7, 3), (10, 10), (257, 33)], ids=str)
@pytest.mark.parametrize("scale", [1, 50])
def test_equal_to_autograd_to_the_last_bit(loss: Loss, dtype: torch.dtype, shape: tuple[int, int], scale: int) -> None:
    x, t = scale * torch.randn(shape, dtype=dtype), targets(*shape, dtype)
    module = loss_of(loss)
    leaf = x.clone().requires_grad_()
    reference = module(leaf, t)
    reference.backward()
    value, saved = loss.forward(x, t)
    assert_identical(value, reference.detach(), "L")
    assert_identical(loss.backward(saved), -leaf.grad, "error")
    assert_identical(loss.output(x), module.output(x), "y")


@every_dtype
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_squared_error_of_images_is_equal_to_autograd_to_the_last_bit(dtype: torch.dtype, reduction: str) -> None:
    loss, x, t = SquaredError(reduction), torch.randn(5, 3, 4, 7, dtype=dtype), torch.randn(5, 3, 4, 7, dtype=dtype)
    leaf = x.clone().requires_grad_()
    reference = loss_of(loss)(leaf, t)
    reference.backward()
    value, saved = loss.forward(x, t)
    assert_identical(value, reference.detach(), "L")
    assert_identical(loss.backward(saved), -leaf.grad, "error")


@pytest.mark.parametrize("both", [lambda loss, y, t: loss.forward(y, t), lambda loss, y, t: loss_of(loss)(y, t)])
@pytest.mark.parametrize(
    ("loss", "y", "t", "error", "message"),
    [
        (
            SquaredError(),
            (4, 3, 5, 6),
            torch.zeros(4, 3, 5, 1),
            ValueError,
            r"t of shape \(4, 3, 5, 6\), got \(4, 3, 5, 1\)",
        ),
        (SquaredError(), (4, 3, 5, 6), torch.zeros(4, 3), ValueError, r"t of shape \(4, 3, 5, 6\), got \(4, 3\)"),
        (SquaredError(), (4, 3, 5, 6), torch.tensor([0, 1, 2, 0]), ValueError, r"t of shape .* got \(4,\)"),
        (SquaredError(), (4, 3, 5), torch.zeros(4, 3, 5).double(), TypeError, "t of dtype torch.float32"),
        (
            SoftmaxCrossEntropy(),
            (4, 3, 5, 6),
            torch.tensor([0, 1, 2, 0]),
            ValueError,
            r"got \(4, 3, 5, 6\): Flatten\(\)",
        ),
        (
            SoftmaxCrossEntropy(),
            (4, 3, 1),
            torch.full((4, 3, 1), 1 / 3),
            ValueError,
            r"\(N, n\^L\), a row a sample, got",
        ),
        (SoftmaxCrossEntropy(), (3,), torch.tensor([1.0, 0, 0]), ValueError, r"got \(3,\)$"),
    ],
)
def test_targets_of_images_never_broadcast(both, loss, y, t, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        both(loss, torch.randn(y), t)


@every_dtype
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_torch_s_own_cross_entropy_agrees_within_2_ulp(dtype: torch.dtype, reduction: str) -> None:
    """Its backward computes an exp of its own. The 2 ulp are those of 1, the size of t and y: their difference δ
    may cancel, and a y of 1e-6 has lost digits in its own logarithm on either side."""
    net, labels = torch.randn(64, 10, dtype=dtype), torch.randint(0, 10, (64,))
    leaf = net.clone().requires_grad_()
    reference = functional.cross_entropy(leaf, labels, reduction=reduction)
    reference.backward()
    loss = SoftmaxCrossEntropy(reduction)
    value, saved = loss.forward(net, labels)
    delta = loss.backward(saved)
    assert ulp_distance(value, reference.detach()) <= 4  # a sum of 64 terms in another order
    assert ((delta + leaf.grad).abs() <= 2 * torch.finfo(dtype).eps / (64 if reduction == "mean" else 1)).all()


@every_loss
@every_dtype
def test_mean_is_the_sum_over_n(loss: Loss, dtype: torch.dtype) -> None:
    x, t = torch.randn(8, 3, dtype=dtype), targets(8, 3, dtype)  # 8: dividing by a power of two does not round
    total, saved = type(loss)("sum").forward(x, t)
    mean, saved_mean = type(loss)("mean").forward(x, t)
    assert_identical(mean, total / 8)
    assert_identical(type(loss)("mean").backward(saved_mean), type(loss)("sum").backward(saved) / 8)


@every_dtype
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_softmax_is_stable_for_large_nets(dtype: torch.dtype, size: float) -> None:
    """Nets of ±10,000: e^net is infinite or zero, the loss and δ are not."""
    net = torch.tensor([[size, 0, -size], [size, size, size], [0, size, 1]], dtype=dtype)
    t = torch.tensor([[0, 0, 1], [1, 0, 0], [0, 1, 0]], dtype=dtype)
    loss = SoftmaxCrossEntropy("sum")
    value, saved = loss.forward(net, t)
    delta = loss.backward(saved)
    expected = {1e4: 2e4 + math.log(3) + 0, -1e4: 0 + math.log(3) + 1e4 + math.log(1 + math.e)}[size]
    assert math.isclose(value.item(), expected, rel_tol=1e-6)
    assert torch.isfinite(delta).all()
    assert_close(loss.output(net).sum(1), torch.ones(3, dtype=dtype), 1e-6, "sum of y")
    assert delta[0].tolist() == ([-1, 0, 1] if size > 0 else [0, 0, 0])


@every_loss
def test_class_indices_stand_for_their_one_hot_rows(loss: Loss) -> None:
    x, labels = torch.randn(5, 3), torch.tensor([0, 2, 1, 1, 0], dtype=torch.uint8)
    rows = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 0], [1, 0, 0]])
    by_label, by_row = loss.forward(x, labels), loss.forward(x, rows)
    assert_identical(by_label[0], by_row[0])
    assert_identical(loss.backward(by_label[1]), loss.backward(by_row[1]))


def test_softmax_cross_entropy_saves_what_it_says() -> None:
    net, t = torch.randn(7, 3, dtype=torch.float64), targets(7, 3, torch.float64)
    _, saved = SoftmaxCrossEntropy().forward(net, t)
    assert_close(saved.y, torch.softmax(net, 1), 1e-15, "y")
    assert_identical(saved.t, t, "t")
    assert saved._fields == ("y", "t", "scratch")


def test_squared_error_saves_what_it_says() -> None:
    y, t = torch.randn(7, 3, dtype=torch.float64), targets(7, 3, torch.float64)
    _, saved = SquaredError().forward(y, t)
    assert_identical(saved.difference, t - y, "t − y")
    assert saved._fields == ("difference", "scratch")


@every_loss
@every_dtype
def test_nothing_reads_scratch(loss: Loss, dtype: torch.dtype) -> None:
    """Not numbers, wherever they may have come from: neither backward nor the next forward sees them."""
    step = loss.forward(torch.randn(7, 3, dtype=dtype), targets(7, 3, dtype))
    expected, x, t = loss.backward(step[1]), torch.randn(7, 3, dtype=dtype), targets(7, 3, dtype)
    for tensor in flat(step[1].scratch):
        tensor.fill_(torch.nan)
    assert_identical(loss.backward(step[1]), expected)
    for tensor in flat(step[1].scratch):
        tensor.fill_(torch.nan)
    assert_identical(loss.forward(x, t, out=step)[0], loss.forward(x, t)[0])


def flat(scratch) -> list[Tensor]:
    return [scratch] if isinstance(scratch, Tensor) else list(scratch)


@every_loss
@every_dtype
def test_out_reuses_the_buffers_and_changes_no_number(loss: Loss, dtype: torch.dtype) -> None:
    step = loss.forward(torch.randn(7, 3, dtype=dtype), targets(7, 3, dtype))
    error = loss.backward(step[1])
    x, t = torch.randn(7, 3, dtype=dtype), targets(7, 3, dtype)
    x_before, t_before = x.clone(), t.clone()
    value, saved = loss.forward(x, t)
    value_again, saved_again = loss.forward(x, t, out=step)
    assert_identical(value_again, value)
    assert_identical(loss.backward(saved_again, out=error), loss.backward(saved))
    assert value_again.data_ptr() == step[0].data_ptr()
    assert_identical(x, x_before)
    assert_identical(t, t_before)


@pytest.mark.parametrize(
    ("t", "error", "message"),
    [
        (torch.zeros(4, 2), ValueError, r"{} expects t of shape \(N, 3\), got \(4, 2\)"),
        (torch.zeros(1, 3), ValueError, "{} expects one row of t for each of the 4 samples, got 1"),
        (torch.zeros(3), ValueError, r"{} expects t of shape \(N, 3\), got \(3,\)"),
        (torch.full((4, 3), math.nan), ValueError, r"{} expects finite targets, got NaN or infinity at \(0, 0\)"),
        (torch.full((4, 3), math.inf), ValueError, "{} expects finite targets"),
        (torch.zeros(4, 3).double(), TypeError, "{} expects t of dtype torch.float32, got torch.float64"),
        (torch.zeros(4, 3, device="meta"), ValueError, "{} expects t on device cpu, got meta"),
        (torch.tensor([0, 1, 3, 2]), ValueError, r"one_hot expects class indices from 0 to 2, got 3 at \(2,\)"),
        (torch.tensor([0, 1, -1, 2]), ValueError, r"one_hot expects class indices from 0 to 2, got -1 at \(2,\)"),
        (torch.tensor([0, 1]), ValueError, "{} expects one row of t for each of the 4 samples, got 2"),
        (torch.ones(4).bool(), TypeError, "one_hot expects class indices of an integer dtype, got torch.bool"),
        ([0, 1, 2, 0], TypeError, "{} expects t as a torch.Tensor, got list"),
    ],
)  # fmt: skip
@both_losses
def test_wrong_targets_are_named(loss: Loss, t: Tensor, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message.format(type(loss).__name__)):
        loss.forward(torch.randn(4, 3), t)


@pytest.mark.parametrize("total", [0.5, 1.001, 0.999])
def test_cross_entropy_wants_confidences_that_sum_to_one(total: float) -> None:
    """Where they do not, the error t − y of E17 is not the derivative of E8."""
    t = torch.tensor([[0.0, 1, 0], [0, total, 0]])
    with pytest.raises(ValueError, match=rf"each row of t to sum to 1 \(E17\), got {total} at row \(1,\)"):
        SoftmaxCrossEntropy().forward(torch.randn(2, 3), t)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.uint16, torch.int32, torch.int64])
def test_one_hot_takes_any_integer_dtype_for_any_number_of_classes(dtype: torch.dtype) -> None:
    rows = one_hot(torch.tensor([1, 0, 100]).to(dtype), 70000, like=torch.empty(0))
    assert rows.nonzero().tolist() == [[0, 1], [1, 0], [2, 100]]
    assert rows.shape == (3, 70000)


@both_losses
def test_wrong_shape_is_named_with_out_too(loss: Loss) -> None:
    step = loss.forward(torch.randn(4, 3), targets(4, 3, torch.float32))
    with pytest.raises(ValueError, match="expects one row of t for each of the 4 samples, got 1"):
        loss.forward(torch.randn(4, 3), targets(1, 3, torch.float32), out=step)


def test_wrong_reduction_is_named() -> None:
    with pytest.raises(ValueError, match="SquaredError expects reduction 'mean' or 'sum'"):
        SquaredError("average")
