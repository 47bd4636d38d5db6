"""The checks for other people's code: a layer, a pair of functions, an autograd Function, a module."""

import re
from dataclasses import dataclass

import pytest
import torch
from cases import CASES, Scale
from torch import Tensor, nn

from manual_bp import Linear, Network, ReLU, Sigmoid, SoftmaxCrossEntropy, SquaredError, Tanh, mlp
from torch_ref import (
    GradientMismatchError,
    Report,
    assert_gradients_match,
    check_autograd_function,
    check_function,
    check_layer,
    check_module,
    crosscheck,
    module_of,
)
from torch_ref.faults import FAULTS


def blamed(report: Report) -> dict[str, str]:
    return {row.quantity: row.cause for row in report.guilty}


# ------------------------------------------------------------------------------------------------------- check_layer


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_right_layers_pass_against_their_modules(case, dtype: torch.dtype) -> None:
    layer, x = case.make(dtype), case.input(dtype)
    report = check_layer(layer, x, module_of(layer))
    assert report.identical, str(report)
    assert all(row.differences is not None for row in report.rows if row.quantity != "y")


def test_a_layer_against_a_function_at_its_own_parameters() -> None:
    layer, x = Linear(torch.randn(3, 5), torch.randn(3)), torch.randn(4, 5)
    assert check_layer(layer, x, nn.functional.linear).ok
    assert check_layer(layer, x, nn.Linear(5, 3)).ok, "the module's own parameters must not matter"
    assert check_layer(Scale(torch.randn(5)), x, lambda x, a: a * x).ok
    wrong = check_layer(layer, x, lambda x, weight, bias: nn.functional.linear(x, weight))
    assert blamed(wrong)["y"] != ""
    assert "y" in wrong.verdict


def test_a_layer_s_fault_is_named_with_its_source() -> None:
    layer = Linear(torch.randn(3, 5), torch.randn(3))
    good = Network((layer, Tanh()), SquaredError())
    planted = FAULTS["linear-bias-twice"].plant(good, 1).layers[0]
    report = check_layer(planted, torch.randn(4, 5), nn.functional.linear)
    assert blamed(report) == {"∂L/∂bias": "a factor of 2"}
    assert re.search(r"FaultyLinear\.gradients at .*fault\.py:\d+\.", " ".join(report.verdict.split()))


@dataclass(frozen=True)
class Broken:
    what: str

    def forward(self, x, out=None):
        if self.what == "forward raises":
            raise IndexError("no such unit")
        return x if self.what == "no pair" else (2 * x, x)

    def backward(self, error, saved, out=None):
        if self.what == "backward raises":
            raise IndexError("no such unit")
        if self.what == "shape":
            return 2 * error[:1], {}
        if self.what == "dtype":
            return 2 * error.double(), {}
        if self.what == "None":
            return None, {}
        if self.what == "NaN":
            return error / 0 * 0, {}
        return error.mul_(2), {}


@pytest.mark.parametrize(
    ("what", "quantity", "cause"),
    [
        ("forward raises", "y", "raises IndexError: no such unit"),
        ("no pair", "y", "gives a Tensor where forward(x) -> (y, saved) is expected"),
        ("backward raises", "error of x", "raises IndexError: no such unit"),
        ("shape", "error of x", "it is of shape (1, 5), expected (4, 5)"),
        ("dtype", "error of x", "it is of dtype torch.float64, expected torch.float32"),
        ("None", "error of x", "gives None where backward(error, saved) -> (error of x, gradients) is expected"),
        ("NaN", "error of x", "NaN appears here first"),
        ("in place", "error of x", "changes error in place"),
    ],
)
def test_whatever_a_layer_does_becomes_a_verdict(what: str, quantity: str, cause: str) -> None:
    x = torch.randn(4, 5)
    before = x.clone()
    report = check_layer(Broken(what), x, lambda x: 2 * x)
    assert blamed(report)[quantity] == cause
    assert not report.ok
    assert torch.equal(x, before)
    assert str(report)


