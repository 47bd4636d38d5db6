from dataclasses import dataclass

import numpy as np
import pytest
import torch

from torch_ref.followed.array import Followed
from torch_ref.followed.follow import follow, plain


@dataclass(frozen=True)
class Layer:
    weight: np.ndarray
    name: str


def test_arrays_in_containers_are_followed_and_come_back_as_they_were():
    value = {"layers": [Layer(np.ones((2, 3)), "first")], "pair": (np.float32([1, 2]), 3), "labels": np.array([1, 2])}
    found = follow(value)
    assert isinstance(found["layers"][0].weight, Followed)
    assert found["pair"][0].dtype == np.float32
    assert type(found["labels"]) is np.ndarray
    back = plain(found)
    assert type(back["layers"][0].weight) is np.ndarray
    assert back["layers"][0].name == "first"
    assert back["pair"][0].tolist() == [1, 2]
    assert type(plain(found["pair"][0].sum())) is np.float32
    assert type(value["layers"][0].weight) is np.ndarray


def test_leaves_are_given_by_path():
    leaves = {"[0]": torch.tensor([3.0, 4.0], requires_grad=True)}
    first, second = follow([np.array([1.0, 2.0]), np.array([1.0])], lambda path, array: leaves.get(path))
    (first * 2).sum().tensor.backward()
    assert leaves["[0]"].grad.tolist() == [2.0, 2.0]
    assert plain(first).tolist() == [3.0, 4.0]
    assert type(second) is np.ndarray


def test_a_followed_array_is_left_as_it_is():
    x = follow(np.ones(2))
    assert follow([x])[0] is x


def test_one_array_in_two_places_is_one_followed_array():
    shared = np.ones(2)
    first, second = follow([shared, {"again": shared}])
    assert first is second["again"]


def test_writing_changes_neither_the_array_nor_the_leaf():
    array = np.ones(3)
    x = follow(array)
    x *= 2
    x[0] = 7
    (d,) = torch.autograd.grad((x**2).sum().tensor, x.leaf)
    assert array.tolist() == [1, 1, 1]
    assert x.leaf.tolist() == [1, 1, 1]
    assert d.tolist() == [0, 8, 8]


def test_plain_opens_arrays_of_objects():
    objects = np.empty(2, object)
    objects[0], objects[1] = follow(np.ones(2)), 3
    assert type(plain(objects)[0]) is np.ndarray


@pytest.mark.parametrize(
    "array", [np.ones((3, 4)).T, np.ones(6)[::-2], np.ones(4, ">f8"), np.broadcast_to(1.0, (2, 3))]
)
def test_arrays_lie_in_memory_as_they_like(array):
    found = follow(array)
    assert np.array_equal(plain(found * 1), array)


def test_the_slope_of_relu_at_zero_is_zero_however_it_is_written():
    for relu in (
        lambda x: np.maximum(0, x),
        lambda x: np.maximum(x, 0.0),
        lambda x: x * (x > 0),
        lambda x: np.where(x > 0, x, 0),
        lambda x: -np.minimum(-x, 0),
    ):
        x = follow(np.array([0.0, 2.0, -1.0, np.nan]))
        y = relu(x)
        (d,) = torch.autograd.grad(y.tensor[:3].sum(), x.leaf)
        assert d[:3].tolist() == [0, 1, 0]
    assert np.array_equal(plain(np.maximum(0, x)), np.maximum(0, plain(x)), equal_nan=True)
