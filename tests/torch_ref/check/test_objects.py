"""Objects that keep input, parameters and gradients on themselves: the four layouts of tutorials, right and wrong."""

import copy
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from cases import blamed
from torch import Tensor, nn

from torch_ref import check_function, functions_of

RNG = np.random.default_rng(0)


def of_numpy(*shape: int) -> Any:
    return RNG.standard_normal(shape)


def of_float32(*shape: int) -> Any:
    return of_numpy(*shape).astype(np.float32)


def of_torch(*shape: int) -> Any:
    return torch.randn(*shape)


KINDS = pytest.mark.parametrize("draw", [of_torch, of_numpy, of_float32])


class Dense:
    """It keeps x, and sets dW and db."""

    def __init__(self, draw: Any, wrong: str = "") -> None:
        self.W, self.b, self.wrong = draw(3, 4), draw(4), wrong

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.W + self.b

    def backward(self, d: Any) -> Any:
        self.dW = self.x.T @ d
        self.db = d.mean(0) if self.wrong else d.sum(0)
        return d @ self.W.T


class Updating(Dense):
    """It updates itself, and the gradients are never seen."""

    def backward(self, grad: Any, learning_rate: float) -> Any:
        if self.wrong == "late":
            self.W -= learning_rate * self.x.T @ grad
        d_x = grad @ self.W.T
        if self.wrong != "late":
            self.W -= learning_rate * self.x.T @ grad
        self.b = self.b - learning_rate * (grad.mean(0) if self.wrong == "mean" else grad.sum(0))
        return d_x


class WithRate(Updating):
    def __init__(self, draw: Any, wrong: str = "") -> None:
        super().__init__(draw, wrong)
        self.lr = 0.1

    def backward(self, grad: Any) -> Any:
        return super().backward(grad, self.lr)


class TwoLayers:
    """A dict of parameters, and a dict of gradients."""

    def __init__(self, draw: Any, wrong: str = "") -> None:
        self.params = {"W1": draw(3, 5), "b1": draw(5), "W2": draw(5, 2), "b2": draw(2)}
        self.wrong, self.tanh = wrong, torch.tanh if draw is of_torch else np.tanh

    def loss(self, x: Any, y: Any) -> Any:
        self.h = self.tanh(x @ self.params["W1"] + self.params["b1"])
        self.out = self.h @ self.params["W2"] + self.params["b2"]
        return ((self.out - y) ** 2).sum() / 2

    def backward(self, x: Any, y: Any) -> None:
        d = self.out - y
        d_h = d @ self.params["W2"].T * (1 - self.h**2)
        self.grads = {"W2": self.h.T @ d, "b2": d.sum(0), "W1": x.T @ d_h, "b1": d_h.sum(0)}
        if self.wrong:
            self.grads["b1"] = d_h.mean(0)


def sigmoid(z: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-z))


class PerSample:
    """Lists of weights and biases, and one sample as a column."""

    def __init__(self, sizes: list[int], wrong: str = "") -> None:
        self.biases = [of_numpy(n, 1) for n in sizes[1:]]
        self.weights = [of_numpy(n, m) for m, n in pairwise(sizes)]
        self.wrong = wrong

    def feedforward(self, a: Any) -> Any:
        for b, w in zip(self.biases, self.weights, strict=True):
            a = sigmoid(np.dot(w, a) + b)
        return a

    def backprop(self, x: Any, y: Any) -> Any:
        activations = [x]
        for b, w in zip(self.biases, self.weights, strict=True):
            activations.append(sigmoid(np.dot(w, activations[-1]) + b))
        nabla_b, nabla_w = [np.zeros(b.shape) for b in self.biases], [np.zeros(w.shape) for w in self.weights]
        delta = activations[-1] - y
        for l in range(1, len(self.weights) + 1):
            a = activations[-l]
            delta = (delta if l == 1 else np.dot(self.weights[-l + 1].T, delta)) * a * (1 - a)
            nabla_b[-l], nabla_w[-l] = delta, np.dot(delta, activations[-l - 1].T)
        return (nabla_w, nabla_b) if self.wrong else (nabla_b, nabla_w)