def test_agreement_on_a_wrong_derivative_is_no_proof() -> None:
    """Both backward passes are wrong in the same way: the finite differences of the forward formula tell."""

    class DoubledGradient(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return torch.sin(x)

        @staticmethod
        def backward(ctx, d_y):
            return 2 * d_y

    @dataclass(frozen=True)
    class Sine:
        def forward(self, x, out=None):
            return torch.sin(x), x

        def backward(self, error, saved, out=None):
            return 2 * error, {}

    report = check_layer(Sine(), torch.randn(4, 5).double(), DoubledGradient.apply)
    assert report.guilty[0].blame == "both"
    assert "finite differences" in report.verdict


def test_a_wrong_reference_is_told_from_a_wrong_backward() -> None:
    class WrongSine(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return torch.sin(x)

        @staticmethod
        def backward(ctx, d_y):
            return 2 * d_y

    @dataclass(frozen=True)
    class Sine:
        def forward(self, x, out=None):
            return torch.sin(x), x

        def backward(self, error, saved, out=None):
            return error * torch.cos(saved), {}

    report = check_layer(Sine(), torch.randn(4, 5).double(), WrongSine.apply)
    assert [row.blame for row in report.guilty] == ["reference"]
    assert report.verdict.startswith("The reference is wrong: error of x")


def test_a_wrong_forward_with_its_own_derivative_is_one_fault() -> None:
    """tanh for sigmoid in both directions: the forward formula is wrong, the backward formula follows it."""
    report = check_layer(Tanh(), torch.randn(4, 5), torch.sigmoid)
    assert list(blamed(report)) == ["y"]
    assert [row.quantity for row in report.consequences] == ["error of x"]


def test_check_layer_names_wrong_input() -> None:
    layer, x = Linear(torch.randn(3, 5)), torch.randn(4, 5)
    with pytest.raises(TypeError, match=r"check_layer expects x as a floating-point torch\.Tensor, got list"):
        check_layer(layer, [1.0], nn.functional.linear)
    with pytest.raises(TypeError, match=r"floating-point torch.Tensor, got torch\.int64"):
        check_layer(layer, torch.ones(4, 5).long(), nn.functional.linear)
    with pytest.raises(ValueError, match=r"the error of y of shape \(4, 3\), got \(3,\)"):
        check_layer(layer, x, nn.functional.linear, error=torch.ones(3))
    with pytest.raises(ValueError, match=r"a reference with the parameters of Linear.*'weight': \(3, 5\).*got"):
        check_layer(layer, x, nn.Linear(5, 3))  # which has a bias


# ---------------------------------------------------------------------------------------------------- check_function


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
        (lambda d, x, w, b: (d @ w, d.t() @ x / 4, d.sum(0)), "w", "a factor of 1/N"),
        (lambda d, x, w, b: (d @ w, d.t() @ x, d[0]), "b", "one sample only (the first)"),
        (lambda d, x, w, b: (-d @ w, d.t() @ x, d.sum(0)), "x", "the sign is wrong"),
        (lambda d, x, w, b: (d @ w, d.t() @ x, None), "b", "gives None where a tensor is expected"),
        (lambda d, x, w, b: (d @ w, d.t() @ x), "b", "gives a tuple of 2, which has nothing for it"),
        (lambda d, x, w, b: (d @ w, d.t() @ x, d.sum(0, keepdim=True)), "b", "it is of shape (1, 3), expected (3,)"),
    ],
)
def test_a_wrong_backward_is_named(arguments, wrong, quantity: str, cause: str) -> None:
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


def test_a_tolerance_by_dtype_takes_the_place_of_the_reference_s_own_error() -> None:
    inputs = [torch.randn(4, 5)]

    def nearly(d_y, x):
        return 3 * d_y * x**2 * (1 + 1e-4)

    assert not check_function(lambda x: x**3, nearly, inputs).ok
    assert check_function(lambda x: x**3, nearly, inputs, tolerance={torch.float32: 1e-3}).ok
    assert not check_function(lambda x: x**3, nearly, inputs, tolerance={torch.float64: 1e-3}).ok


# ------------------------------------------------------------------------------------------- check_autograd_function


class Product(torch.autograd.Function):
    """x w with what can go wrong: ``wrong`` chooses."""

    wrong = ""

    @staticmethod
    def forward(ctx, x, w, k=1.0):
        ctx.save_for_backward(x, w)
        ctx.k = k
        if Product.wrong == "strides":
            x = torch.as_strided(x, x.shape, (x.shape[1], 1))
        return k * x * w, x.sum(1)

    @staticmethod
    def backward(ctx, d_y, d_s):
        x, w = ctx.saved_tensors
        if Product.wrong == "upstream strides":
            d_y = torch.as_strided(d_y, d_y.shape, (d_y.shape[1], 1))
        if Product.wrong == "needs":
            d_w = (ctx.k * d_y * x).sum(0) if ctx.needs_input_grad[0] else torch.zeros_like(w)
            return ctx.k * d_y * w + d_s[:, None], d_w, None
        if Product.wrong == "second output":
            return ctx.k * d_y * w, (ctx.k * d_y * x).sum(0), None
        return ctx.k * d_y * w + d_s[:, None], (ctx.k * d_y * x).sum(0), None


