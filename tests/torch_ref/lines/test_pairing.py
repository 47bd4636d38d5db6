"""Gradients by the names of their values."""

from typing import Any

import numpy as np
import pytest
import torch

from torch_ref.lines.chained import off
from torch_ref.lines.names import is_bare, named_after, path_of, values_of
from torch_ref.lines.pairing import Backward, Pairing, pairing_of
from torch_ref.lines.subject import Subject, read


def paired(forward: Any, backward: Any, inputs: Any) -> tuple[dict[str, list[list[str]]], Pairing]:
    """Return for each value what may be its gradient at each place, as text."""
    seen = read(Subject.of(forward, backward, inputs))
    found = pairing_of(seen.values, Backward(seen.by_hand, [*Subject.of(forward, backward, inputs).inputs]))
    return {p.name: [[v.where.text for v in several] for several in p.gradients] for p in found.pairs}, found


@pytest.mark.parametrize(
    ("place", "of"),
    [
        *((place, "W1") for place in ("dW1", "d_W1", "grad_W1", "W1_grad", "gradW1", "gW1", "nabla_W1", "delta_W1")),
        *((place, "W1") for place in ("deltaW1", "dL_dW1", "dLdW1", "d_loss_W1", "W1grad", "W1_bar", "grads['dW1']")),
        ("grads['W1']", "W1"),
        ("gradients['b']", "b"),
        ("self.layers[2].dW", "self.layers[2].W"),
        ("dhs[3]", "hs[3]"),
        ("dW[0]['x']", "x"),
        ("return['dW1']", "W1"),
    ],
)
def test_what_a_gradient_is_called_after(place: str, of: str) -> None:
    wanted, found = path_of(of), next(values_of(place))
    assert (found.name, found.behind) == (wanted.name, wanted.behind)
    if wanted.before:
        assert found.before == wanted.before


@pytest.mark.parametrize("place", ["h", "x", "W", "params['W1']", "out"])
def test_what_is_no_gradient_by_its_name(place: str) -> None:
    assert not [*values_of(place)]


def test_a_bare_name_says_nothing_of_its_value() -> None:
    assert is_bare("delta")
    assert is_bare("grad")
    assert not is_bare("dh")
    assert [*named_after("grad")] == []
    assert [path.name for path in values_of("nabla_w[0]")] == ["w", "weights", "weight", "W"]


def test_the_values_of_a_loop_go_with_gradients_in_reverse_order() -> None:
    def forward(h, W):
        for _ in range(3):
            h = torch.tanh(h @ W)
        return h.sum()

    def backward(h, W):
        dh = torch.ones(2, 4)
        for step in range(3):
            dh = dh * (step + 1)
        return {}

    found, pairing = paired(forward, backward, [torch.randn(2, 4), torch.randn(4, 4)])
    assert found == {"h": [["dh = dh * (step + 1)"]] * 3 + [["dh = torch.ones(2, 4)"]]}, "from what was given on"
    (pair,) = pairing.pairs
    assert [several[-1].value.max().item() for several in pair.gradients] == [6, 2, 1, 1]


def test_a_name_that_is_used_again_may_mean_each() -> None:
    def forward(x, W):
        h = torch.relu(x @ W)
        return h.sum()

    def backward(x, W, h):
        dh = torch.ones_like(h)
        dh[h <= 0] = 0
        return {}

    found, _ = paired(forward, backward, [torch.randn(2, 4), torch.randn(4, 4)])
    assert found == {"h": [["dh = torch.ones_like(h)", "dh[h <= 0] = 0"]]}


def test_of_a_parameter_the_last_gradient_counts_and_what_is_returned_most_of_all() -> None:
    def forward(x, W):
        return (x @ W).sum()

    def backward(x, W):
        dW = x.T @ torch.ones(2, 4)
        dW = dW / 2
        return {"W": dW * 2}

    found, _ = paired(forward, backward, [torch.randn(2, 4), torch.randn(4, 4)])
    assert found == {"W": [['return {"W": dW * 2}']]}


def test_a_value_that_is_returned_beside_the_loss_is_no_gradient() -> None:
    def loss(x, W):
        h = x @ W
        loss = h.sum()
        dW = x.T @ np.ones((2, 4))
        return loss, {"h": h, "W": dW}

    def both(W, x):
        loss = (x @ W).sum()
        dW = x.T @ np.ones((2, 4))
        return loss, dW

    for function in (loss, both):
        inputs = {"x": np.ones((2, 4)), "W": np.ones((4, 4))}
        seen = read(Subject.of(function, None, inputs))
        pairs = pairing_of(seen.values, Backward(seen.by_hand, [*inputs], 1)).pairs
        assert [pair.gradients[0][-1].value.tolist() for pair in pairs] == [np.full((4, 4), 2).tolist()]
        assert [pair.name for pair in pairs] == ["W"]


def test_a_value_that_backward_computes_again_has_its_name_there() -> None:
    def forward(x, W):
        return torch.tanh(x @ W).sum()

    def backward(x, W):
        z = x @ W
        dz = 1 - torch.tanh(z) ** 2
        return {"x": dz @ W.T}

    found, _ = paired(forward, backward, [torch.randn(2, 4), torch.randn(4, 4)])
    assert set(found) == {"z", "x"}


def test_between_two_that_fit_nothing_is_guessed() -> None:
    class Net:
        def __init__(self) -> None:
            self.a = {"W": np.ones((3, 3))}
            self.b = {"W": np.ones((3, 3))}

        def forward(self, x):
            return (x @ self.a["W"] @ self.b["W"]).sum()

        def backward(self):
            dW = np.ones((3, 3))
            dx = np.ones((2, 3))
            return dx, dW

    net = Net()
    _, pairing = paired(net.forward, net.backward, [np.ones((2, 3))])
    assert pairing.reasons["dW"].startswith(
        "it may be the gradient of self.a['W'] or of self.b['W']; give it by mapping="
    )


def test_what_has_no_counterpart_is_listed_on_both_sides() -> None:
    def forward(x, W):
        return (x @ W).sum()

    def backward(x, W):
        dW = x.T @ np.ones((2, 4))
        dq = dW * 2  # noqa: F841
        return {"W": dW}

    seen = read(Subject.of(forward, backward, [np.ones((2, 4)), np.ones((4, 4))]))
    both = Backward(seen.by_hand, ["x", "W"])
    pairing = pairing_of(seen.values, both)
    left = dict(pairing.unpaired(pairing.pairs, seen.values, both))
    assert set(left) == {"gradient of x", "dq"}
    assert left["dq"].startswith("no value that the output is made of is called q")


def test_complex_numbers_differ_in_their_imaginary_parts_too() -> None:
    right = torch.tensor([3 + 0j, 4 + 0j])
    assert off(right + 5j * torch.tensor([1, 0]), right) == pytest.approx(1.0)
    assert off(right, right) == 0
