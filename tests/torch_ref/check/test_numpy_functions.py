"""check_function on functions of numpy, and on a forward that keeps a cache for backward."""

import math

import numpy as np
import pytest
import torch

from torch_ref import check_function

rng = np.random.default_rng(0)
X, W, B = rng.normal(size=(5, 4)), rng.normal(size=(4, 3)), rng.normal(size=3)


def layer_forward(x, w, b):
    out = np.tanh(x @ w + b)
    return out, (x, w, out)


def layer_backward(d_out, cache):
    x, w, out = cache
    d = d_out * (1 - out**2)
    return d @ w.T, x.T @ d, d.sum(axis=0)


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    e /= e.sum(axis=1, keepdims=True)
    return e


def softmax_backward(d, x):
    y = softmax(x)
    return y * (d - (d * y).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_layer_with_a_cache_is_followed(dtype):
    inputs = [array.astype(dtype) for array in (X, W, B)]
    before = [array.copy() for array in inputs]
    report = check_function(layer_forward, layer_backward, inputs)
    assert report.ok, report
    assert [row.quantity for row in report.rows[1:]] == ["gradient of x", "gradient of w", "gradient of b"]
    assert not report.remarks
    assert all(np.array_equal(one, other) for one, other in zip(inputs, before, strict=True))
    assert report.dtype == {np.float64: torch.float64, np.float32: torch.float32}[dtype]


def test_a_wrong_gradient_is_named_with_its_cause_and_line():
    def backward(d_out, cache):
        d_x, d_w, d_b = layer_backward(d_out, cache)
        return d_x, 2 * d_w, d_b

    report = check_function(layer_forward, backward, [X, W, B])
    (guilty,) = report.guilty
    assert guilty.quantity == "gradient of w"
    assert guilty.cause == "a factor of 2"
    assert guilty.source.endswith(f":{backward.__code__.co_firstlineno}")


def test_a_row_for_a_vector_is_of_the_wrong_shape():
    def backward(d_out, cache):
        d_x, d_w, d_b = layer_backward(d_out, cache)
        return d_x, d_w, d_b[None]

    report = check_function(layer_forward, backward, [X, W, B])
    assert [(row.quantity, row.code) for row in report.guilty] == [("gradient of b", "wrong-shape")]


def test_without_a_cache_and_in_place():
    assert check_function(softmax, softmax_backward, [X]).ok
    report = check_function(softmax, lambda d, x: softmax(x) * d, [X])
    assert [row.quantity for row in report.guilty] == ["gradient of x"]


@pytest.mark.parametrize("reference", [lambda x: torch.softmax(x, 1), lambda x: np.exp(x) / np.exp(x).sum(1)[:, None]])
def test_a_reference_of_torch_or_of_numpy(reference):
    assert check_function(softmax, softmax_backward, [X], reference=reference).ok
    wrong = check_function(lambda x: 2 * softmax(x), softmax_backward, [X], reference=reference)
    assert "output" in [row.quantity for row in wrong.guilty]


def test_parameters_in_a_dict_labels_and_the_cache_of_a_loss_alone():
    labels = np.array([0, 2, 1, 1, 0])

    def forward(x, y, p):
        probabilities = softmax(x.dot(p["W"]) + p["b"])
        return -np.log(probabilities[np.arange(len(x)), y]).mean(), (x, y, p, probabilities)

    def backward(cache, scale=1.0):
        x, y, p, d = *cache[:3], cache[3].copy()
        d[np.arange(len(x)), y] -= 1
        d *= scale / len(x)
        return d.dot(p["W"].T), None, {"W": x.T.dot(d), "b": d.sum(axis=0)}

    inputs = [X, labels, {"W": W, "b": B}]
    assert check_function(forward, backward, inputs).ok
    report = check_function(forward, lambda cache: backward(cache, scale=1.5), inputs)
    assert [row.quantity for row in report.guilty] == ["gradient of x", "gradient of p['W']", "gradient of p['b']"]


@pytest.mark.long(but=2)
@pytest.mark.parametrize("keep", [lambda x: {"x": x}, lambda x: x, lambda x: [x, None], lambda x: (x,)])
def test_torch_with_a_cache_of_any_kind(keep):
    def backward(d, cache):
        x = cache["x"] if isinstance(cache, dict) else cache if isinstance(cache, torch.Tensor) else cache[0]
        return d * 3 * x**2

    x = torch.randn(4, 3)
    assert check_function(lambda x: (x**3, keep(x)), backward, [x]).ok
    assert not check_function(lambda x: (x**3, keep(x)), lambda d, cache: 2 * backward(d, cache), [x]).ok
    assert check_function(lambda x: (x**3, keep(x)), backward, {"x": x}).ok


def test_a_module_as_forward_keeps_its_statistics():
    norm = torch.nn.BatchNorm1d(3)
    check_function(norm, lambda d, x: d, [torch.randn(4, 3)])
    assert norm.running_mean.tolist() == [0, 0, 0]
    assert norm.num_batches_tracked == 0


def test_a_module_is_a_reference_of_functions_of_numpy():
    norm = torch.nn.BatchNorm1d(4)

    def forward(x):
        centered = x - x.mean(axis=0)
        return centered / np.sqrt(x.var(axis=0) + 1e-5)

    def backward(d, x):
        y = forward(x)
        return (d - d.mean(axis=0) - y * (d * y).mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5)

    assert check_function(forward, backward, [X.astype(np.float32)], reference=norm).ok
    assert norm.running_mean.tolist() == [0, 0, 0, 0]


class Unit:
    """Keeps what it saw, and how often."""

    def forward(self, x):
        self.y = 1 / (1 + np.exp(-x))
        return self.y

    def backward(self, d, x):
        return d * self.y * (1 - self.y)


class Units:
    def __init__(self):
        self.units, self.seen = [Unit(), Unit()], {}

    def forward(self, x):
        self.seen["x"] = x
        for unit in self.units:
            x = unit.forward(x)
        return x

    def backward(self, d, x):
        for unit in reversed(self.units):
            d = unit.backward(d, x)
        return d


OF_THE_MODULE = Units()


def through_the_module(x):
    return OF_THE_MODULE.forward(x)


def test_an_object_of_the_module_keeps_plain_arrays():
    assert check_function(through_the_module, OF_THE_MODULE.backward, [X]).ok
    assert {type(unit.y) for unit in OF_THE_MODULE.units} == {np.ndarray}


@pytest.mark.parametrize("bound", [True, False])
def test_objects_that_keep_what_they_saw_keep_plain_arrays(bound):
    units = Units()
    forward = units.forward if bound else lambda x: units.forward(x)
    assert check_function(forward, units.backward, [X]).ok
    assert not check_function(forward, lambda d, x: 2 * units.backward(d, x), [X]).ok
    assert {type(kept) for kept in (units.seen["x"], *(unit.y for unit in units.units))} == {np.ndarray}


def test_a_dict_of_settings_is_left_as_it_was():
    def forward(x, settings):
        settings["mean"] = x.mean(axis=0)
        return x - settings["mean"]

    settings = {"mode": "train"}
    assert check_function(forward, lambda d, x, settings: d - d.mean(axis=0), [X, settings]).ok
    assert settings == {"mode": "train"}


def test_two_outputs_are_no_cache():
    report = check_function(lambda x: (x.sin(), x.cos()), lambda a, b, x: a * x.cos() - b * x.sin(), [torch.randn(4)])
    assert report.ok
    assert len(report.rows) == 3


def test_a_drawn_mask_is_the_same_in_forward_and_cache():
    def dropout(x):
        mask = (np.random.rand(*x.shape) < 0.5) / 0.5
        return x * mask, mask

    state = np.random.get_state()[1].copy()
    assert check_function(dropout, lambda d, mask: d * mask, [X]).ok
    assert not check_function(dropout, lambda d, mask: d, [X]).ok
    assert np.array_equal(np.random.get_state()[1], state)


def test_gradients_in_another_float_dtype_are_taken_as_they_are_worth():
    narrow = [array.astype(np.float32) for array in (X, W, B)]
    assert check_function(layer_forward, lambda d, c: tuple(g.astype(float) for g in layer_backward(d, c)), narrow).ok
    report = check_function(
        layer_forward, lambda d, c: tuple(g.astype(np.float32) for g in layer_backward(d, c)), [X, W, B]
    )
    assert report.ok
    assert "agrees to 7 digits" in report.verdict


def test_running_statistics_that_are_updated_in_place_are_named():
    def forward(x, mean):
        mean[:] = 0.9 * mean + 0.1 * x.mean(axis=0)
        return x - x.mean(axis=0)

    statistics = np.zeros(4)
    report = check_function(forward, lambda d, x, mean: (d - d.mean(axis=0), None), [X, statistics])
    assert report.ok
    assert [name for name, _ in report.not_compared] == ["gradient of mean"]
    assert not statistics.any()


@pytest.mark.parametrize("slope", [lambda x: x > 0, lambda x: x >= 0])
def test_at_a_kink_any_slope_between_is_right(slope):
    x = np.array([0.0, 1.0, -1.0, 0.0])
    assert check_function(lambda x: np.maximum(0, x), lambda d, x: d * slope(x), [x]).ok
    assert not check_function(lambda x: np.maximum(0, x), lambda d, x: d * 1.0, [x]).ok


def test_an_embedding_that_adds_up_and_one_that_does_not():
    words = np.array([[0, 1], [1, 1]])

    def backward(d, words, table, add):
        d_table = np.zeros_like(table)
        add(d_table, words, d[:, None, :])
        return None, d_table

    def overwrite(table, index, d):
        table[index] += d

    inputs = [words, rng.normal(size=(3, 2))]
    forward = lambda words, table: table[words].sum(axis=1)  # noqa: E731
    assert check_function(forward, lambda d, w, t: backward(d, w, t, np.add.at), inputs).ok
    assert not check_function(forward, lambda d, w, t: backward(d, w, t, overwrite), inputs).ok


# ------------------------------------------------------------------------------------------------ by differences


def recurrent_forward(x, h0, wx, wh):
    states, h = np.zeros((x.shape[0], x.shape[1], h0.shape[1])), h0
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ wx + h @ wh)
        states[:, t] = h
    return states, (x, h0, wx, wh, states)


