"""Arrays that a function reads without being given them: others stand in their place while it runs."""

import functools

import numpy as np
import pytest

from torch_ref.followed.swapped import swapped

GLOBAL = np.ones(2)


def reads_global():
    return GLOBAL


def calls_another():
    return reads_global()


class Net:
    def __init__(self, w):
        self.w = w
        self.layers = [{"w": w}, (w,)]
        self.inner = None

    def read(self):
        return self.w

    @property
    def first(self):
        return self.layers[0]["w"]

    @staticmethod
    def static():
        return GLOBAL


def doubled(value):
    return value * 2 if type(value) is np.ndarray else value


@pytest.mark.parametrize("function", [reads_global, calls_another, Net(np.ones(2)).read, Net(np.ones(2)).static])
def test_globals_methods_and_what_is_called(function):
    with swapped([function], doubled) as found:
        assert function().tolist() == [2, 2]
    assert found
    assert function().tolist() == [1, 1]


def test_a_closure_a_container_and_an_object():
    w, net = np.ones(2), Net(np.ones(2))
    params = {"w": w, "list": [w]}

    def read():
        return w, params["w"], params["list"][0], net.w, net.layers[0]["w"], net.first

    with swapped([read], doubled):
        assert all(array.tolist() == [2, 2] for array in read())
    assert all(array.tolist() == [1, 1] for array in read())
    assert params["w"] is w


def test_a_partial_and_a_lambda_inside_a_list():
    w = np.ones(2)
    net = Net(w)
    partial = functools.partial(lambda n: n.w, net)
    with swapped([[partial]], doubled):
        assert partial().tolist() == [2, 2]
    assert partial() is w


def test_everything_is_put_back_where_something_raises():
    net = Net(np.ones(2))
    before = net.w

    def fails():
        assert net.w is not before
        raise KeyError

    with pytest.raises(KeyError), swapped([net], doubled):
        fails()
    assert net.w is before


def test_objects_that_know_each_other_end():
    one, two = Net(np.ones(2)), Net(np.ones(3))
    one.inner, two.inner = two, one
    with swapped([one], doubled):
        assert two.w.tolist() == [2, 2, 2]
    assert two.w.tolist() == [1, 1, 1]


def test_a_variable_without_a_value_and_libraries_are_left_alone():
    def read():
        return np.sum(later)

    with swapped([read], doubled) as found:
        assert not found
    later = 1
    assert read() == 1
