"""One expression on arrays and on followed arrays: the same value, dtype and shape, and the gradient of differences."""

from __future__ import annotations

import numpy as np
import torch

from torch_ref.followed.array import Followed
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
        "a": signed(3, 4), "b": signed(4), "c": signed(3, 1), "d": signed(2, 3, 4), "e": signed(4, 5), "f": signed(2, 4, 3),
        "p": drawn(3, 4), "q": drawn(4), "s": signed(3, 3) + 2 * np.eye(3, dtype=dtype), "v": signed(6), "o": signed(1, 1),
        "z": drawn(),
    }  # fmt: skip


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
    given = follow(inputs(dtype))
    found = flattened(run(source, given))
    assert len(found) == len(expected)
    total = 0.0
    for mine, right in zip(found, expected, strict=True):
        assert isinstance(plain(mine), np.floating if isinstance(right, float) else type(right)), type(plain(mine))
        assert np.shape(mine) == np.shape(right), (np.shape(mine), np.shape(right))
        if isinstance(right, np.ndarray | np.generic):
            assert plain(mine).dtype == right.dtype, (plain(mine).dtype, right.dtype)
        eps = {2: 2e-3, 4: 2e-6}.get(getattr(right, "dtype", np.dtype(float)).itemsize, 1e-12)
        np.testing.assert_allclose(plain(mine), right, rtol=eps, atol=eps)
        if isinstance(mine, Followed):
            total = total + (mine.tensor * weights(right)).sum()
    if dtype == np.float64 and isinstance(total, torch.Tensor) and total.requires_grad:
        check_gradients(source, given, total)


def weights(right):
    """Return what each entry of a result counts in the sum that is differentiated."""
    return torch.from_numpy(np.cos(np.arange(np.size(right)) + 1.0)).reshape(np.shape(right))


def check_gradients(source, given, total):
    """Assert that the gradients of a sum are its central differences."""
    names = [name for name in given if _is_used(source, name)]
    found = torch.autograd.grad(total, [given[name].leaf for name in names], allow_unused=True)
    for name, gradient in zip(names, found, strict=True):
        numbers = inputs()[name]
        differences = np.zeros_like(numbers)
        for place in np.ndindex(numbers.shape):
            up, down = (_at(source, name, place, h) for h in (1e-6, -1e-6))
            differences[place] = (up - down) / 2e-6
        gradient = np.zeros_like(numbers) if gradient is None else gradient.numpy()
        np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-7)


def _is_used(source, name):
    return name in source.replace("np.", "").replace("axis", "")


def _at(source, name, place, h):
    moved = inputs()
    moved[name][place] += h
    return sum(
        float((np.asarray(right) * weights(right).numpy()).sum())
        for right in flattened(run(source, moved))
        if np.asarray(right).dtype.kind == "f"
    )
