"""One expression on arrays and on followed arrays: the same value, dtype and shape, and the gradient of differences."""

from __future__ import annotations

import re

import numpy as np
import torch

from torch_ref.followed.array import Followed, FollowedArray
from torch_ref.followed.follow import follow, plain


def inputs(dtype=np.float64):
    """Return arrays by the names that the expressions use; no two numbers are alike, and none is near 0."""
    rng = np.random.default_rng(0)

    def drawn(*shape):
        size = int(np.prod(shape))
        return (rng.permutation(np.linspace(0.15, 0.85, size or 1))[:size].reshape(shape)).astype(dtype)

    def signed(*shape):
        return drawn(*shape) * rng.choice([-1, 1], shape).astype(dtype)

    return {
        "a": signed(3, 4),
        "b": signed(4),
        "c": signed(3, 1),
        "d": signed(2, 3, 4),
        "e": signed(4, 5),
        "f": signed(2, 4, 3),
        "p": drawn(3, 4),
        "q": drawn(4),
        "s": signed(3, 3) + 2 * np.eye(3, dtype=dtype),
        "v": signed(6),
        "o": signed(1, 1),
        "z": drawn(),
    }


def run(source, arrays):
    """Return what an expression gives, or statements that set ``r``."""
    i = np.array([0, 2, 2])
    names = {"np": np, "i": i, "m": np.array([True, False, True, True]), "n32": np.float32(1.5), **arrays}
    names |= {"w32": np.linspace(0.5, 1, 4, dtype=np.float32), "w64": np.linspace(0.5, 1, 4), "k": np.arange(1, 5)}
    names |= {"windows": np.lib.stride_tricks.sliding_window_view}
    if "\n" in source or ";" in source or " = " in source.split("(")[0]:
        exec(source.replace("; ", "\n"), names)
        return names["r"]
    return eval(source, names)


def flattened(result):
    """Return the arrays and numbers of a result, one after the other."""
    if isinstance(result, tuple | list):
        return [part for one in result for part in flattened(one)]
    return [result]


def check(source, dtype=np.float64):
    """Assert that an expression gives on followed arrays what it gives on arrays."""
    expected = flattened(run(source, inputs(dtype)))
    _check_values(source, expected, {name: FollowedArray(torch.from_numpy(a)) for name, a in inputs(dtype).items()})
    given = follow(inputs(dtype))
    total = _check_values(source, expected, given)
    if dtype == np.float64 and isinstance(total, torch.Tensor) and total.requires_grad:
        check_gradients(source, given, total)


def _check_values(source, expected, given):
    """Assert that values, dtypes and shapes are numpy's; return a sum of what is followed."""
    found = flattened(run(source, given))
    assert len(found) == len(expected)
    total = 0.0
    for mine, right in zip(found, expected, strict=True):
        assert isinstance(plain(mine), np.floating if isinstance(right, float) else type(right)), type(plain(mine))
        assert np.shape(mine) == np.shape(right), (np.shape(mine), np.shape(right))
        if isinstance(right, np.ndarray | np.generic):
            assert plain(mine).dtype == right.dtype, (plain(mine).dtype, right.dtype)
        digits = min(getattr(right, "dtype", np.dtype(float)).itemsize, given["a"].dtype.itemsize)
        eps = {2: 2e-3, 4: 2e-6}.get(digits, 1e-12)
        np.testing.assert_allclose(plain(mine), right, rtol=eps, atol=eps)
        if isinstance(mine, Followed):
            total = total + (mine.tensor * weights(right)).sum()
    return total


def weights(right):
    """Return what each entry of a result counts in the sum that is differentiated."""
    return torch.from_numpy(np.cos(np.arange(np.size(right)) + 1.0)).reshape(np.shape(right))


def check_gradients(source, given, total):
    """Assert that the gradients of a sum have its slopes along two directions for each array."""
    names = [name for name in given if re.search(rf"\b{name}\b", source)]
    found = torch.autograd.grad(total, [given[name].leaf for name in names], allow_unused=True)
    for name, gradient in zip(names, found, strict=True):
        numbers = inputs()[name]
        gradient = np.zeros_like(numbers) if gradient is None else gradient.numpy()
        for direction in np.random.default_rng(1).normal(size=(2, *numbers.shape)):
            up, down = (_at(source, name, h * direction) for h in (1e-6, -1e-6))
            np.testing.assert_allclose((gradient * direction).sum(), (up - down) / 2e-6, rtol=1e-6, atol=2e-7)


def _at(source, name, step):
    moved = inputs()
    moved[name] += step
    results = (np.asarray(right) for right in flattened(run(source, moved)))
    return sum(float((right * weights(right).numpy()).sum()) for right in results if right.dtype.kind == "f")
