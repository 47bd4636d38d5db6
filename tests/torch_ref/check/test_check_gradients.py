"""check_gradients: a loss that reads its parameters, of numpy or torch, as it is."""

import numpy as np
import pytest
import torch
from numpy_programs import Convolution, PerSample, Recurrent, TwoLayers

from torch_ref import assert_gradients_match, check_gradients
from torch_ref.check.gradients import Asked
from torch_ref.check.loss import ReadLoss, requiring
from torch_ref.check.parameters import matched


def guilty(report):
    return sorted(row.quantity.removeprefix("gradient of ") for row in report.guilty)


@pytest.mark.long(but=("wrong0", "float64"))
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("mistake", "wrong"),
    [
        ("", []),
        ("no 1/N", ["W1", "W2", "b1", "b2"]),
        ("W2 without its penalty", ["W2"]),
        ("no mask", ["W1", "b1"]),
        ("mean for sum", ["b1"]),
    ],
)
@pytest.mark.long(but=("wrong0", "wrong2"))
def test_two_layers_with_dicts(mistake, wrong, dtype):
    net = TwoLayers(dtype)
    _, grads = net.loss(mistake)
    report = check_gradients(lambda: net.loss(), net.params, grads)
    assert guilty(report) == wrong, str(report)
    assert report.dtype == (torch.float64 if dtype == np.float64 else torch.float32)
    assert "central differences" not in report.verdict


@pytest.mark.long
@pytest.mark.parametrize(("mistake", "wrong"), [("", 0), ("no slope", 4)])
def test_a_class_that_takes_one_sample_at_a_time(mistake, wrong):
    net = PerSample()
    report = check_gradients(net.loss, net.weights + net.biases, net.gradients(mistake))
    assert len(report.guilty) == wrong, str(report)
    assert len(report.rows) == 4


@pytest.mark.long(but=("wrong0", "wrong2"))
@pytest.mark.parametrize(
    ("mistake", "wrong"),
    [("", []), ("nothing from later steps", ["Whh", "Wxh", "bh"]), ("the state of its own step", ["Whh"])],
)
@pytest.mark.long(but=("wrong0",))
def test_a_recurrent_network_whose_parameters_are_attributes(mistake, wrong):
    net = Recurrent()
    report = check_gradients(net.loss, net, net.gradients(mistake))
    assert guilty(report) == wrong, str(report)
    assert len(report.rows) == 5


@pytest.mark.long(but=1)
@pytest.mark.parametrize(("mistake", "wrong"), [("", []), ("the first sample alone", ["b"]), ("= for +=", ["x"])])
def test_what_cannot_be_followed_is_compared_with_central_differences(mistake, wrong):
    net = Convolution()
    report = check_gradients(net.loss, net, net.gradients(mistake))
    assert guilty(report) == wrong, str(report)
    assert "central differences of the loss" in report.verdict
    assert "a plain array keeps no history" in report.verdict


@pytest.mark.long
def test_of_large_arrays_some_entries_are_compared():
    W, b = np.linspace(-1, 1, 3000).reshape(50, 60), np.ones(3)

    def loss():
        out = np.zeros(W.shape)
        out[:] = np.sin(W)
        return out.sum() + (b**2).sum()

    report = check_gradients(loss, {"W": W, "b": b}, {"W": np.cos(W), "b": 2 * b})
    assert report.ok
    assert "(W at 399 of 3,000 entries)" in report.verdict
    wrong = check_gradients(loss, {"W": W, "b": b}, {"W": np.sin(W), "b": 2 * b})
    assert guilty(wrong) == ["W"]
    at = wrong.guilty[0].isolated
    assert at.by_hand == np.sin(W)[at.worst]


@pytest.mark.long
def test_everything_is_as_it_was_afterwards():
    for net in (TwoLayers(), Convolution()):
        kept = {name: value.copy() for name, value in vars(net).items() if isinstance(value, np.ndarray)}
        params = dict(getattr(net, "params", {}))
        given = (net.params, net.loss()[1]) if params else (net, net.gradients())
        objects = {name: id(value) for name, value in vars(net).items()}
        check_gradients(net.loss, *given)
        assert {name: id(value) for name, value in vars(net).items()} == objects
        assert all(net.params[name] is p for name, p in params.items())
        for name, value in kept.items():
            assert np.array_equal(getattr(net, name), value)


# ---------------------------------------------------------------------------------------- torch


