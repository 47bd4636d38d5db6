"""Somebody's forward and backward as they are: right ones are accepted, and of wrong ones the line is named."""

# ruff: noqa: RET504
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from tests.torch_ref.lines.programs import (
    CS231N,
    LAYERS,
    LSTM,
    MLP,
    NAIVE,
    NET,
    NIELSEN,
    RNN,
    arrays,
    broken,
    lstm,
    made,
    mlp,
    pair_of,
)
from torch_ref import Report, check_lines


def check_mlp(text: str) -> Report:
    return check_lines(*pair_of(text), mlp())


def check_lstm(text: str) -> Report:
    return check_lines(*pair_of(text), lstm())


def check_cs231n(text: str) -> Report:
    rng = np.random.default_rng(0)
    inputs = arrays(rng, (6, 5), (5, 8), (8,), (8, 3), (3,))
    return check_lines(made(text)["loss"], None, [inputs[0], rng.integers(0, 3, 6), *inputs[1:]])


def check_naive(text: str) -> Report:
    rng = np.random.default_rng(5)
    W, X = arrays(rng, (5, 3), (6, 5))
    return check_lines(made(text)["loss"], None, [W, X, rng.integers(0, 3, 6), 0.1])


def check_net(text: str) -> Report:
    W1, b1, W2, X, t = arrays(np.random.default_rng(1), (5, 4), (4,), (4, 3), (6, 5), (6, 3))
    net = made(text)["Net"](W1, b1, W2)
    report = check_lines(net.forward, net.backward, [X, t])
    assert set(vars(net)) == {"W1", "b1", "W2"}, "the object is left as it was"
    return report


def check_rnn(text: str) -> Report:
    V, H = 5, 4
    Wxh, Whh, Why, bh, by = arrays(np.random.default_rng(2), (H, V), (H, H), (V, H), (H, 1), (V, 1))
    found = made(text, V=V, Wxh=Wxh / 2, Whh=Whh / 2, Why=Why / 2, bh=bh, by=by)
    return check_lines(found["lossFun"], None, [[0, 1, 2], [1, 2, 3], np.zeros((H, 1))])


def check_nielsen(text: str) -> Report:
    rng = np.random.default_rng(3)
    net = made(text)["Network"](arrays(rng, (5, 4), (3, 5), (2, 3)), arrays(rng, (5, 1), (3, 1), (2, 1)))
    return check_lines(net.cost, net.backprop, arrays(rng, (4, 1), (2, 1)))


def check_layers(text: str) -> Report:
    rng, found = np.random.default_rng(4), made(text)
    W1, b1, W2, b2 = arrays(rng, (5, 4), (4,), (4, 3), (3,))
    net = found["Sequential"](found["Linear"](W1, b1), found["Tanh"](), found["Linear"](W2, b2))
    return check_lines(net.forward, net.backward, arrays(rng, (6, 5), (6, 3)))


Check = Callable[[str], Report]
RIGHT: dict[str, tuple[Check, str]] = {
    "mlp": (check_mlp, MLP),
    "lstm": (check_lstm, LSTM),
    "cs231n": (check_cs231n, CS231N),
    "naive": (check_naive, NAIVE),
    "net": (check_net, NET),
    "rnn": (check_rnn, RNN),
    "nielsen": (check_nielsen, NIELSEN),
    "layers": (check_layers, LAYERS),
}

