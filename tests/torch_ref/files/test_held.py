"""Which of the arrays that an object holds are gradients of which."""

import numpy as np
import torch

from torch_ref.files.held import arrays_of, gradients_by_name

A, B = np.ones((2, 3)), np.ones(3)


class Slotted:
    __slots__ = ("empty", "w")

    def __init__(self) -> None:
        self.w = torch.ones(2)


class Net:
    def __init__(self) -> None:
        self.W, self.t, self.n = A, torch.ones(2), 3
        self.layers = [Slotted(), {"b": B, 3: A}]
        self.kinds, self.module, self.again = Net, torch.nn.Linear(2, 2), self
        self.counts, self.whole = np.arange(3), torch.arange(3)
        self.pair = (A, B)


def test_arrays_are_found_by_path_and_once() -> None:
    assert [*arrays_of(Net())] == ["W", "t", "layers.0.w", "layers.1.b"]


def named(before: str, after: str) -> dict[str, str]:
    shapes = {"b": B, "0": A}
    return gradients_by_name(
        {path: shapes.get(path[-1], A) for path in before.split()},
        {path: B if path.endswith("b") else A for path in after.split()},
    )


def test_a_gradient_is_known_by_its_name() -> None:
    for form in ("dW", "d_W", "grad_W", "W_grad", "gW", "W_gradient", "delta_W", "nabla_W"):
        assert named("W", f"W x {form}") == {"W": form}
    assert named("W", "W x DW") == {}
    assert named("layers.0.W W", "W dW layers.0.W layers.0.dW") == {"layers.0.W": "layers.0.dW", "W": "dW"}


def test_the_gradients_of_a_container_are_in_another() -> None:
    assert named("params.W params.b", "grads.W grads.b") == {"params.W": "grads.W", "params.b": "grads.b"}
    assert named("params.W params.b", "grads.dW grads.db") == {"params.W": "grads.dW", "params.b": "grads.db"}
    assert named("params.0", "params.0 grads.0") == {"params.0": "grads.0"}
    assert named("weights.0", "d_weights.0") == {"weights.0": "d_weights.0"}


def test_another_shape_is_no_gradient_and_a_gradient_is_no_parameter() -> None:
    assert named("W", "db") == {}
    assert named("b", "dW") == {}
    assert gradients_by_name({"W": A}, {"dW": B}) == {}
    assert gradients_by_name({"W": A, "dW": A}, {"W": A, "dW": A, "ddW": A}) == {"W": "dW"}