def network_of_torch():
    torch.manual_seed(0)
    x, t = torch.randn(6, 4), torch.randint(0, 3, (6,))
    w, b = torch.randn(3, 4), torch.randn(3)
    d = (torch.softmax(x @ w.T + b, 1) - torch.nn.functional.one_hot(t, 3)) / 6
    return x, t, w, b, d.T @ x, d.sum(0)


def test_tensors_that_require_no_gradient_may_be_parameters():
    x, t, w, b, d_w, d_b = network_of_torch()
    loss = lambda: torch.nn.functional.cross_entropy(x @ w.T + b, t)  # noqa: E731
    assert check_gradients(loss, {"w": w, "b": b}, {"w": d_w, "b": d_b}).ok
    assert guilty(check_gradients(loss, {"w": w, "b": b}, {"w": 2 * d_w, "b": d_b})) == ["w"]
    assert not w.requires_grad
    assert w.grad is None


def test_a_loss_that_is_no_tensor_is_measured_in_float64_too():
    x, t, w, b, d_w, d_b = network_of_torch()
    loss = lambda: torch.nn.functional.cross_entropy(x @ w.T + b, t).item()  # noqa: E731
    report = check_gradients(loss, [w, b], [d_w, d_b])
    assert report.ok, str(report)
    assert "central differences" in report.verdict
    assert max(row.isolated.bound for row in report.rows) < 1e-6
    assert not check_gradients(loss, [w, b], [1.001 * d_w, d_b]).ok


def test_a_module_and_its_grad():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1))
    x = torch.randn(5, 4)
    loss = lambda: model(x).square().mean()  # noqa: E731
    loss().backward()
    assert check_gradients(loss, model, model).ok
    model[2].weight.grad *= 2
    assert guilty(check_gradients(loss, model, model)) == ["2.weight"]


# ---------------------------------------------------------------------------------------- names


@pytest.mark.parametrize("name", ["W", "dW", "d_W", "grad_W", "W_grad", "nabla_W", "gradW", "dL_dW"])
def test_names_of_gradients(name):
    W = np.array([1.0, 2.0, 3.0])
    assert check_gradients(lambda: (W**2).sum(), {"W": W}, {name: 2 * W}).ok
    assert not check_gradients(lambda: (W**2).sum(), {"W": W}, {name: W}).ok


def test_what_has_no_partner_is_named():
    W, b = np.array([1.0, 2.0]), np.array([0.5])
    report = check_gradients(lambda: (W**2).sum() + (b**3).sum(), {"W": W, "b": b}, {"dW": 2 * W, "dV": W})
    assert report.ok
    assert dict(report.not_compared) == {
        "gradient of b": "no gradient was given",
        "dV": "no parameter that is an array or a number has this name",
    }


def test_one_array_alone():
    W = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert check_gradients(lambda: np.exp(W).sum(), W, np.exp(W)).ok
    assert not check_gradients(lambda: np.exp(W).sum(), W, W).ok


def test_a_missing_gradient_is_accused():
    W, b = np.array([1.0, 2.0]), np.array([0.5])
    report = check_gradients(lambda: (W**2).sum() + (b**3).sum(), {"W": W, "b": b}, {"W": 2 * W, "b": None})
    assert guilty(report) == ["b"]
    assert report.guilty[0].code == "wrong-return"


def test_a_parameter_that_the_loss_does_not_read_has_gradient_zero():
    W, b = np.array([1.0, 2.0]), np.array([0.5])
    assert check_gradients(lambda: (W**2).sum(), {"W": W, "b": b}, {"W": 2 * W, "b": np.zeros(1)}).ok
    assert guilty(check_gradients(lambda: (W**2).sum(), {"W": W, "b": b}, {"W": 2 * W, "b": np.ones(1)})) == ["b"]


def test_power_and_assert():
    W = np.arange(1.0, 5.0)
    report = check_gradients(lambda: (W**2).sum(), {"W": W}, {"W": 2 * W})
    assert report.power.factor < 1e-4
    assert check_gradients(lambda: (W**2).sum(), {"W": W}, {"W": 2 * W}, power=False).power is None
    assert_gradients_match(report)


# ---------------------------------------------------------------------------------------- wrong input