def recurrent_backward(d_states, cache, through_time=1.0):
    x, h0, wx, wh, states = cache
    d_x, d_wx, d_wh, d_h = np.zeros_like(x), np.zeros_like(wx), np.zeros_like(wh), 0
    for t in reversed(range(x.shape[1])):
        d = (d_states[:, t] + through_time * d_h) * (1 - states[:, t] ** 2)
        before = states[:, t - 1] if t else h0
        d_x[:, t], d_h = d @ wx.T, d @ wh.T
        d_wx += x[:, t].T @ d
        d_wh += before.T @ d
    return d_x, d_h, d_wx, d_wh


def sequences(size=3):
    return [rng.normal(size=shape) for shape in ((2, 3, size), (2, 4), (size, 4), (4, 4))]


def test_what_is_written_into_zeros_is_compared_with_differences():
    report = check_function(recurrent_forward, recurrent_backward, sequences())
    assert report.ok, report
    assert report.outcome == "right, with remarks"
    assert "Autograd cannot follow forward: making a plain array" in report.verdict
    assert all(row.differences < 1e-8 for row in report.rows[1:])
    wrong = check_function(recurrent_forward, lambda d, c: recurrent_backward(d, c, through_time=0), sequences())
    assert [row.quantity for row in wrong.guilty] == [f"gradient of {name}" for name in ("x", "h0", "wx", "wh")]


