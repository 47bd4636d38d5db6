import numpy as np
import pytest

from torch_ref.followed.cannot import CannotFollow
from torch_ref.followed.differences import differences

X = np.random.default_rng(0).normal(size=(40, 12))


def tanh_case(dtype, inside=np.float64):
    w = np.random.default_rng(1).normal(size=(12, 5)).astype(dtype)
    z = X @ w.astype(np.float64)
    right = X.T @ (2 * np.tanh(z) * (1 - np.tanh(z) ** 2) / z.size)
    return w, lambda: np.mean(np.tanh(X.astype(inside) @ w.astype(inside)) ** 2), right


@pytest.mark.parametrize(
    ("dtype", "inside", "most"),
    [(np.float64, np.float64, 1e-8), (np.float32, np.float32, 1e-3), (np.float64, np.float32, 1e-3)],
)
def test_every_derivative_lies_within_its_uncertainty(dtype, inside, most):
    w, loss, right = tanh_case(dtype, inside)
    found = differences(loss, w)
    assert found.is_whole
    assert (np.abs(found.values - right.reshape(-1)) <= found.uncertainties).all()
    assert found.uncertainties.max() < most


def test_a_kink_within_the_step_is_uncertain_and_no_other_entry_is():
    w = np.array([0.5, 1e-7, -0.5])
    found = differences(lambda: np.maximum(w, 0).sum(), w)
    assert found.uncertainties[1] > 0.4
    assert found.uncertainties[[0, 2]].max() < 1e-8
    assert found.values[[0, 2]].tolist() == pytest.approx([1, 0])


def test_a_jump_and_numbers_that_are_not_finite_are_uncertain():
    w = np.array([1e-9, 0.5, 1.0])
    with np.errstate(all="ignore"):
        found = differences(lambda: float(w[0] > 0) + w[1] + 0 * np.log(1 - w[2]), w)
    assert found.uncertainties[0] > 1
    assert np.isinf(found.uncertainties[2])


def test_of_a_large_array_some_entries_are_drawn_the_same_each_time():
    w = np.ones((60, 50))
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    first, second = (differences(lambda: (w**2).sum(), w) for _ in range(2))
    assert len(first.indices) == 200
    assert not first.is_whole
    assert np.array_equal(first.indices, second.indices)
    assert not np.array_equal(first.indices, differences(lambda: (w**2).sum(), w, seed=1).indices)
    assert np.array_equal(np.random.get_state()[1], before)
    assert first.values == pytest.approx(np.full(200, 2.0), abs=1e-6)


def test_entries_are_put_back_also_where_the_function_raises():
    w = np.arange(4.0).reshape(2, 2).T
    before, calls = w.copy(), []

    def loss():
        calls.append(1)
        if len(calls) == 7:
            raise RuntimeError("enough")
        return w.sum()

    with pytest.raises(RuntimeError, match="enough"):
        differences(loss, w)
    assert np.array_equal(w, before)
    differences(lambda: (w**3).sum(), w)
    assert np.array_equal(w, before)


def test_arrays_of_any_shape_do():
    w = np.array(2.0)
    assert differences(lambda: w**2, w).values.tolist() == pytest.approx([4])
    assert len(differences(lambda: 1.0, np.empty((0, 3))).values) == 0


def test_what_cannot_be_changed_in_small_steps_is_refused():
    with pytest.raises(CannotFollow, match="got int64"):
        differences(lambda: 0.0, np.arange(3))
    with pytest.raises(CannotFollow, match="cannot be written to"):
        differences(lambda: 0.0, np.broadcast_to(1.0, (3,)))