WRONG = [
    ("mlp", "dz1 = dh * (z1 > 0)", "dz1 = dh"),
    ("mlp", "dz1 = dh * (z1 > 0)", "dz1 = dh * (x @ W1 > 0)"),
    ("mlp", "dh = dscores @ W2.t()", "dh = dscores @ W2.t().flip(0)"),
    ("mlp", "dscores = dscores * dL / len(t)", "dscores = dscores * dL"),
    ("mlp", "db1 = dz1.sum(0)", "db1 = dz1.mean(0)"),
    ("mlp", "dW1 = x.t() @ dz1", "dW1 = x.t() @ dh"),
    ("lstm", "df = dc * c * f * (1 - f)", "df = dc * c"),
    ("lstm", "dc = dh * o * (1 - cn.tanh()**2) + dc_next", "dc = dh * o * (1 - cn.tanh()**2)"),
    ("lstm", "db += z.sum(0)", "db += torch.cat([df, df, dg, do], -1).sum(0)"),
    ("lstm", "dxs[t] = z @ W", "dxs[t] = z @ W * 2"),
    ("cs231n", "dscores /= N", "dscores /= 2 * N"),
    ("cs231n", "grads['W2'] = h.T.dot(dscores)", "grads['W2'] = h.T.dot(dscores) / N"),
    ("cs231n", "grads['W2'] += 2 * reg * W2", "grads['W2'] += reg * W2"),
    ("cs231n", "dh = dscores.dot(W2.T)", "dh = dscores.dot(W2.T[::-1])"),
    ("cs231n", "dh[h <= 0] = 0", "dh[h <= 0.5] = 0"),
    ("cs231n", "grads['b1'] = dh.sum(axis=0)", "grads['b1'] = dh.mean(axis=0)"),
    ("naive", "dW = dW / X.shape[0] + 2 * reg * W", "dW = dW / X.shape[0] + reg * W"),
    ("net", "dz1 = da1 * self.a1 * (1 - self.a1)", "dz1 = da1 * (1 - self.a1)"),
    ("net", "self.db1 = dz1.sum(axis=0)", "self.db1 = dz1.sum(axis=0) * 2"),
    ("rnn", "dh = np.dot(Why.T, dy) + dhnext", "dh = np.dot(Why.T, dy)"),
    ("rnn", "dhraw = (1 - hs[t] * hs[t]) * dh", "dhraw = (1 - hs[t]) * dh"),
    ("rnn", "dWhh += np.dot(dhraw, hs[t-1].T)", "dWhh += np.dot(dhraw, hs[t].T)"),
    ("nielsen", "delta = np.dot(self.weights[-l+1].transpose(), delta) * s * (1 - s)",
     "delta = np.dot(self.weights[-l+1].transpose(), delta) * s"),
    ("nielsen", "nabla_w[-l] = np.dot(delta, activations[-l-1].transpose())",
     "nabla_w[-l] = np.dot(delta, activations[-l-1].transpose()) * 2"),
]  # fmt: skip


@pytest.mark.long(but=("mlp", "net", "layers"))
@pytest.mark.parametrize("name", RIGHT)
def test_right_programs_are_accepted(name: str) -> None:
    check, text = RIGHT[name]
    report = check(text)
    assert report.ok, str(report)


@pytest.mark.long(but=("mlp-dz1", "net-dz1", "dscores /= N", "nabla_w"))
@pytest.mark.parametrize(("name", "line", "instead"), WRONG)
def test_the_line_that_is_wrong_is_named_and_no_other(name: str, line: str, instead: str) -> None:
    check, text = RIGHT[name]
    wrong, where = broken(text, line, instead)
    report = check(wrong)
    assert {row.of.text for row in report.guilty} == {instead if len(instead) <= 60 else f"{instead[:56]} ..."}
    assert {row.source.rpartition(":")[2] for row in report.guilty} == {where[1:]}, str(report)
    assert f"{report.guilty[0].of.text}, at program" in report.verdict


def test_numbers_that_were_wrong_before_others_were_written() -> None:
    def forward(x, W):
        y = x @ W
        return y[range(3), [1, 0, 1]].sum()

    def backward(x, W, y):
        dy = torch.zeros_like(y) + 0.1
        dy[range(3), [1, 0, 1]] = 1
        dW = x.T @ dy
        return {"W": dW}

    (row,) = check_lines(forward, backward, [torch.randn(3, 5), torch.randn(5, 2)]).guilty
    assert row.of.text == "dy = torch.zeros_like(y) + 0.1"


@pytest.mark.long
def test_a_gradient_that_is_not_handed_on_is_missed_where_it_should_arrive() -> None:
    wrong, _ = broken(LSTM, "dh_next = z @ U", "pass")
    (row,) = check_lstm(wrong).guilty
    assert row.of.text == "dh = dout[t] + dh_next"


@pytest.mark.long(but=("None",))
@pytest.mark.parametrize("line", [None, "df = dc * c * f * (1 - f)"])
def test_in_half_precision_too(line: str | None) -> None:
    text = LSTM if line is None else broken(LSTM, line, "df = dc * c")[0]
    report = check_lines(*pair_of(text), lstm(torch.bfloat16))
    assert [row.of.text for row in report.guilty] == ([] if line is None else ["df = dc * c"])