def test_each_wrong_input_gets_one_clear_error():
    W = np.array([1.0, 2.0])
    draws = np.random.default_rng(0)
    counter = iter(range(100))
    for loss, parameters, gradients, error, text in (
        (3.0, {"W": W}, {"W": W}, TypeError, "that can be called"),
        (lambda: W, {"W": W}, {"W": W}, TypeError, "one number, got .* of shape"),
        (lambda: "a", {"W": W}, {"W": W}, TypeError, "one number"),
        (lambda: W.sum(), {"W": np.array([1, 2])}, {"W": W}, TypeError, "floating-point"),
        (lambda: W.sum(), {"W": W}, {}, TypeError, "the gradients in a dict"),
        (lambda: W.sum(), {"W": W}, {"V": W}, ValueError, "with the names of the parameters"),
        (lambda: W.sum(), [W], [W, W], ValueError, "in their order"),
        (lambda: W.sum() + draws.normal(), {"W": W}, {"W": W}, ValueError, "same at every call"),
        (lambda: W.sum() + next(counter), {"W": W}, {"W": W}, ValueError, "same at every call"),
        (lambda: W.sum() * np.inf, {"W": W}, {"W": W}, ValueError, "finite"),
        (lambda: W.__iadd__(1).sum(), {"W": W}, {"W": W}, ValueError, "only reads"),
    ):
        with pytest.raises(error, match=text):
            check_gradients(loss, parameters, gradients)
    assert W.tolist() == [1.0, 2.0]


def test_what_the_loss_raises_is_raised():
    def loss():
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        check_gradients(loss, {"W": np.ones(2)}, {"W": np.ones(2)})


# ---------------------------------------------------------------------------------------- kinks


@pytest.mark.parametrize(
    ("slope", "right"),
    [
        (lambda z: z > 0, True),
        (lambda z: z >= 0, True),
        (lambda z: 0.5 * (z == 0) + (z > 0), True),
        (lambda z: z < 0, False),
    ],
)
def test_at_a_kink_every_value_between_is_right(slope, right):
    x, w, b = np.array([[0.0, 0.0, 0.0], [1.0, -2.0, 3.0]]), np.linspace(-1, 2, 12).reshape(3, 4), np.zeros(4)
    weighing = np.arange(1.0, 9.0).reshape(2, 4)
    d = weighing * slope(x @ w + b)
    loss = lambda: (np.maximum(0, x.dot(w) + b) * weighing).sum()  # noqa: E731
    report = check_gradients(loss, {"w": w, "b": b}, {"w": x.T @ d, "b": d.sum(0)})
    assert report.ok is right, str(report)


def test_a_gradient_outside_of_the_interval_is_wrong_at_a_kink_too():
    b = np.zeros(3)
    loss = lambda: np.abs(b).sum()  # noqa: E731
    assert check_gradients(loss, {"b": b}, {"b": np.array([1.0, -1.0, 0.3])}).ok
    assert not check_gradients(loss, {"b": b}, {"b": np.array([1.0, -1.0, 1.3])}).ok


def test_what_the_loss_keeps_on_its_object_is_as_it_was():
    class Keeping:
        def __init__(self):
            self.w, self.history = np.ones(3), []

        def loss(self):
            self.h = np.exp(self.w)
            self.history.append(self.h)
            return self.h.sum()

    net = Keeping()
    assert check_gradients(net.loss, {"w": net.w}, {"w": np.exp(net.w)}).ok
    assert sorted(vars(net)) == ["history", "w"]
    assert net.history == []


# ---------------------------------------------------------------------------------------- numbers, and what is odd


class Line:
    """A line by its slope and intercept, which is a plain number."""

    def __init__(self):
        self.w, self.b, self.rate = np.array([0.5, -1.0]), 0.25, 0.1
        self.x, self.y = np.arange(8.0).reshape(4, 2), np.array([1.0, 0.0, 2.0, -1.0])

    def loss(self):
        return np.mean((self.x @ self.w + self.b - self.y) ** 2)

    def gradients(self):
        e = 2 * (self.x @ self.w + self.b - self.y) / 4
        return self.x.T @ e, e.sum()


@pytest.mark.parametrize("factor", [1.0, 1.01])
def test_a_parameter_may_be_a_number(factor):
    line = Line()
    dw, db = line.gradients()
    report = check_gradients(line.loss, line, {"dw": dw, "db": factor * db})
    assert [row.quantity for row in report.rows] == ["gradient of w", "gradient of b"]
    assert guilty(report) == ([] if factor == 1 else ["b"])
    assert type(line.b) is float
    params = {"w": line.w, "b": 0.25}
    loss = lambda: np.mean((line.x @ params["w"] + params["b"] - line.y) ** 2)  # noqa: E731
    assert check_gradients(loss, params, {"w": dw, "b": factor * db}).ok is (factor == 1)
    assert params == {"w": line.w, "b": 0.25}
    several = [line.w, 0.25]
    loss = lambda: np.mean((line.x @ several[0] + several[1] - line.y) ** 2)  # noqa: E731
    assert check_gradients(loss, several, [dw, factor * db]).ok is (factor == 1)


