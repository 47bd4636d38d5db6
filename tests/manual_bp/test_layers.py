"""Every layer against three witnesses: the law with finite differences, autograd bit for bit, and its own out=."""

from dataclasses import replace

import pytest
import torch
from cases import (
    CASES,
    DTYPES,
    FINITE_DIFFERENCE_TOLERANCE,
    ROUNDING,
    Case,
    assert_close,
    assert_equal,
    assert_identical,
    directional_derivative,
)
from torch import Tensor

from manual_bp import Layer, Linear, ReLU, Sigmoid, Tanh
from manual_bp.directions import takes_out
from manual_bp.initial import random_conv2d, random_linear, random_rnn
from manual_bp.layer import parameters
from manual_bp.training.engine.recorder import Recorder
from torch_ref import module_of

every_layer = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: str(dtype)[6:])


def passed(layer: Layer, x: Tensor) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
    """Return y, a random error of y, the error of x and the gradients."""
    y, saved = layer.forward(x)
    error = torch.randn_like(y)
    return y, error, *layer.backward(error, saved)


@every_layer
def test_law_for_the_input(case: Case) -> None:
    """⟨e, J v⟩ = ⟨backward(e), v⟩, with J v by finite differences."""
    layer, x = case.make(torch.float64), case.input(torch.float64)
    _, error, error_of_x, _ = passed(layer, x)
    for _ in range(5):
        v = torch.randn_like(x)
        jv = directional_derivative(lambda at: layer.forward(at)[0], x, v)
        assert_close((error_of_x * v).sum(), (error * jv).sum(), FINITE_DIFFERENCE_TOLERANCE, case.name)


@pytest.mark.parametrize(
    "case", [case for case in CASES if parameters(case.make(torch.float64))], ids=lambda case: case.name
)
def test_law_for_the_parameters(case: Case) -> None:
    """⟨e, J v⟩ = −⟨gradient, v⟩: gradients are +∂L/∂θ, errors are −∂L/∂q."""
    layer, x = case.make(torch.float64), case.input(torch.float64)
    _, error, _, gradients = passed(layer, x)
    assert gradients.keys() == parameters(layer).keys()
    for name, parameter in parameters(layer).items():
        v = torch.randn_like(parameter)

        def forward(at: Tensor, name: str = name) -> Tensor:
            return replace(layer, **{name: at}).forward(x)[0]

        jv = directional_derivative(forward, parameter, v)
        expected = (error * jv).sum()
        assert_close(-(gradients[name] * v).sum(), expected, FINITE_DIFFERENCE_TOLERANCE, f"{case.name}: {name}")


@pytest.mark.long(but=100)
@every_layer
@every_dtype
@pytest.mark.parametrize("rows", [1, 4, 7])
@pytest.mark.parametrize("scale", [1, 30], ids=["ordinary", "saturated"])
def test_equal_to_autograd_to_the_last_bit_or_as_a_row_says(
    case: Case, dtype: torch.dtype, rows: int, scale: int
) -> None:
    layer, x = case.make(dtype), scale * case.input(dtype, rows)
    y, error, error_of_x, gradients = passed(layer, x)

    module = module_of(layer)
    leaf = x.clone().requires_grad_()
    y_reference = module(leaf)
    y_reference.backward(-error)
    assert_equal(y, y_reference.detach(), f"{case.name}: y", exact=case.exact)
    assert_equal(error_of_x, -leaf.grad, f"{case.name}: error of x", exact=case.exact)
    for name, parameter in module.named_parameters():
        assert_equal(gradients[name], parameter.grad, f"{case.name}: gradient of {name}", exact=case.exact)


@pytest.mark.parametrize(
    "case", [case for case in CASES if takes_out(case.make(torch.float64).forward)], ids=lambda case: case.name
)
@every_dtype
def test_out_reuses_the_buffers_and_changes_no_number(case: Case, dtype: torch.dtype) -> None:
    layer = case.make(dtype)
    step = layer.forward(case.input(dtype))
    back = layer.backward(torch.randn_like(step[0]), step[1])
    x, error = case.input(dtype), torch.randn_like(step[0])
    y, saved = layer.forward(x)
    error_of_x, gradients = layer.backward(error, saved)

    y_again, saved_again = layer.forward(x, out=step)
    error_again, gradients_again = layer.backward(error, saved_again, out=back)
    assert_identical(y_again, y)
    assert_identical(error_again, error_of_x)
    assert (y_again.data_ptr(), error_again.data_ptr()) == (step[0].data_ptr(), back[0].data_ptr())
    for name, gradient in gradients.items():
        assert_identical(gradients_again[name], gradient)
        assert gradients_again[name].data_ptr() == back[1][name].data_ptr()