def test_a_name_that_misleads_is_left_out() -> None:
    def forward(x, W, V):
        tanh = torch.tanh(x @ W)
        return ((tanh @ V) ** 2).sum()

    def backward(x, W, V, tanh):
        dy = 2 * tanh @ V
        dV = tanh.T @ dy
        dtanh = 1 - tanh**2
        dz = dy @ V.T * dtanh
        dW = x.T @ dz
        return {"W": dW, "V": dV}

    report = check_lines(forward, backward, [torch.randn(6, 5), torch.randn(5, 4), torch.randn(4, 2)])
    assert report.ok, str(report)
    assert ("gradient of tanh" in dict(report.not_compared)) is True


def test_a_module_and_gradients_by_the_names_of_its_parameters() -> None:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc2 = torch.nn.Linear(5, 4), torch.nn.Linear(4, 3)

        def forward(self, x, t):
            self.x, self.t = x, t
            self.h = torch.sigmoid(self.fc1(x))
            self.y = self.fc2(self.h)
            return ((self.y - t) ** 2).mean()

        def by_hand(self):
            dy = 2 * (self.y - self.t) / self.t.numel()
            dh = dy @ self.fc2.weight
            dz = dh * self.h * (1 - self.h)
            grads = {"fc2.weight": dy.T @ self.h, "fc2.bias": dy.sum(0), "fc1.weight": dz.T @ self.x}
            grads["fc1.bias"] = dz.mean(0)
            return grads

    net = Net()
    report = check_lines(net, net.by_hand, [torch.randn(6, 5), torch.randn(6, 3)])
    assert [row.quantity for row in report.guilty] == ["gradient of self.fc1.bias"], str(report)
    assert {"gradient of self.fc1.weight", "gradient of self.fc2.bias"} <= {row.quantity for row in report.rows}
    assert not hasattr(net, "h")


