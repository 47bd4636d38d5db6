"""A quick share of ``tests/bits.py``: every row of its table, in few shapes."""

import pytest
import torch
from bits import LAYERS, NETWORKS, counted, is_equal
from cases import DTYPES

from manual_bp import Sigmoid

SHAPES = 12


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: str(dtype)[6:])
def test_a_layer_is_equal_to_autograd_to_the_last_bit_in_any_shape(name: str, dtype: torch.dtype) -> None:
    assert counted(name, dtype, 1, SHAPES) == (SHAPES, SHAPES)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: str(dtype)[6:])
def test_networks_are_equal_after_some_updates(dtype: torch.dtype) -> None:
    assert counted(NETWORKS, dtype, 1, SHAPES, updates=10) == (2, 2)


def test_another_order_of_operations_is_seen() -> None:
    class Sigmoid2(Sigmoid):
        def backward(self, error, saved, out=None):
            return error * (saved * (1 - saved)), {}

    x = torch.randn(33, 50)
    assert is_equal(Sigmoid(), x)
    assert not is_equal(Sigmoid2(), x)