@KINDS
def test_a_layer_that_sets_its_gradients(draw: Any) -> None:
    layer, x = Dense(draw), draw(6, 3)
    report = check_function(*functions_of(layer, x, {"W": "dW", "b": "db"}))
    assert report.outcome == "right", str(report)
    assert [row.quantity for row in report.rows] == ["output", "gradient of x", "gradient of W", "gradient of b"]
    assert "x" not in vars(layer), "it stays as it is"
    report = check_function(*functions_of(Dense(draw, "mean"), x, {"W": "dW", "b": "db"}))
    assert blamed(report) == {"gradient of b": "a factor of 1/N"}
    assert report.verdict.startswith("Wrong: gradient of b, backward at tests/torch_ref/check/test_objects.py:")


@KINDS
@pytest.mark.parametrize(("kind", "rate"), [(Updating, None), (WithRate, "lr")])
def test_a_layer_that_updates_itself(draw: Any, kind: Any, rate: str | None) -> None:
    layer, x = kind(draw), draw(6, 3)
    before = copy.deepcopy(vars(layer))
    report = check_function(*functions_of(layer, x, updated=("W", "b"), rate=rate))
    assert report.outcome == "right", str(report)
    assert (before["W"] == layer.W).all()
    assert vars(layer).keys() == before.keys()
    assert report.power.factor < 1e-5
    mean = check_function(*functions_of(kind(draw, "mean"), x, updated=("W", "b"), rate=rate))
    assert blamed(mean) == {"gradient of b": "a factor of 1/N"}
    late = check_function(*functions_of(kind(draw, "late"), x, updated=("W", "b"), rate=rate))
    assert list(blamed(late)) == ["gradient of x"], "the weights were new already"


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e4])
def test_how_exact_a_gradient_is_that_is_read_from_an_update(size: float) -> None:
    layer, x = Updating(of_float32), of_float32(6, 3)
    layer.W *= np.float32(1e3)
    forward, backward, inputs = functions_of(layer, x, updated=("W", "b"))
    d = np.float32(size) * of_float32(6, 4)
    found, right = backward(d, **inputs)["W"], x.astype(float).T @ d.astype(float)
    unit = np.finfo(np.float32).eps
    assert (np.abs(found - right) <= 8 * unit * np.abs(x).T @ np.abs(d) + unit * np.abs(layer.W) / 2**20).all()
    assert check_function(forward, backward, inputs, upstream=torch.from_numpy(d)).ok


@KINDS
def test_a_network_with_dicts_of_parameters_and_gradients(draw: Any) -> None:
    x, y = draw(6, 3), draw(6, 2)
    report = check_function(*functions_of(TwoLayers(draw), [x, y], {"params": "grads"}, forward="loss"))
    assert report.ok, str(report)
    assert [name for name, _ in report.not_compared] == ["gradient of x", "gradient of y"]
    assert report.remarks == (), "a loss that takes no upstream gradient ignores none"
    report = check_function(*functions_of(TwoLayers(draw, "mean"), [x, y], {"params": "grads"}, forward="loss"))
    assert list(blamed(report)) == ["gradient of params['b1']"]


def test_a_network_of_one_sample_that_returns_lists() -> None:
    def cost(net: PerSample, x: Any, y: Any) -> Any:
        return ((net.feedforward(x) - y) ** 2).sum() / 2

    x, y, lists = of_numpy(4, 1), of_numpy(3, 1), ("biases", "weights")
    report = check_function(
        *functions_of(PerSample([4, 5, 3]), [x, y], returned=lists, forward=cost, backward="backprop")
    )
    assert report.ok, str(report)
    assert "gradient of weights[1]" in [row.quantity for row in report.rows]
    swapped = PerSample([4, 5, 3], "swapped")
    report = check_function(*functions_of(swapped, [x, y], returned=lists, forward=cost, backward="backprop"))
    assert len(report.guilty) == 4, "weights for biases"