@pytest.mark.long
@pytest.mark.parametrize("seed", [2, 10, 11])
def test_numbers_that_cancel_in_float32_are_compared_in_float64(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, W1, b1, W2, b2 = (a.astype(np.float32) for a in arrays(rng, (6, 5), (5, 8), (8,), (8, 3), (3,)))
    y = rng.integers(0, 3, 6)
    report = check_lines(made(CS231N)["loss"], None, [X, y, W1, b1, W2, b2])
    assert report.ok, str(report)
    wrong, _ = broken(CS231N, "dscores /= N", "dscores /= N * 1.001")
    assert not check_lines(made(wrong)["loss"], None, [X, y, W1, b1, W2, b2]).ok


CELL = """%matplotlib inline
z1 = X @ W1
h = torch.tanh(z1)
loss = (h ** 2).sum()
"""


@pytest.mark.parametrize(
    ("line", "guilty"), [("dz1 = dh * (1 - h**2)", []), ("dz1 = dh * (1 - h)", ["backward cell:3"])]
)
def test_the_texts_of_two_cells(line: str, guilty: list[str]) -> None:
    X, W1 = torch.randn(6, 5), torch.randn(5, 4)
    report = check_lines(CELL, f"# by hand\ndh = 2 * h\n{line}\ndW1 = X.T @ dz1\n", {"X": X, "W1": W1})
    assert [row.source for row in report.guilty] == guilty, str(report)


def test_a_cell_may_be_given_all_variables_with_the_modules_among_them() -> None:
    variables = {"np": np, "torch": torch, "Linear": torch.nn.Linear, "X": torch.randn(6, 5), "W1": torch.randn(5, 4)}
    assert check_lines(CELL, "dz1 = 2 * h * (1 - h**2)\ndW1 = X.T @ dz1\n", variables).ok


def test_numbers_are_parameters_where_backward_has_their_gradients() -> None:
    def forward(m, b, x, t):
        return ((m * x + b - t) ** 2).mean()

    def backward(m, b, x, t):
        r = m * x + b - t
        dm, db = 2 * (r * x).mean(), 2 * r.sum()
        return dm, db

    report = check_lines(forward, backward, [1.5, 0.2, np.arange(5.0), np.ones(5)])
    assert [row.quantity for row in report.guilty] == ["gradient of b"]


def test_a_mapping_says_what_no_name_does() -> None:
    def forward(x, W):
        first = x @ W
        return (first**2).sum()

    def backward(x, W):
        upstairs = 4 * (x @ W)
        parameter = x.T @ upstairs
        return parameter

    inputs = [torch.randn(6, 5), torch.randn(5, 4)]
    with pytest.raises(ValueError, match=r"named after their values.* Forward has x, W, first; backward made upstairs"):
        check_lines(forward, backward, inputs)
    report = check_lines(forward, backward, inputs, mapping={"first": "upstairs", "W": "parameter"})
    assert [row.of.text for row in report.guilty] == ["upstairs = 4 * (x @ W)"]
    with pytest.raises(ValueError, match="'second' is no value of forward"):
        check_lines(forward, backward, inputs, mapping={"second": "upstairs"})
    with pytest.raises(ValueError, match="'dfirst' is no variable of backward"):
        check_lines(forward, backward, inputs, mapping={"first": "dfirst"})


def test_what_is_returned_without_a_name_is_in_the_order_of_the_inputs() -> None:
    def forward(x, w):
        return x @ w, (x, w)

    def backward(dout, cache):
        x, w = cache
        return dout @ w.T, x.T @ dout * 2

    report = check_lines(forward, backward, [torch.randn(6, 5), torch.randn(5, 4)])
    assert [row.quantity for row in report.guilty] == ["gradient of w"]


def test_what_backward_raises_is_reported_with_its_line() -> None:
    def forward(x):
        return (x**2).sum()

    def backward(dL, x):
        dx = 2 * x  # noqa: F841
        raise KeyError("w")

    report = check_lines(forward, backward, [torch.ones(2, 3)])
    assert not report.ok
    assert "backward raises KeyError: 'w' (raise KeyError" in report.verdict
    assert "test_check_lines.py:" in report.verdict


def test_bad_input_is_one_clear_error() -> None:
    def forward(x):
        return (x**2).sum()

    def backward(x, nobody, knows):
        return x

    x = torch.ones(2, 3)
    with pytest.raises(TypeError, match=r"nothing is called nobody or knows\. There are x"):
        check_lines(forward, backward, [x])
    with pytest.raises(TypeError, match="expects inputs as a list of arguments, or by name, got a Tensor"):
        check_lines(forward, backward, x)
    with pytest.raises(ValueError, match="runs under autograd, but it raises RuntimeError"):
        check_lines(lambda x: x @ x, backward, [x])
    with pytest.raises(ValueError, match=r"no history: .item\(\), .detach\(\)"):
        check_lines(lambda x: x.detach().sum(), backward, [x])
    with pytest.raises(TypeError, match="begins with it, got None"):
        check_lines(lambda x: None, backward, [x])


@pytest.mark.parametrize("factor", [1, 2])
def test_what_autograd_cannot_follow_is_compared_with_differences(factor: int) -> None:
    def forward(x, w):
        out = np.zeros(3)
        for i in range(3):
            out[i] = np.sum(x[i : i + 2] * w)
        return out, (x, w)

    def backward(dout, cache):
        x, w = cache
        dx, dw = np.zeros_like(x), np.zeros_like(w)
        for i in range(3):
            dw += x[i : i + 2] * dout[i] * factor
            dx[i : i + 2] += w * dout[i]
        return dx, dw

    report = check_lines(forward, backward, [np.arange(4.0), np.array([1.0, -2.0])])
    wrong = [] if factor == 1 else ["dw += x[i : i + 2] * dout[i] * factor"]
    assert [row.of.text for row in report.guilty] == wrong
    assert len(report.rows) == 2
    assert "Autograd cannot follow forward: " in report.verdict


def test_a_line_inside_is_named_of_what_autograd_cannot_follow_outside() -> None:
    def linear(a, w):
        return a @ w

    def linear_backward(d, a, w):
        dw = 2 * (a.T @ d)
        return d @ w.T, dw

    def forward(x, w):
        h = linear(x, w)
        out = np.zeros(3)
        out[:] = (h**2).sum(1)
        return out.sum()

    def backward(x, w):
        h = linear(x, w)
        dx, dw = linear_backward(2 * h, x, w)
        return dx, dw

    report = check_lines(forward, backward, [np.linspace(-1, 1, 6).reshape(3, 2), np.array([[1.0, 2.0], [0.5, -1.0]])])
    assert [row.of.text for row in report.guilty] == ["dw = 2 * (a.T @ d)"]
    assert "Autograd cannot follow forward: " in report.verdict


def test_nothing_that_is_given_is_changed() -> None:
    parameters = {"W": np.ones((3, 2))}
    kept: list[Any] = []

    def forward(x):
        x *= 2
        kept.append(x)
        return (x @ parameters["W"]).sum()

    def backward(x):
        dW = x.T @ np.ones((4, 2))
        parameters["W"] -= 0.1 * dW
        return {"W": dW}

    x = np.ones((4, 3))
    state = np.random.get_state()[1].tolist()
    assert check_lines(forward, backward, [x]).ok
    assert x.tolist() == np.ones((4, 3)).tolist()
    assert parameters["W"].tolist() == np.ones((3, 2)).tolist()
    assert not kept
    assert np.random.get_state()[1].tolist() == state


def test_random_numbers_are_the_same_in_both_runs() -> None:
    def forward(x):
        mask = (torch.rand(x.shape) > 0.5).float()
        y = x * mask
        return (y**2).sum()

    def backward(x, y, mask):
        dy = 2 * y
        dx = dy * mask
        return dx

    assert check_lines(forward, backward, [torch.randn(6, 5)]).ok


@pytest.mark.long
def test_a_network_of_a_million_parameters() -> None:
    inputs = [torch.randn(32, 1000), torch.randn(1000, 900) / 30, torch.zeros(900), torch.randn(900, 100) / 30]
    inputs += [torch.zeros(100), torch.randint(0, 100, (32,))]
    assert check_lines(*pair_of(MLP), inputs).ok


# ---------------------------------------------------------------------------------------- kinks, and steps left out

RELU = """
def forward(x, W1, b1, W2, t):
    h = np.maximum(0, x @ W1 + b1)
    y = h @ W2
    return ((y - t) ** 2).sum()


def backward(x, W1, b1, W2, h, y, t):
    dy = 2 * (y - t)
    dW2 = h.T @ dy
    dh = dy @ W2.T
    dh[h <= 0] = 0
    dW1 = x.T @ dh
    db1 = dh.sum(0)
    return dW1, db1, dW2
"""


def relu_inputs() -> list[Any]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 4))
    x[1] = 0  # with b1 = 0 the whole row lies on the kink
    return [x, rng.normal(size=(4, 6)), np.zeros(6), rng.normal(size=(6, 3)), rng.normal(size=(5, 3))]