@pytest.mark.parametrize(
    "case", [case for case in CASES if takes_out(case.make(torch.float64).backward)], ids=lambda case: case.name
)
def test_out_may_hold_anything_and_nothing_is_allocated(case: Case) -> None:
    """A step in the tensors of an earlier one can be recorded: it makes no new tensor."""
    layer, x = case.make(torch.float64), case.input(torch.float64)
    y, error, expected, gradients = passed(layer, x)
    _, saved = layer.forward(x)
    out = torch.full_like(expected, torch.nan), {name: torch.full_like(d, torch.nan) for name, d in gradients.items()}
    room = torch.full_like(y, torch.nan)
    with Recorder() as recorder:
        step = layer.forward(x, out=(room, saved)) if takes_out(layer.forward) else (y, saved)
        again, d = layer.backward(error, step[1], out=out)
        if hasattr(layer, "gradients"):
            layer.gradients(error, step[1], out=d)
    assert recorder.obstacle is None
    assert_identical(step[0], y, "y")
    assert_identical(again, expected, "error of x")
    for name, gradient in gradients.items():
        assert_identical(d[name], gradient, name)


@every_layer
def test_inputs_come_out_unmodified_and_nothing_is_kept(case: Case) -> None:
    layer, x = case.make(torch.float64), case.input(torch.float64)
    before = {name: p.clone() for name, p in parameters(layer).items()}
    x_before, fields_before = x.clone(), dict(vars(layer))
    y, saved = layer.forward(x)
    error = torch.randn_like(y)
    y_before, error_before = y.clone(), error.clone()
    layer.backward(error, saved)
    assert_identical(x, x_before)
    assert_identical(y, y_before)
    assert_identical(error, error_before)
    for name, parameter in parameters(layer).items():
        assert_identical(parameter, before[name])
    assert vars(layer) == fields_before


@every_dtype
@pytest.mark.parametrize("n_out", [1, 2, 17, 200])
def test_one_sample_with_one_input_equals_autograd_too(n_out: int, dtype: torch.dtype) -> None:
    """There autograd multiplies in another order, which the last bit shows."""
    layer, x = Linear(torch.randn(n_out, 1, dtype=dtype)), torch.randn(1, 1, dtype=dtype)
    _, error, error_of_x, _ = passed(layer, x)
    leaf = x.clone().requires_grad_()
    module_of(layer)(leaf).backward(-error)
    assert_identical(error_of_x, -leaf.grad, "error of x")


@every_dtype
@pytest.mark.parametrize(("rows", "n_in"), [(16, 5), (5, 16), (33, 9), (1, 7), (9, 1)])
def test_the_order_of_e14_is_autograd_s_where_x_lies_in_columns(rows: int, n_in: int, dtype: torch.dtype) -> None:
    """With ``out`` too, which the answer is written into."""
    layer, x = Linear(torch.randn(6, n_in, dtype=dtype)), torch.randn(n_in, rows, dtype=dtype).t()
    y, error, error_of_x, gradients = passed(layer, x)
    leaf = x.detach().requires_grad_()
    module_of(layer)(leaf).backward(-error)
    assert_identical(error_of_x, -leaf.grad, "error of x")
    out = torch.full_like(error_of_x, torch.nan), gradients
    again, _ = layer.backward(error, layer.forward(x, out=(y, x))[1], out=out)
    assert again is out[0]
    assert_identical(again, error_of_x, "error of x in room")


@pytest.mark.parametrize(
    "case", [case for case in CASES if hasattr(case.make(torch.float64), "gradients")], ids=lambda case: case.name
)
def test_gradients_alone_are_those_of_backward(case: Case) -> None:
    layer, x = case.make(torch.float64), case.input(torch.float64)
    net, saved = layer.forward(x)
    delta = torch.randn_like(net)
    _, expected = layer.backward(delta, saved)
    alone = layer.gradients(delta, saved)
    assert alone.keys() == expected.keys()
    assert all(torch.equal(alone[name], expected[name]) for name in expected)


def test_linear_leaves_autograd_where_its_parameters_came_from() -> None:
    layer = Linear(torch.nn.Parameter(torch.randn(3, 5)), torch.nn.Parameter(torch.randn(3)))
    _, _, error_of_x, gradients = passed(layer, torch.randn(4, 5))
    computed = [layer.forward(torch.randn(4, 5))[0], error_of_x, *gradients.values()]
    assert not any(tensor.requires_grad for tensor in [*parameters(layer).values(), *computed])


def test_linear_by_plain_arithmetic() -> None:
    """E1, E12 and E14 entry by entry, in Python's own floats: a witness without tensor operations."""
    layer, x = CASES[0].make(torch.float64), CASES[0].input(torch.float64)
    net, delta, error_of_x, gradients = passed(layer, x)
    w, b, xs, ds = layer.weight.tolist(), layer.bias.tolist(), x.tolist(), delta.tolist()
    rows, ins, outs = range(4), range(5), range(3)
    expected = {
        "net": [[sum(w[i][j] * xs[n][j] for j in ins) + b[i] for i in outs] for n in rows],
        "error of x": [[sum(w[k][j] * ds[n][k] for k in outs) for j in ins] for n in rows],
        "weight": [[-sum(ds[n][i] * xs[n][j] for n in rows) for j in ins] for i in outs],
        "bias": [-sum(ds[n][i] for n in rows) for i in outs],
    }
    for name, got in {"net": net, "error of x": error_of_x, **gradients}.items():
        assert_close(got, torch.tensor(expected[name], dtype=torch.float64), ROUNDING, name)