def test_a_loss_that_adds_to_the_gradients_once_more():
    w, grads = np.array([1.0, 2.0]), {"w": np.zeros(2)}

    def loss():
        grads["w"] += 2 * w
        return (w**2).sum()

    loss()
    assert check_gradients(loss, {"w": w}, grads).ok


def test_arrays_that_cannot_be_written_to():
    w = np.array([1.0, 2.0])
    w.setflags(write=False)
    assert check_gradients(lambda: (w**2).sum(), [w], [2 * w]).ok
    assert not check_gradients(lambda: float((w**2).sum()), [w], [3 * w]).ok


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_a_matrix_is_refused_and_a_copy_that_the_loss_reads_is_named():
    w = np.array([1.0, 2.0])
    with pytest.raises(TypeError, match=r"np.asarray\(w\)"):
        check_gradients(lambda: 1.0, {"w": np.matrix(w)}, {"w": w})
    copied = w.copy()
    report = check_gradients(lambda: (copied**2).sum(), {"w": w}, {"w": 2 * w})
    assert report.guilty[0].cause == "the loss does not change with it: it reads another array, or a copy"


def test_what_the_loss_prints_is_seen_once(capsys):
    w = np.array([1.0, 2.0])

    def loss():
        out = np.zeros(2)
        out[:] = w**2
        print("loss", out.sum())
        return out.sum()

    assert check_gradients(loss, [w], [2 * w]).ok
    assert capsys.readouterr().out == "loss 5.0\n"


@pytest.mark.parametrize(("factor", "said"), [(1.0, "Right"), (-1.0, "Wrong"), (1.001, "Wrong")])
def test_differences_at_a_kink_decide_what_they_can(factor, said):
    """One sample of seven lies on the kink: the gradient of b is known but for its part."""
    rng = np.random.default_rng(4)
    x, w, b = rng.normal(size=(7, 4)), rng.normal(size=(4, 5)), np.zeros(5)
    x[2] = 0

    def loss():
        h = np.zeros((7, 5))
        for i in range(7):
            h[i] = [max(0.0, value) for value in x[i] @ w + b]
        return (h * np.arange(1, 6)).sum()

    d = (x @ w + b > 0) * np.arange(1.0, 6)
    report = check_gradients(loss, {"w": w, "b": b}, {"w": x.T @ d, "b": factor * d.sum(0)})
    by_name = {row.quantity: row for row in report.rows}
    assert by_name["gradient of w"].status != "wrong"
    if factor == -1:
        assert guilty(report) == ["b"]
    else:
        assert [name for name, _ in report.not_compared] == ["gradient of b"]
    wrong = check_gradients(loss, {"w": w, "b": b}, {"w": factor * (x.T @ d), "b": d.sum(0)})
    assert wrong.verdict.startswith(said)


def test_differences_of_all_entries_tell_the_cause():
    w = np.array([[1.0, 2.0, -1.5], [0.5, -0.7, 3.0]])

    def loss():
        out = np.zeros(w.shape)
        out[:] = w**3
        return out.sum()

    d = 3 * w**2
    assert check_gradients(loss, {"w": w}, {"w": d}).ok
    assert check_gradients(loss, {"w": w}, {"w": -d}).guilty[0].cause == "the sign is wrong"
    assert check_gradients(loss, {"w": w}, {"w": d * np.array([[1], [0]])}).guilty[0].code == "dead-unit"


def test_beside_a_kink_each_parameter_is_moved_up_alone_and_then_down():
    parameters = {"a": np.ones(5), "b": np.ones(5)}
    given = matched("check_gradients", parameters, {"a": np.ones(5), "b": np.ones(5)})
    read = ReadLoss(lambda: (parameters["a"] * parameters["b"]).sum(), parameters, given.parameters)
    with requiring(given.parameters.values()):
        chain = Asked(read, given, read.checked()).followed(None, strict=False)
        found = [[claim.places[0].value - 1 for claim in chain.nearby(draw).claims] for draw in range(2, 6)]
    signs = [[{int(sign) for sign in step.sign()} for step in steps] for steps in found]
    assert signs == [[{1}, {0}], [{-1}, {0}], [{0}, {1}], [{0}, {-1}]]