def test_differences_name_cause_place_and_shape():
    def backward(d, cache):
        d_x, d_h0, d_wx, d_wh = recurrent_backward(d, cache)
        d_x[1, 0, 2] += 0.01
        return d_x, d_h0[0], d_wx, 2 * d_wh

    report = check_function(recurrent_forward, backward, sequences())
    guilty = {row.quantity: row for row in report.guilty}
    assert guilty["gradient of x"].isolated.worst == (1, 0, 2)
    assert guilty["gradient of x"].isolated.off == 1
    assert guilty["gradient of h0"].code == "wrong-shape"
    assert guilty["gradient of wh"].cause.startswith("a factor of 2")
    assert "gradient of wx" not in guilty


@pytest.mark.long
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_of_large_arrays_some_entries_are_compared(dtype):
    inputs = [array.astype(dtype) for array in sequences(60)]
    report = check_function(recurrent_forward, recurrent_backward, inputs)
    assert report.ok
    assert "of 200 entries drawn from each larger array" in report.verdict
    assert next(row for row in report.rows if row.quantity == "gradient of wx").isolated.count == 200

    def backward(d, cache):
        d_x, d_h0, d_wx, d_wh = recurrent_backward(d, cache)
        return d_x, d_h0, 1.001 * d_wx, d_wh

    assert [row.quantity for row in check_function(recurrent_forward, backward, inputs).guilty] == ["gradient of wx"]