def test_sigmoid_is_the_lecture_s_formula() -> None:
    """E3 as it is written, to 4 ulp: torch.sigmoid has an exp of its own."""
    z = torch.linspace(-30, 30, 1001, dtype=torch.float64)
    x, _ = Sigmoid().forward(z)
    assert ((x - 1 / (1 + torch.exp(-z))).abs() <= 4 * torch.finfo(z.dtype).eps * x).all()


def test_relu_takes_the_subgradient_zero_at_its_kink() -> None:
    x, saved = ReLU().forward(torch.tensor([[-1.0, 0.0, 2.0]]))
    delta, _ = ReLU().backward(torch.tensor([[5.0, 5.0, 5.0]]), saved)
    assert x.tolist() == [[0, 0, 2]]
    assert delta.tolist() == [[0, 0, 5]]


@every_dtype
@pytest.mark.parametrize("bias", [True, False])
def test_initialisation_is_that_of_nn_linear(dtype: torch.dtype, bias: bool) -> None:
    for n_in, n_out in [(1, 1), (2, 3), (784, 30), (7, 5)]:
        torch.manual_seed(5)
        reference = torch.nn.Linear(n_in, n_out, bias=bias, dtype=dtype)
        mine = random_linear(n_in, n_out, bias=bias, dtype=dtype, generator=torch.Generator().manual_seed(5))
        assert_identical(mine.weight, reference.weight.detach())
        if bias:
            assert_identical(mine.bias, reference.bias.detach())


@every_dtype
@pytest.mark.parametrize("bias", [True, False])
def test_initialisation_is_that_of_nn_conv2d(dtype: torch.dtype, bias: bool) -> None:
    torch.manual_seed(5)
    reference = torch.nn.Conv2d(3, 4, (5, 2), bias=bias, dtype=dtype)
    mine = random_conv2d(3, 4, (5, 2), bias=bias, dtype=dtype, generator=torch.Generator().manual_seed(5))
    for name, parameter in reference.named_parameters():
        assert_identical(parameters(mine)[name], parameter.detach(), name)


@every_dtype
def test_initialisation_is_that_of_nn_rnn(dtype: torch.dtype) -> None:
    torch.manual_seed(5)
    reference = torch.nn.RNN(3, 4, dtype=dtype)
    mine = random_rnn(3, 4, dtype=dtype, generator=torch.Generator().manual_seed(5))
    for name, parameter in reference.named_parameters():
        assert_identical(parameters(mine)[name], parameter.detach(), name)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (torch.zeros(64, 1, 28, 28), ValueError, r"Linear expects x of shape \(N, 5\), got \(64, 1, 28, 28\)"),
        (torch.zeros(4, 6), ValueError, r"Linear expects x of shape \(N, 5\), got \(4, 6\)"),
        (torch.zeros(5), ValueError, r"Linear expects x of shape \(N, 5\), got \(5,\)"),
        (torch.zeros(0, 5), ValueError, r"Linear expects x with at least one row, got an empty batch \(0, 5\)"),
        (
            torch.zeros(4, 5, dtype=torch.float64),
            TypeError,
            "Linear expects x of dtype torch.float32, got torch.float64",
        ),
        (torch.zeros(4, 5, dtype=torch.uint8), TypeError, "Linear expects x of dtype torch.float32, got torch.uint8"),
        (torch.zeros(4, 5, device="meta"), ValueError, "Linear expects x on device cpu, got meta"),
        ([[1.0] * 5], TypeError, "Linear expects x as a torch.Tensor, got list"),
    ],
)
def test_linear_names_wrong_input(x: Tensor, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        CASES[0].make(torch.float32).forward(x)


@pytest.mark.parametrize(
    ("weight", "bias", "error", "message"),
    [
        (
            torch.zeros(3),
            None,
            ValueError,
            r"Linear expects a weight of shape \(n_out, n_in\), each at least 1, got \(3,\)",
        ),
        (torch.zeros(3, 0), None, ValueError, r"each at least 1, got \(3, 0\)"),
        (torch.zeros(3, 2, dtype=torch.int64), None, TypeError, "floating-point weight, got torch.int64"),
        (torch.zeros(3, 2), torch.zeros(2), ValueError, r"Linear expects a bias of shape \(3,\), got \(2,\)"),
        (torch.zeros(3, 2), torch.zeros(3).double(), TypeError, "bias of dtype torch.float32, got torch.float64"),
        ("W", None, ValueError, "got str"),
    ],
)
def test_linear_names_wrong_parameters(weight: Tensor, bias: Tensor, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Linear(weight, bias)


@pytest.mark.parametrize(
    "layer", [CASES[0].make(torch.float32), Sigmoid(), Tanh(), ReLU()], ids=lambda l: type(l).__name__
)
def test_an_error_of_another_shape_never_broadcasts(layer: Layer) -> None:
    y, saved = layer.forward(torch.randn(4, 5))
    name = type(layer).__name__
    with pytest.raises(ValueError, match=rf"{name} expects the error of \w+ of shape .* got \({y.shape[1]},\)"):
        layer.backward(torch.randn(y.shape[1]), saved)
