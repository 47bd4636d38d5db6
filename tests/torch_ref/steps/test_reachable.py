from contextlib import suppress
from functools import wraps

import numpy as np
import pytest

from torch_ref.steps.reachable import reachable_kept


class Layer:
    def __init__(self):
        self.x, self.seen = None, []

    def forward(self, x):
        self.x, self.new = x, x
        self.seen.append(x)
        return x


class Network:
    def __init__(self):
        self.layers, self.cache = (Layer(), Layer()), {"by name": [Layer()]}
        self.itself = self

    def forward(self, x):
        self.cache["x"] = x
        for layer in (*self.layers, self.cache["by name"][0]):
            layer.forward(x)
        return x


OF_THE_MODULE = Network()


def by_closure():
    network = Network()
    return network, lambda x: network.forward(x)


def by_another_function():
    network, inner = by_closure()

    def outer(x):
        return inner(x)

    return network, wraps(outer)(lambda x: outer(x))


def by_name():
    return OF_THE_MODULE, lambda x: OF_THE_MODULE.forward(x)


def by_method():
    network = Network()
    return network, network.forward


@pytest.mark.parametrize("way", [by_closure, by_another_function, by_name, by_method])
def test_what_a_function_keeps_is_put_back_also_where_it_raises(way):
    network, forward = way()
    with suppress(RuntimeError), reachable_kept(forward):
        forward(np.ones(2))
        assert "x" in network.cache
        raise RuntimeError
    for layer in (*network.layers, network.cache["by name"][0]):
        assert vars(layer) == {"x": None, "seen": []}
    assert [*network.cache] == ["by name"]


def test_long_lists_are_kept_and_not_looked_into():
    data = [Layer() for _ in range(1001)]

    def forward(x):
        data.append(x)
        data[0].forward(x)

    with reachable_kept(forward):
        forward(1)
    assert len(data) == 1001
    assert data[0].x == 1


def test_a_function_without_code_of_its_own_reaches_nothing():
    with reachable_kept(len):
        pass
    with reachable_kept(np.tanh):
        pass