def test_a_float_made_on_the_way_is_no_loss():
    def forward(x):
        return math.sqrt(np.sum(x**2))

    assert check_function(forward, lambda d, x: d * x / np.linalg.norm(x), [X]).ok
    assert not check_function(forward, lambda d, x: d * x, [X]).ok


def test_a_gradient_that_autograd_has_no_number_for_is_compared_with_differences():
    x, y = np.array([0.0, 0.5, 0.3]), np.array([0, 1, 1])

    def forward(x, y):
        with np.errstate(divide="ignore"):
            return np.where(y == 1, np.log(x), 0).sum()

    report = check_function(forward, lambda d, x, y: d * np.where(y == 1, 1 / np.maximum(x, 0.1), 0), [x, y])
    assert report.ok
    assert "not finite" in report.verdict


def test_an_entry_at_a_jump_is_not_compared_and_the_others_are():
    def forward(x):
        return float(x[0] > 0.5) + math.cos(x[1]) + math.sin(x[2])

    def backward(d, x):
        return d * np.array([0.0, -np.sin(x[1]), np.cos(x[2])])

    x = np.array([0.5, 1.0, 2.0])
    report = check_function(forward, backward, [x])
    assert report.ok
    assert (report.rows[1].isolated.skipped, report.rows[1].isolated.count) == (1, 2)
    assert not check_function(forward, lambda d, x: 1.01 * backward(d, x), [x]).ok


def test_where_no_difference_can_tell_nothing_is_called_right():
    report = check_function(lambda x: math.floor(x[0] * 1e7 % 7) + 0.0, lambda d, x: 0 * x, [np.array([0.3])])
    assert not report.ok
    assert report.outcome == "not compared"
    assert "too uncertain" in report.verdict


def test_a_gradient_smaller_than_the_doubt_is_not_called_right_and_zero_is():
    def forward(x, shift):
        return 1e6 + math.fsum(1e-6 * x) + 0 * float(shift[0])

    report = check_function(forward, lambda d, x, shift: (d * 1e-5 * np.ones(4), 0 * shift), [X[0], B])
    assert [name for name, _ in report.not_compared] == ["gradient of x"]
    assert [row.quantity for row in report.rows] == ["output", "gradient of shift"]
    assert not check_function(forward, lambda d, x, shift: (d * np.ones(4), 0 * shift), [X[0], B]).ok


@pytest.mark.parametrize(
    ("forward", "inputs", "error", "said"),
    [
        (torch.sin, [X], TypeError, "got input 0 as numpy array"),
        (lambda x, y: x * 1, [X, torch.ones(2)], TypeError, "got x as numpy array"),
        (lambda x: np.fft.fft(x), [X], TypeError, "expects forward to give arrays of float16"),
        (lambda x: x * np.random.default_rng().normal(), [X], ValueError, "the same numbers at every call"),
        (lambda x: x.__isub__(1.0), [X], ValueError, "it changes x in place: let it work on a copy"),
        (lambda x: x.not_there, [X], AttributeError, "not_there"),
        (lambda x: np.zeros(3), [X], ValueError, "its outputs do not depend on x"),
    ],
)
def test_what_cannot_be_checked_is_refused_in_one_sentence(forward, inputs, error, said):
    with pytest.raises(error, match=said):
        check_function(forward, lambda d, *_: d, inputs)