def test_layers_inside_a_network() -> None:
    class Stack:
        def __init__(self, wrong: str = "") -> None:
            self.layers = [Updating(of_numpy, wrong), Updating(of_numpy)]
            self.layers[1].W = of_numpy(4, 2)
            self.layers[1].b = of_numpy(2)

        def forward(self, x: Any) -> Any:
            for layer in self.layers:
                x = layer.forward(x)
            return x

        def backward(self, d: Any, lr: float) -> Any:
            for layer in reversed(self.layers):
                d = layer.backward(d, lr)
            return d

    names = ("layers.0.W", "layers.0.b", "layers.1.W", "layers.1.b")
    assert check_function(*functions_of(Stack(), of_numpy(6, 3), updated=names)).outcome == "right"
    report = check_function(*functions_of(Stack("mean"), of_numpy(6, 3), updated=names))
    assert blamed(report) == {"gradient of layers.0.b": "a factor of 1/N"}


def test_a_loss_object_whose_upstream_gradient_has_a_default() -> None:
    class Squares:
        def forward(self, x: Any, t: Any) -> Any:
            self.x, self.t = x, t
            return ((x - t) ** 2).sum() / 2

        def backward(self, dout: Any = 1) -> Any:
            return dout * (self.x - self.t)

    class Plain(Squares):
        def backward(self) -> Any:
            return self.x - self.t

    for kind in (Squares, Plain):
        report = check_function(*functions_of(kind(), [of_numpy(4, 3), of_numpy(4, 3)]))
        assert report.ok
        assert report.remarks == ()
        assert [name for name, _ in report.not_compared] == ["gradient of t"]


def test_methods_given_as_functions_and_a_module_with_a_backward_of_its_own() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.W = nn.Parameter(torch.randn(3, 4))

        def forward(self, x: Tensor) -> Tensor:
            self.x = x
            return x @ self.W

        def back(self, d: Tensor) -> tuple[Tensor, Tensor]:
            return d @ self.W.T, self.x.T @ d

    module, x = Own(), torch.randn(6, 3)

    def back(own: Own, d: Tensor, x: Tensor) -> Tensor:
        d_x, own.dW = own.back(d)
        return d_x

    assert check_function(*functions_of(module, x, {"W": "dW"}, backward=back)).outcome == "right"
    assert "dW" not in vars(module)
    assert isinstance(module.W, nn.Parameter)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gradients": {"V": "dW"}}, "functions_of expects Dense to have 'V', got none"),
        ({"gradients": {"wrong": "dW"}}, "expects 'wrong' of Dense to hold arrays or tensors, got a str"),
        ({"backward": "back"}, "functions_of expects Dense to have 'back', got none"),
        ({"gradients": {"W": "dW"}, "updated": ("W",)}, "expects each parameter once, got W twice"),
        ({"updated": ("W",), "rate": "lr"}, "functions_of expects Dense to have 'lr', got none"),
        ({"layer": Dense}, "functions_of expects an object, got the class Dense: make one, Dense"),
    ],
)
def test_what_an_object_does_not_have_is_said(change: dict[str, Any], message: str) -> None:
    layer = change.pop("layer", Dense(of_numpy))
    with pytest.raises(TypeError, match=message):
        functions_of(layer, of_numpy(6, 3), **change)


def test_a_gradient_that_backward_does_not_set_is_part_of_the_report() -> None:
    class Forgetting(Dense):
        def backward(self, d: Any) -> Any:
            return d @ self.W.T

    report = check_function(*functions_of(Forgetting(of_torch), of_torch(6, 3), {"W": "dW"}))
    assert report.guilty[0].cause == "raises AttributeError: 'Forgetting' object has no attribute 'dW'"
