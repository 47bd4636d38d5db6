"""Objects that keep things on themselves in other ways, and what is said where something is not there."""

import copy
from typing import Any

import pytest
import torch
from cases import blamed
from objects import Dense, Updating, of_numpy, of_torch
from torch import Tensor, nn

from torch_ref import check_function, functions_of


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
    assert blamed(report) == {"gradient of layers.0.b": "a factor of 1/N (N = 6?)"}


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


def test_a_parameter_that_the_object_holds_in_two_places() -> None:
    class Listed(Dense):
        def __init__(self, draw: Any) -> None:
            super().__init__(draw)
            self.all = [self.W, self.b]

        def backward(self, d: Any, learning_rate: float) -> Any:
            d_x = super().backward(d)
            for p, d_p in zip(self.all, (self.dW, self.db), strict=True):
                p -= learning_rate * d_p
            return d_x

    for draw in (of_numpy, of_torch):
        layer = Listed(draw)
        before = copy.deepcopy(layer.all)
        assert check_function(*functions_of(layer, draw(6, 3), updated=("all",))).outcome == "right"
        assert check_function(*functions_of(layer, draw(6, 3), updated=("W", "b"))).outcome == "right"
        assert all((one == other).all() for one, other in zip(before, layer.all, strict=True))


def test_a_layer_without_parameters_that_takes_a_learning_rate() -> None:
    class Cube:
        def forward(self, x: Any) -> Any:
            self.input = x
            return x**3

        def backward(self, output_gradient: Any, learning_rate: float) -> Any:
            return 3 * self.input**2 * output_gradient

    assert check_function(*functions_of(Cube(), of_numpy(6, 3))).outcome == "right"


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
