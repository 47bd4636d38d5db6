"""A pair of plain functions against autograd."""

import pytest
import torch
from cases import blamed
from torch import Tensor

from torch_ref import (
    check_function,
)


def linear(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return x @ w.t() + b


def linear_backward(d_y: Tensor, x: Tensor, w: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return d_y @ w, d_y.t() @ x, d_y.sum(0)


@pytest.fixture
def arguments() -> list[Tensor]:
    return [torch.randn(4, 5), torch.randn(3, 5), torch.randn(3)]


def test_a_right_pair_of_functions_passes(arguments) -> None:
    report = check_function(linear, linear_backward, arguments)
    assert report.ok
    assert [row.quantity for row in report.rows] == ["output", "gradient of x", "gradient of w", "gradient of b"]
    cube = check_function(lambda x: x**3, lambda d_y, x: 3 * d_y * x**2, [torch.randn(4, dtype=torch.float64)])
    assert cube.ok
    assert cube.rows[1].differences < 1e-6


@pytest.mark.parametrize(
    ("wrong", "quantity", "cause"),
    [
        (lambda d, x, w, b: (d @ w, d.t() @ x.roll(1, 0), d.sum(0)), "w", "pairs the wrong sample (the one before)"),
        (lambda d, x, w, b: (d @ w, d.t() @ x / 4, d.sum(0)), "w", "a factor of 1/N (N = 4?)"),
        (lambda d, x, w, b: (d @ w, d.t() @ x, d[0]), "b", "one sample only (the first)"),
        (lambda d, x, w, b: (-d @ w, d.t() @ x, d.sum(0)), "x", "the sign is wrong"),
        (lambda d, x, w, b: (d @ w, d.t() @ x, None), "b", "gives None where a tensor is expected"),
        (lambda d, x, w, b: (d @ w, d.t() @ x), "b", "gives a tuple of 2, which has nothing for it"),
        (lambda d, x, w, b: (d @ w, d.t() @ x, d.sum(0, keepdim=True)), "b", "it is of shape (1, 3), expected (3,)"),
    ],
)
def test_a_wrong_backward_is_named(arguments, wrong, quantity: str, cause: str) -> None:
    arguments[2].requires_grad_()  # None for it is a fault
    assert blamed(check_function(linear, wrong, arguments)) == {f"gradient of {quantity}": cause}


def test_a_function_that_changes_its_inputs_is_named_and_they_are_put_back(arguments) -> None:
    before = arguments[0].clone()

    def changing(d_y, x, w, b):
        return d_y @ w, d_y.t() @ x.add_(1), d_y.sum(0)

    report = check_function(linear, changing, arguments)
    assert set(blamed(report).values()) == {"changes x in place"}
    assert torch.equal(arguments[0], before)


def test_functions_that_autograd_cannot_follow_need_a_reference() -> None:
    x = torch.randn(4)

    def by_numpy(x):
        return torch.from_numpy(x.detach().numpy() ** 2)

    with pytest.raises(ValueError, match=r"do not depend on x under autograd: give reference="):
        check_function(by_numpy, lambda d, x: 2 * d * x, [x])
    assert check_function(by_numpy, lambda d, x: 2 * d * x, [x], reference=lambda x: x**2).ok
    with pytest.raises(TypeError, match="at least one floating-point tensor"):
        check_function(by_numpy, lambda d, x: d, [3])
    with pytest.raises(TypeError, match="expects the reference to return tensors, got str"):
        check_function(lambda x: "y", lambda d, x: d, [x])


def test_inputs_at_which_the_reference_is_not_defined_are_refused() -> None:
    singular = torch.ones(3, 3)
    with pytest.raises(ValueError, match=r"expects inputs at which the reference is defined, but it says: linalg\.inv"):
        check_function(torch.linalg.inv, lambda d, a: -a.mT @ d @ a.mT, [singular])


def test_a_tolerance_by_dtype_takes_the_place_of_the_reference_s_own_error() -> None:
    inputs = [torch.randn(4, 5)]

    def nearly(d_y, x):
        return 3 * d_y * x**2 * (1 + 1e-4)

    assert not check_function(lambda x: x**3, nearly, inputs).ok
    assert check_function(lambda x: x**3, nearly, inputs, tolerance={torch.float32: 1e-3}).ok
    assert not check_function(lambda x: x**3, nearly, inputs, tolerance={torch.float64: 1e-3}).ok


def test_a_backward_that_takes_the_inputs_alone_is_called_without_an_upstream_gradient() -> None:
    y, t = torch.randn(4, 3), torch.randn(4, 3)

    def loss(y: Tensor, t: Tensor) -> Tensor:
        return (y - t).square().mean()

    assert check_function(loss, lambda y, t: (2 * (y - t) / 12, 2 * (t - y) / 12), [y, t]).ok
    report = check_function(loss, lambda y, t: (2 * (y - t), 2 * (t - y) / 12), [y, t])
    assert [row.quantity for row in report.guilty] == ["gradient of y"]


def test_what_cannot_be_called_is_named() -> None:
    x = torch.randn(4)
    for name, functions in (("forward", (x, torch.neg)), ("backward", (torch.neg, x))):
        with pytest.raises(TypeError, match=f"check_function expects a {name} that can be called, got a Tensor"):
            check_function(*functions, [x])
    with pytest.raises(TypeError, match="check_function expects a reference that can be called, got a list"):
        check_function(torch.neg, torch.neg, [x], reference=[1])


def test_an_input_that_is_made_smaller_in_place_is_put_back() -> None:
    x = torch.randn(4, 3)
    report = check_function(lambda x: x * x, lambda d, x: x.resize_(2, 3), [x])
    assert [row.code for row in report.guilty] == ["changes-input"]
    assert x.shape == (4, 3)


def test_one_quantity_differs_and_two_differ() -> None:
    x = torch.randn(7, 9)
    one = check_function(lambda x: x**3, lambda d, x: d * x * x * 3, [x])
    assert " agree; 1 differs by rounding, " in one.verdict
    two = check_function(lambda x: x**3, lambda d, x: d * x * x * 3, [x], reference=lambda x: x * x * (x * 1.1) / 1.1)
    assert " agree; 2 differ by rounding, " in two.verdict


def test_every_floating_point_input_is_compared_whatever_requires_a_gradient(arguments) -> None:
    arguments[1].requires_grad_()
    report = check_function(linear, lambda d, x, w, b: (7 + d @ w, d.t() @ x, d.sum(0)), arguments)
    assert "gradient of x" in blamed(report)


def test_no_gradient_of_a_table_is_no_fault_and_is_named() -> None:
    x, table = torch.randn(4), torch.randn(4)
    report = check_function(lambda x, t: x * t, lambda d, x, t: (d * t, None), [x, table])
    assert report.ok
    assert [row.quantity for row in report.rows] == ["output", "gradient of x"]
    assert [name for name, _ in report.not_compared] == ["gradient of t"]
    required = check_function(lambda x, t: x * t, lambda d, x, t: (d * t, None), [x, table.requires_grad_()])
    assert set(blamed(required)) == {"gradient of t"}


def test_fewer_gradients_than_inputs_are_a_fault_also_of_a_table() -> None:
    report = check_function(lambda x, t: x * t, lambda d, x, t: d * t, [torch.randn(4), torch.randn(4)])
    assert set(blamed(report)) == {"gradient of t"}


def test_where_nothing_is_compared_it_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one of x, got none: there is nothing to compare"):
        check_function(lambda x: x.sin(), lambda d, x: None, [torch.randn(4)])


def test_inputs_that_cannot_be_checked_are_refused() -> None:
    x = torch.randn(3)
    for inputs, message in (
        (x, "sequence of arguments, got a Tensor: give"),
        ([x.numpy()], "got input 0 as numpy array"),
        ([x.to_sparse()], "of layout torch.sparse_coo"),
        ([torch.nested.nested_tensor([x], layout=torch.jagged)], "which is nested"),
        ([x.to("meta")], "on the meta device"),
    ):
        with pytest.raises(TypeError, match=message):
            check_function(torch.sin, lambda d, x: d * x.cos(), inputs)
