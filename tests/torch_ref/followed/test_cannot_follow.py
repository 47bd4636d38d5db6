"""Where following ends: every way out of a followed array that would lose its history raises, and says which it was."""

import copy
import math

import numpy as np
import pytest
import torch

from torch_ref.followed.array import Followed, FollowedArray
from torch_ref.followed.cannot import CannotFollow
from torch_ref.followed.follow import follow

ENDS = {
    "float(x[0, 0])": "float",
    "math.log(x.sum())": "math.log",
    "'%f' % x[0, 0]": "float",
    "np.zeros(3).__setitem__(0, x[0, 0])": "a plain number",
    "np.zeros(3).__setitem__(slice(None), x[0])": "plain array",
    "np.zeros(3).__iadd__(x[0])": "np.add",
    "np.add(1, x, out=np.zeros((2, 3)))": "np.add",
    "np.add.at(np.zeros(3), [0, 1], x[0, :2])": "np.add.at",
    "np.multiply.at(x, [0, 1], 2.0)": "np.multiply.at",
    "np.copyto(np.zeros(3), x[0])": "np.copyto",
    "np.sum(x, axis=0, out=np.zeros(3))": "np.sum",
    "np.dot(x, x.T, np.zeros((2, 2)))": "np.dot",
    "np.array(x)": "np.array",
    "np.array([x[0], x[1]])": "np.array",
    "np.array([x.sum(), 1.0])": "np.array",
    "np.asarray(x)": "np.asarray",
    "np.ascontiguousarray(x)": "plain array",
    "np.array(x, dtype=object)": "plain array",
    "np.mean([x[0, 0], x[1, 1]])": "plain array",
    "np.full((2, 3), x[0, 0])": "plain array",
    "np.fromiter((v for v in x[0]), float)": "float",
    "np.zeros((2, 3)).dot(x.T)": "plain array",
    "np.random.normal(x[0], 1)": "plain array",
    "np.lib.stride_tricks.as_strided(x, (2, 2))": "plain array",
    "np.vectorize(lambda v: v * 2)(x)": "plain array",
    "np.frompyfunc(lambda v: v * 2, 1, 1)(x)": "(vectorized)",
    "np.fft.fft(x)": "np.fft.fft",
    "np.percentile(x, 30)": "np.percentile",
    "np.linalg.svd(x)": "np.linalg.svd",
    "np.apply_along_axis(np.sum, 0, x)": "np.apply_along_axis",
    "np.piecewise(x, [x > 3], [lambda v: v * 2])": "np.piecewise",
    "np.interp(x, [0, 1], [0, 1])": "np.interp",
    "np.histogram([0, 1], weights=x[0, :2])": "np.histogram",
    "np.bincount([0, 1], weights=x[0, :2])": "np.bincount",
    "np.fill_diagonal(x, 0)": "np.fill_diagonal",
    "np.put(x, [0], 1)": "np.put",
    "np.place(x, x > 3, 1)": "np.place",
    "np.modf(x)": "np.modf",
    "np.divmod(x, 2)": "np.divmod",
    "np.einsum(x, [0, 1], [0])": "np.einsum",
    "np.add.reduceat(x, [0, 1])": "np.add.reduceat",
    "np.sum(x, dtype=complex)": "complex",
    "x * 1j": "complex",
    "x.astype(complex)": "complex",
    "x.put([0], 1)": "x.put",
    "x.view(np.int64)": "x.view",
    "x.tobytes()": "x.tobytes",
}


@pytest.mark.parametrize("source", ENDS)
def test_what_would_lose_the_history_is_refused_by_its_name(source):
    x = follow(np.arange(6.0).reshape(2, 3) + 1)
    with pytest.raises(CannotFollow) as raised:
        eval(source, {"np": np, "math": math, "x": x})
    assert ENDS[source] in str(raised.value)
    assert "\n" not in str(raised.value)


MIRRORED = {
    "u = t[::-1]; t[0] = 0; r = u * 2": "is written to afterwards",
    "u = t[::-1]; u[0] = 0": "writing into a view with a negative step",
    "u = t[::-1][1:]; u[0] = 0": "writing into a view with a negative step",
    "u = np.flip(t).T; u += 1": "writing into a view with a negative step",
    "u = t[::-1][1:]; t[0] = 0; r = u.sum()": "is written to afterwards",
}


@pytest.mark.parametrize("source", MIRRORED)
def test_a_mirrored_view_is_no_copy_in_silence(source):
    names = {"np": np, "t": follow(np.arange(6.0).reshape(2, 3)) * 1}
    with pytest.raises(CannotFollow, match=MIRRORED[source]):
        exec(source, names)


LETS_GO = ["float(x[0, 0])", "np.array(x)", "np.asarray(x).sum()", "'%.1f' % x.sum()", "np.percentile(x, 30)", "x * 1j"]


@pytest.mark.parametrize("source", LETS_GO)
def test_without_a_history_there_is_none_to_lose(source):
    array = np.arange(6.0).reshape(2, 3)
    found = eval(source, {"np": np, "x": FollowedArray(torch.from_numpy(array))})
    assert np.array_equal(found, eval(source, {"np": np, "x": array}))


def test_text_truth_and_whole_numbers_are_given():
    x = follow(np.array([[1.5, 2.0, 3.0]]))
    assert f"{x[0, 0]:.2f} {x}" == "1.50 [[1.5 2.  3. ]]"
    assert repr(x) == "array([[1.5, 2. , 3. ]])"
    assert int(x[0, 0]) == 1
    assert bool(x[0, 0])
    assert 2.0 in x
    with pytest.raises(ValueError, match="truth value"):
        bool(x)


def test_errors_are_those_of_numpy():
    x = follow(np.ones((2, 3)))
    for wrong, error in (
        (lambda: x[2], IndexError),
        (lambda: x @ x, ValueError),
        (lambda: x + np.ones(4), ValueError),
        (lambda: x.reshape(4), ValueError),
        (lambda: x.sum(axis=2), np.exceptions.AxisError),
        (lambda: np.concatenate([x, np.ones(3)]), ValueError),
        (lambda: x.__setitem__(0, np.ones(2)), ValueError),
        (lambda: len(x.sum()), TypeError),
        (lambda: x.not_there, AttributeError),
        (lambda: hash(x), TypeError),
        (lambda: np.linalg.inv(x), np.linalg.LinAlgError),
    ):
        with pytest.raises(error):
            wrong()


def test_it_passes_for_an_array_where_types_are_asked_for():
    x = follow(np.ones((2, 3), np.float32))
    assert isinstance(x, np.ndarray)
    assert isinstance(x, Followed)
    assert isinstance(x.sum(), np.float32)
    assert isinstance(follow(np.ones(2)).sum(), float)
    assert not isinstance(x.sum(), np.ndarray)
    assert x.nbytes == 24


def test_a_copy_keeps_the_history_and_lies_elsewhere():
    x = follow(np.ones(3))
    for copied in (copy.copy(x), copy.deepcopy(x), x.copy(), np.copy(x)):
        copied[0] = 5
        assert copied.tensor.requires_grad
    assert x.tensor.tolist() == [1.0, 1.0, 1.0]


def test_a_tensor_without_fractions_is_refused():
    with pytest.raises(TypeError, match=r"got torch\.int64"):
        Followed(torch.arange(3))