def product(x: Tensor, w: Tensor, k: float = 1.0) -> tuple[Tensor, Tensor]:
    return k * x * w, x.sum(1)


@pytest.mark.parametrize(
    ("wrong", "quantity", "cause"),
    [
        ("strides", "output 0", "wrong for inputs that are not contiguous"),
        ("upstream strides", "gradient of x", "wrong for upstream gradients that are not contiguous"),
        ("needs", "gradient of w", "wrong where only w needs a gradient"),
        ("second output", "gradient of x", ""),
    ],
)
def test_what_must_not_matter_to_an_autograd_function(monkeypatch, wrong: str, quantity: str, cause: str) -> None:
    inputs = [torch.randn(4, 5), torch.randn(5), 2.0]
    assert check_autograd_function(Product, inputs, product).ok
    monkeypatch.setattr(Product, "wrong", wrong)
    report = check_autograd_function(Product, inputs, product)
    assert blamed(report)[quantity].startswith(cause)


def test_a_variant_that_the_reference_cannot_take_is_left_out() -> None:
    """With one row for all, a matrix is singular and a spread is zero: that is no fault of the Function."""

    class Inverse(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = torch.linalg.inv(x)
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, d_y):
            (y,) = ctx.saved_tensors
            return -y.t() @ d_y @ y.t()

    class Spread(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x.std(0)
            ctx.save_for_backward(x, y)
            return y

        @staticmethod
        def backward(ctx, d_y):
            x, y = ctx.saved_tensors
            return d_y * (x - x.mean(0)) / y / (len(x) - 1)

    x = torch.eye(4).double() + 0.1 * torch.randn(4, 4).double()
    assert check_autograd_function(Inverse, [x], torch.linalg.inv).ok
    assert check_autograd_function(Spread, [x], lambda x: x.std(0)).ok


def test_numbers_without_dimensions_are_inputs_too() -> None:
    class Times(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, k):
            ctx.save_for_backward(x, k)
            return x * k

        @staticmethod
        def backward(ctx, d_y):
            x, k = ctx.saved_tensors
            return d_y * k, (d_y * x).sum()

    assert check_autograd_function(Times, [torch.randn(3), torch.tensor(2.0)], lambda x, k: x * k).ok


def test_only_inputs_that_require_a_gradient_are_differentiated() -> None:
    x, w = torch.randn(4, 5), torch.randn(5, requires_grad=True)
    report = check_autograd_function(Product, [x, w], product)
    assert [row.quantity for row in report.rows] == ["output 0", "output 1", "gradient of w"]
    assert report.ok


def test_torch_s_gradcheck_has_the_last_word() -> None:
    """Undefined upstream gradients are its business: a Function that does not materialise them must cope."""

    class Fussy(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return 2 * x, 3 * x

        @staticmethod
        def backward(ctx, d_a, d_b):
            return 2 * d_a + 3 * d_b

    report = check_autograd_function(Fussy, [torch.randn(4, 5)], lambda x: (2 * x, 3 * x))
    assert not report.ok
    assert "gradcheck" in report.verdict


def test_a_kernel_for_float32_only_is_checked_against_float64() -> None:
    class OnlyFloat(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            if x.dtype != torch.float32:
                raise TypeError("float32 only")
            ctx.save_for_backward(x)
            return torch.exp(x)

        @staticmethod
        def backward(ctx, d_y):
            (x,) = ctx.saved_tensors
            return d_y * torch.exp(x) * OnlyFloat.factor

    OnlyFloat.factor = 1
    report = check_autograd_function(OnlyFloat, [torch.randn(4, 5)], torch.exp)
    assert report.ok
    assert report.rows[1].differences is None, "it has no float64, so no finite differences"
    OnlyFloat.factor = 1.0005
    assert blamed(check_autograd_function(OnlyFloat, [torch.randn(4, 5)], torch.exp)) == {
        "gradient of x": "a constant factor of 1.0005"
    }


def test_each_of_several_outputs_is_explained_by_itself() -> None:
    class Two(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return torch.exp(x), 2 * torch.sin(x)

        @staticmethod
        def backward(ctx, d_e, d_s):
            (x,) = ctx.saved_tensors
            return d_e * torch.exp(x) + d_s * torch.cos(x)

    report = check_autograd_function(Two, [torch.randn(4, 5)], lambda x: (torch.exp(x), torch.sin(x)))
    assert blamed(report) == {"output 1": "a factor of 2"}


def test_something_else_than_a_function_is_named() -> None:
    with pytest.raises(TypeError, match=r"a subclass of torch\.autograd\.Function, got exp"):
        check_autograd_function(torch.exp, [torch.ones(2)], torch.exp)


# ------------------------------------------------------------------------------------------------------ check_module


def test_a_network_against_a_module_at_the_module_s_parameters() -> None:
    network = mlp([5, 4, 3], activation=Tanh(), loss=SoftmaxCrossEntropy())
    before = network.state_dict()
    module = nn.Sequential(nn.Sequential(nn.Linear(5, 4), nn.Tanh()), nn.Identity(), nn.Linear(4, 3))
    report = check_module(network, module)
    assert report.identical, str(report)
    assert all(torch.equal(p, before[name]) for name, p in network.parameters().items())
    x, t = torch.randn(7, 5), torch.arange(7) % 3
    assert check_module(network, module, x, t).batch == 7
    other = check_module(network, nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)), x, t)
    assert list(blamed(other)) == ["x^1"]
    assert "the reference is another function" in other.verdict


def test_a_module_that_does_not_correspond_is_named() -> None:
    network = mlp([5, 4, 3], activation=ReLU(), loss=SoftmaxCrossEntropy())
    with pytest.raises(ValueError, match=r"one module for each layer of \['Linear', 'ReLU', 'Linear'\], got \['Linear"):
        check_module(network, nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3), nn.Softmax(1)))
    with pytest.raises(ValueError, match=r"Linear at position 2 .*\(3, 4\).* got .*\(2, 4\)"):
        check_module(network, nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2)))

    class Otherwise(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return -self.c(self.b(self.a(x)))

    with pytest.raises(ValueError, match="computes Linear → ReLU → Linear one after the other, but its output"):
        check_module(network, Otherwise())


# --------------------------------------------------------------------------------------------------------- assertion


def test_assert_gradients_match_raises_verdict_and_table() -> None:
    good = mlp([5, 4, 3])
    x, t = torch.randn(4, 5), torch.rand(4, 3)
    assert_gradients_match(crosscheck(good, x, t))
    with pytest.raises(GradientMismatchError) as caught:
        assert_gradients_match(crosscheck(FAULTS["sigmoid-error-no-slope"].plant(good, 1), x, t))
    assert isinstance(caught.value, AssertionError)
    assert caught.value.report.guilty[0].quantity == "δ^1"
    assert "σ′ is missing" in str(caught.value)
    assert "GUILTY" in str(caught.value)
    with pytest.raises(TypeError, match=r"expects the Report of a check .* got bool"):
        assert_gradients_match(True)


def test_the_user_story_a_six_layer_pass_with_one_wrong_formula() -> None:
    """A hand-written pass of six layers whose fourth has σ′ of the wrong quantity: found by name, in one call."""

    @dataclass(frozen=True)
    class MySigmoid(Sigmoid):
        def backward(self, error, saved, out=None):
            x = saved
            return error * torch.sigmoid(x) * (1 - torch.sigmoid(x)), {}

    good = mlp([20, 30, 25, 20, 15, 12, 10], dtype=torch.float32)
    layers = list(good.layers)
    layers[7] = MySigmoid()
    report = crosscheck(Network(tuple(layers), good.loss_function), torch.randn(32, 20), torch.arange(32) % 10)
    (row,) = report.guilty
    assert (row.quantity, row.formula, row.of.layer, row.method) == ("δ^4", "E16", 4, "backward")
    assert row.cause == "σ′ of the wrong quantity: σ′(x) for σ′(net)"
    assert re.search(r"test_checks\.py:\d+", row.source)
    first, second, *_ = report.verdict.splitlines()
    assert first.startswith("Wrong: δ^4 = σ′(net^4) e^4, σ′ = x^4 (1 − x^4) (E16), layer 4, MySigmoid.backward at ")
    assert second == "Likely cause: σ′ of the wrong quantity: σ′(x) for σ′(net)."
