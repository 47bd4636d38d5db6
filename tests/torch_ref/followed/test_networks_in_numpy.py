import time

import numpy as np
import pytest
import torch

from tests.torch_ref.followed.networks import FOLLOWED, NOT_FOLLOWED
from torch_ref.followed.array import Followed
from torch_ref.followed.cannot import CannotFollow
from torch_ref.followed.differences import differences
from torch_ref.followed.follow import follow, plain
from torch_ref.numbers.containers import leaves_of


def name_of(network):
    return network.__name__


def in_dtype(parameters, dtype):
    return {
        name: [part.astype(dtype) for part in value] if isinstance(value, list) else value.astype(dtype)
        for name, value in parameters.items()
    }


@pytest.mark.parametrize("network", FOLLOWED, ids=name_of)
def test_a_network_is_followed_as_it_is(network):
    parameters = in_dtype(FOLLOWED[network], np.float64)
    given = follow(parameters)
    loss = network(given)
    assert isinstance(loss, Followed)
    np.testing.assert_allclose(plain(loss), network(parameters), rtol=1e-13)
    leaves = [leaf for _, leaf in leaves_of(given)]
    gradients = torch.autograd.grad(loss.tensor, [leaf.leaf for leaf in leaves])
    arrays = [array for _, array in leaves_of(parameters)]
    for gradient, array in zip(gradients, arrays, strict=True):
        found = differences(lambda: network(parameters), array)
        known = found.uncertainties < 1e-5
        assert known.mean() > 0.9
        apart = np.abs(gradient.numpy().reshape(-1)[found.indices] - found.values)
        assert (apart <= 3 * found.uncertainties + 1e-9)[known].all()


@pytest.mark.parametrize("network", FOLLOWED, ids=name_of)
def test_numbers_and_dtype_are_those_of_numpy_in_float32(network):
    parameters = in_dtype(FOLLOWED[network], np.float32)
    found, right = plain(network(follow(parameters))), network(parameters)
    assert found.dtype == right.dtype
    np.testing.assert_allclose(found, right, rtol=1e-4)


@pytest.mark.parametrize("network", NOT_FOLLOWED, ids=name_of)
def test_a_network_that_cannot_be_followed_says_so(network):
    with pytest.raises(CannotFollow):
        network(follow(NOT_FOLLOWED[network]))


def test_a_network_of_a_hundred_thousand_parameters_takes_little_time():
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(64, 784)), rng.integers(0, 10, 64)
    parameters = follow({"W1": rng.normal(size=(784, 128)) * 0.05, "W2": rng.normal(size=(128, 10)) * 0.1})
    start = time.process_time()
    hidden = np.maximum(x @ parameters["W1"], 0)
    scores = np.exp(hidden @ parameters["W2"])
    scores /= scores.sum(1, keepdims=True)
    loss = -np.log(scores[np.arange(64), labels]).mean()
    torch.autograd.grad(loss.tensor, [array.leaf for array in parameters.values()])
    assert time.process_time() - start < 2.0
