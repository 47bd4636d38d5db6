"""Programs of random statements: what is written in place, and what is a view of what, decides what comes out."""

import numpy as np
import pytest
import torch

from torch_ref.followed.cannot import CannotFollow
from torch_ref.followed.follow import follow, plain

MAKE = """{a} + {b}
{a} * {b}
{a} @ {b}
np.tanh({a})
{a}.T
{a}[::-1]
{a}.reshape(-1).reshape(3, 3)
{a}.copy()
{a}[{i}:{i}+1] * np.ones((3, 1))
np.concatenate([{a}[:2], {b}[1:2]])
np.where({a} > {b}, {a}, {b})
{a} - {b}.mean(axis=1, keepdims=True)
np.sort({a}, axis=0)
{a}[:, [2, 0, 1]]
np.broadcast_to({a}[{i}], (3, 3)) * {b}
np.einsum('ij,jk->ik', {a}, {b})
np.maximum({a}, {b})""".splitlines()

CHANGE = """{a}[{i}] = {b}[{j}].copy()
{a}[:, {i}] += {b}[{j}]
{a}[{a} > 0.3] *= 0.5
{a} *= 0.5
{a} += {b}
{a}[[0, 2]] = {b}[[1, 1]]
t = {a}[{i}]; t += {b}[{j}]
t = {a}[{i}, {j}]; t += 1; {a} = {a} * t
np.add.at({a}, ([0, 0, {i}], {j}), {b}[:, 0])
np.multiply({a}, {b}, out={a})
{a} = np.exp(-{a} ** 2); {a} /= {a}.sum(axis=0, keepdims=True)
{a}[:] = {b}.T""".splitlines()


def program(rng, length):
    """Return statements on x and y, and at the end a sum in which every variable has its own weights."""
    names, lines = ["x", "y"], []
    for k in range(length):
        form = rng.choice([*MAKE, *CHANGE])
        a, b = rng.choice(names, 2)
        line = form.format(a=a, b=b, i=rng.integers(3), j=rng.integers(3))
        lines.append(f"v{k} = {line}" if form in MAKE else line.replace("; ", "\n"))
        names += [f"v{k}"] * (form in MAKE)
    weighed = (f"(np.cos(np.arange(9.0) * {i + 1} + {i}).reshape(3, 3) * {name})" for i, name in enumerate(names))
    return "\n".join([*lines, f"r = ({' + '.join(weighed)}).sum()"])


def run(source, x, y):
    names = {"np": np, "x": x, "y": y}
    exec(source, names)
    return names["r"]


@pytest.mark.long(but=60)
@pytest.mark.parametrize("seed", range(300))
def test_a_program_has_numpys_number_and_the_slope_of_differences(seed):
    rng = np.random.default_rng(seed)
    source = program(rng, rng.integers(3, 10))
    x, y, d_x, d_y = rng.normal(size=(4, 3, 3)) * 0.7
    given = follow([x, y])
    try:
        found = run(source, *given)
    except CannotFollow as error:
        if "negative step" not in str(error):  # x[::-1] and what it shows is written to
            raise
        return
    np.testing.assert_allclose(plain(found), run(source, x.copy(), y.copy()), rtol=1e-9, atol=1e-9)
    gradients = torch.autograd.grad(found.tensor, [array.leaf for array in given], allow_unused=True)
    slope = sum(float((g.numpy() * d).sum()) for g, d in zip(gradients, (d_x, d_y), strict=True) if g is not None)
    slopes = [
        (run(source, x + h * d_x, y + h * d_y) - run(source, x - h * d_x, y - h * d_y)) / (2 * h) for h in (1e-6, 3e-7)
    ]
    if abs(slopes[0] - slopes[1]) < 1e-5 * (1 + abs(slope)):  # else there is a kink nearby
        assert slope == pytest.approx(slopes[0], rel=1e-4, abs=1e-4)
