import itertools

import numpy as np
import pytest
from tests.torch_ref.followed.against_numpy import check

AXES = ("", ", axis=0", ", axis=1", ", axis=-1", ", axis=(0, 1)", ", keepdims=True", ", axis=0, keepdims=True")

REDUCTIONS = [
    f"np.{name}({array}{axis})"
    for name, array, axis in itertools.product(("sum", "mean", "std", "var", "max", "min", "prod"), "ad", AXES)
]

METHODS = [
    f"a.{name}({axis})"
    for name, axis in itertools.product(
        ("sum", "mean", "std", "var", "max", "min", "prod", "cumsum", "argmax", "argmin", "argsort", "any", "all"),
        ("", "axis=0", "axis=-1", "1"),
    )
    if (name, axis) != ("argsort", "")
]

@pytest.mark.parametrize("source", REDUCTIONS + METHODS)
def test_reduces_as_numpy_does(source):
    check(source)


@pytest.mark.parametrize("source", REDUCTIONS[::3] + METHODS[::3])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_reduces_in_its_own_dtype(source, dtype):
    check(source, dtype)
