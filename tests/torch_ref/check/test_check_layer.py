"""One layer of the protocol against a module or a function: whatever it does becomes a verdict."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from cases import CASES, Scale, blamed
from torch import Tensor, nn

from manual_bp import Linear, Network, SquaredError, Tanh
from torch_ref import (
    check_layer,
    check_module,
    crosscheck,
    module_of,
)
from torch_ref.check.reading import named, shapes
from torch_ref.known.faults import FAULTS


@pytest.mark.long(but=13)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_right_layers_pass_against_their_modules(case, dtype: torch.dtype) -> None:
    layer, x = case.make(dtype), case.input(dtype)
    report = check_layer(layer, x, module_of(layer))
    assert report.identical or (report.ok and not case.exact), str(report)
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
    assert re.search(r"Linear\.gradients at .*faults\.py:\d+\.", " ".join(report.verdict.split()))


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
        if self.what == "rows":
            return 2 * error[:3], {}
        if self.what == "dtype":
            return 2 * error.double(), {}
        if self.what == "device":
            return 2 * error.to("meta"), {}
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
        ("rows", "error of x", "it is of shape (3, 5), expected (4, 5)"),
        ("dtype", "error of x", "it is of dtype torch.float64, expected torch.float32"),
        ("device", "error of x", "it is on device meta, expected cpu"),
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


class DoubledGradient(torch.autograd.Function):
    """sin with twice 1 for its derivative."""

    @staticmethod
    def forward(ctx, x):
        return torch.sin(x)

    @staticmethod
    def backward(ctx, d_y):
        return 2 * d_y


@dataclass(frozen=True)
class Sine:
    derivative: Callable[[Tensor], Tensor]

    def forward(self, x, out=None):
        return torch.sin(x), x

    def backward(self, error, saved, out=None):
        return error * self.derivative(saved), {}


def test_agreement_on_a_wrong_derivative_is_no_proof() -> None:
    """Both backward passes are wrong in the same way: the finite differences of the forward formula tell."""
    twice = Sine(lambda x: torch.full_like(x, 2.0))
    report = check_layer(twice, torch.randn(4, 5).double(), DoubledGradient.apply)
    assert report.guilty[0].blame == "both"
    assert "finite differences" in report.verdict


@pytest.mark.parametrize(
    ("derivative", "blame"),
    [(torch.cos, "reference"), (lambda x: 3 * torch.cos(x), "by hand"), (lambda x: torch.zeros_like(x), "by hand")],
    ids=["right", "also wrong", "zeros"],
)
def test_a_wrong_reference_is_told_from_a_wrong_backward(derivative, blame: str) -> None:
    """Only a backward formula that the reference's own slopes confirm makes it the reference's fault."""
    report = check_layer(Sine(derivative), torch.randn(4, 5).double(), DoubledGradient.apply)
    assert [row.blame for row in report.guilty] == [blame]
    who = "Wrong in the reference" if blame == "reference" else "Wrong"
    assert report.verdict.startswith(f"{who}: error of x")


def test_a_reference_that_is_right_is_not_blamed() -> None:
    report = check_layer(Sine(lambda x: 1.0005 * torch.cos(x)), torch.randn(4, 5).double(), torch.sin)
    assert [row.blame for row in report.guilty] == ["by hand"]


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
    with pytest.raises(ValueError, match=r"of Linear\(weight \(3, 5\)\), got Linear with weight \(3, 5\), bias \(3,\)"):
        check_layer(layer, x, nn.Linear(5, 3))  # which has a bias


@dataclass(frozen=True)
class LayerNorm:
    """A dataclass with the repr that Python gives it: all the numbers."""

    gain: Tensor
    shift: Tensor

    def forward(self, x, out=None):
        return x * self.gain + self.shift, x

    def backward(self, error, saved, out=None):
        return error * self.gain, {"gain": -(error * saved).sum(0), "shift": -error.sum(0)}


def test_a_layer_is_named_by_type_and_shapes_never_by_its_numbers() -> None:
    layer = LayerNorm(torch.randn(5), torch.randn(5))
    with pytest.raises(ValueError, match="the parameters of") as caught:
        check_layer(layer, torch.randn(4, 5), nn.LayerNorm(5))
    assert str(caught.value) == (
        "check_layer expects a reference with the parameters of LayerNorm(gain (5,), shift (5,)), "
        "got LayerNorm with weight (5,), bias (5,)"
    )
    network = Network((Linear(torch.randn(5, 5)), layer), SquaredError())
    with pytest.raises(ValueError, match="at position 1") as caught:
        check_module(network, nn.Sequential(nn.Linear(5, 5, bias=False), nn.LayerNorm(5)))
    assert "LayerNorm(gain (5,), shift (5,)), got weight (5,), bias (5,)" in str(caught.value)
    with pytest.raises(ValueError, match="expects a ReLU in layer 2, got") as caught:
        FAULTS["relu-error-no-mask"].plant(network, 2)
    assert "tensor" not in str(caught.value)
    assert named(Tanh(), {}) == "Tanh()"
    assert shapes({}) == "no parameters"


@pytest.mark.parametrize("method", ["forward", "backward"])
def test_a_layer_that_puts_another_tensor_in_the_place_of_its_parameter_is_blamed(method: str) -> None:
    class Updating:
        def __init__(self) -> None:
            self.a = torch.ones(5)

        def forward(self, x):
            if method == "forward":
                self.a = self.a * 1
            return self.a * x, x

        def backward(self, error, saved):
            returned = self.a * error, {"a": -(error * saved).sum(0)}
            if method == "backward":
                self.a = self.a - returned[1]["a"]
            return returned

    layer, x = Updating(), torch.randn(4, 5)
    before = layer.a
    report = check_layer(layer, x, lambda x, a: a * x)
    first = report.guilty[0]
    assert (first.method, first.code) == (method, "changes-input")
    assert first.cause == "puts another tensor in the place of a"
    assert layer.a is before


def test_what_is_no_layer_or_no_reference_is_named() -> None:
    x = torch.randn(4, 5)
    for layer, got in ((x, "a Tensor"), (Tanh, "<class 'manual_bp.activation.Tanh'>")):
        with pytest.raises(TypeError, match=f"check_layer expects a layer with forward and backward, got {got}"):
            check_layer(layer, x, torch.tanh)
    with pytest.raises(TypeError, match="check_layer expects a reference that can be called, got a Tensor"):
        check_layer(Tanh(), x, torch.tanh(x))


def test_a_layer_that_kept_its_input_before_the_check_is_named() -> None:
    class Keeping:
        def forward(self, x):
            self.x = x
            return torch.tanh(x), None

        def backward(self, error, saved):
            return error * (1 - torch.tanh(self.x) ** 2), {}

    layer, x = Keeping(), torch.randn(4, 5)
    assert check_layer(layer, x, torch.tanh).ok
    layer.forward(x)
    with pytest.raises(
        ValueError, match=r"names other than x, the input's, got Keeping\(x \(4, 5\)\). What a layer keeps"
    ):
        check_layer(layer, x, torch.tanh)
    module_of.register(Keeping, lambda layer: nn.Tanh())
    with pytest.raises(ValueError, match="a check expects parameters with names other than x"):
        crosscheck(Network((layer, Linear(torch.randn(3, 5))), SquaredError()), x, torch.randn(4, 3))


class Buffered(Linear):
    """A linear layer of which one method does not fill what it is given."""

    wrong = ""

    def forward(self, x, out=None):
        if self.wrong == "forward" and out:
            return out
        return super().forward(x, out=out)

    def backward(self, error, saved, out=None):
        if self.wrong == "backward" and out:
            return out[0], super().backward(error, saved)[1]
        return super().backward(error, saved, out=out)

    def gradients(self, error, saved, out=None):
        d = super().gradients(error, saved)
        return {name: g + out[name] for name, g in d.items()} if self.wrong == "gradients" and out else d


@pytest.mark.parametrize(
    ("wrong", "guilty"),
    [("", set()), ("forward", {"y"}), ("backward", {"error of x"}), ("gradients", {"∂L/∂weight", "∂L/∂bias"})],
)
def test_a_layer_has_to_fill_the_tensors_of_another_batch(wrong: str, guilty: set[str]) -> None:
    kind = type("Buffered", (Buffered,), {"wrong": wrong})
    layer = kind(torch.randn(3, 5), torch.randn(3))
    report = check_layer(layer, torch.randn(4, 5), nn.functional.linear)
    assert {row.quantity for row in report.guilty} >= guilty
    assert report.ok == (not guilty)
    assert all("with out=" in row.cause for row in report.guilty)