@pytest.mark.long(but=2)
@pytest.mark.parametrize(
    ("mask", "right"), [("h <= 0", True), ("x @ W1 + b1 < 0", True), ("x @ W1 + b1 <= 0", True), ("h > 0", False)]
)
@pytest.mark.long(but=("True",))
def test_at_a_kink_that_has_no_name_every_value_between_is_right(mask: str, right: bool) -> None:
    report = check_lines(*pair_of(RELU.replace("h <= 0", mask)), relu_inputs())
    assert report.ok is right, str(report)
    if not right:
        assert [row.of.text for row in report.guilty] == ["dh[h > 0] = 0"]


@pytest.mark.long
def test_a_step_that_is_left_out_is_one_accusation_where_it_is_missing() -> None:
    report = check_lines(*pair_of(RELU.replace("    dh[h <= 0] = 0\n", "")), relu_inputs())
    (row,) = report.guilty
    assert row.of.text == "dW1 = x.T @ dh"
    assert row.code == "slope-missing"
    assert [one.quantity for one in report.consequences] == ["gradient of b1", "gradient of W1"]


def test_samples_in_columns_are_no_single_sample() -> None:
    text = """
def forward(x, w, t):
    y = w @ x
    return ((y - t) ** 2).sum()


def backward(x, w, t, y):
    dy = 2 * (y - t)
    dw = dy @ x.T
    return {"dw": dw}
"""
    report = check_lines(*pair_of(text), [np.arange(8.0).reshape(2, 4), np.ones((1, 2)), np.zeros((1, 4))])
    assert report.ok
    assert "one sample" not in report.verdict