def test_second_derivatives_need_torch():
    with pytest.raises(TypeError, match="made of torch operations, got numpy arrays"):
        check_function(softmax, softmax_backward, [X], second_order=True)


def test_a_power_is_as_exact_as_the_rest() -> None:
    """An exponent that was moved by a rounding would give NaN of negative numbers, and hide what is wrong."""
    x = np.linspace(-2, 2, 12).reshape(3, 4)
    report = check_function(lambda x: x**2 + x**3, lambda d, x: d * (2 * x + 3 * x**2), [x])
    assert report.ok
    assert max(row.isolated.bound for row in report.rows) < 1e-12
    assert report.power.factor < 1e-5


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_several_outputs_and_a_cache(factor: float) -> None:
    def forward(x, h):
        a = np.tanh(x + h)
        return a, a * h, (a, h)

    def backward(d_a, d_c, cache):
        a, h = cache
        d_a = d_a + d_c * h
        d_z = d_a * (1 - a**2)
        return d_z, factor * (d_z + d_c * a)

    x, h = np.linspace(-1, 1, 6).reshape(2, 3), np.linspace(0, 1, 6).reshape(2, 3)
    report = check_function(forward, backward, [x, h])
    assert [row.quantity for row in report.guilty] == ["gradient of h"] * (factor != 1)
    assert len(report.rows) == 4


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_arguments_after_the_cache_are_inputs_of_the_same_name(activation: str) -> None:
    def forward(a, w, activation):
        z = w @ a
        return (np.maximum(0, z) if activation == "relu" else np.tanh(z)), ((a, w), z)

    def backward(d_a, cache, activation):
        (a, w), z = cache
        d_z = d_a * ((z > 0) if activation == "relu" else 1 - np.tanh(z) ** 2)
        return w.T @ d_z, d_z @ a.T

    a, w = np.random.default_rng(0).normal(size=(3, 5)), np.random.default_rng(1).normal(size=(4, 3))
    assert check_function(forward, backward, [a, w, activation]).ok
    assert not check_function(
        forward, lambda d, c, activation: (backward(d, c, activation)[0], w), [a, w, activation]
    ).ok


def test_the_gradient_of_a_number_is_named_and_not_compared() -> None:
    x = np.linspace(-1, 1, 5)
    report = check_function(lambda x, a: a * x**2, lambda d, x, a: (d * 2 * a * x, (d * x).sum()), [x, 2.0])
    assert report.ok
    assert [name for name, _ in report.not_compared] == ["gradient of a"]
    assert "give it as an array or a tensor" in report.verdict
    constant = check_function(lambda x, a: a * x**2, lambda d, x, a: (d * 2 * a * x, None), [x, 2.0])
    assert not constant.not_compared


def test_a_cache_that_has_a_default_comes_after_the_upstream_gradient() -> None:
    def backward(d, cache=None):
        return d * 3 * cache["x"] ** 2

    assert check_function(lambda x: (x**3, {"x": x}), backward, [X]).ok
    assert not check_function(lambda x: (x**3, {"x": x}), lambda d, cache=None: 2 * backward(d, cache), [X]).ok


def test_where_nothing_is_known_of_one_input_the_others_are_compared() -> None:
    def forward(x, y):
        return math.fsum(np.sqrt(x)) + math.fsum(y**2)

    report = check_function(forward, lambda d, x, y: (0 * x, d * 2 * y), [np.zeros(2), X[0]])
    assert report.ok
    assert [name for name, _ in report.not_compared] == ["gradient of x"]
    assert "gradient of y" in [row.quantity for row in report.rows]
