"""What a rounded run moves, by how much, and what it leaves alone; how long the longest sum is."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from torch_ref.numbers.rounding import LENGTH, Rounded, rounded_run

EPS = 1e-3
X = torch.linspace(1.0, 2.0, 100, dtype=torch.float64)


def rounded(code: Callable[..., Any], *given: Any, seed: int = 0, eps: float = EPS) -> Any:
    with Rounded(eps, seed):
        return code(*given)


def units(moved: Tensor, exact: Tensor, eps: float = EPS) -> set[int]:
    """Return by how many units numbers were moved."""
    return {round(float(u), 3) for u in ((moved / exact - 1) / eps).flatten().unique()}


def terms(code: Callable[..., Any], *given: Any) -> int:
    with Rounded(EPS, 0) as mode:
        code(*given)
    return mode.terms


@pytest.mark.parametrize(
    ("code", "exact"),
    [
        (lambda x: x * 3, X * 3),
        (lambda x: torch.add(x, x, alpha=2), X * 3),
        (lambda x: x.clone().add_(1), X + 1),
        (lambda x: torch.outer(x, x), torch.outer(X, X)),
        (lambda x: x.view(10, 10) @ torch.ones(10, 30).double(), X.view(10, 10) @ torch.ones(10, 30).double()),
    ],
    ids=["product", "arguments by name", "in place", "outer product", "matrix product"],
)
def test_what_rounds_is_moved_by_one_unit_up_or_down(code: Callable[..., Any], exact: Tensor) -> None:
    x = X.clone()
    assert units(rounded(code, x), exact) == {-1, 1}
    assert torch.equal(x, X)


@pytest.mark.parametrize(
    "code",
    [
        torch.relu,
        lambda x: x.view(10, 10).t(),
        lambda x: x[3:],
        lambda x: x.max(),
        lambda x: torch.where(x > 1.5, x, 0.0),
        lambda x: x.view(10, 10).sort(1).values,
        lambda x: x.detach(),
        lambda x: x.clone(),
        lambda x: torch.cat([x, x]),
        lambda x: (10 * x).int(),
        lambda x: torch.arange(5) + torch.arange(5),
        lambda x: x > 1.5,
        lambda x: x[:0] * 2,
    ],
)
def test_what_chooses_or_moves_numbers_rounds_none(code: Callable[..., Any]) -> None:
    x = X.clone()
    seen = rounded(code, x) if code(x).is_floating_point() else rounded(lambda x: code(x) * 1, x)
    assert torch.equal(seen, code(X)) or not code(x).is_floating_point()
    assert torch.equal(x, X)


def test_what_returns_no_tensor_is_left_alone() -> None:
    assert rounded(lambda x: torch.equal(x, x), X) is True


def test_equal_seeds_give_equal_roundings_and_the_global_generator_is_left_alone() -> None:
    state = torch.get_rng_state()
    first, again, other = (rounded(lambda x: x * 3, X, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert torch.equal(rounded(lambda x: x * 3, X, seed=1), first)


def test_two_equal_operations_round_in_two_ways() -> None:
    one, other = rounded(lambda x: (x * 3, x * 3), X)
    assert not torch.equal(one, other)


def test_a_number_is_moved_by_no_less_than_its_own_dtype_can_show() -> None:
    x = torch.ones(100)
    moved = rounded(lambda x: x * 1, x, eps=1e-12)
    assert moved.dtype == torch.float32
    assert units(moved, x, torch.finfo(torch.float32).eps) == {-1, 1}
    assert rounded(lambda x: x * 1, x.double()).dtype == torch.float64


@pytest.mark.parametrize("size", [LENGTH, LENGTH + 3, 2 * LENGTH, 2 * LENGTH + 3])
def test_every_number_of_a_large_tensor_is_moved(size: int) -> None:
    x = torch.ones(size, dtype=torch.float64)
    mode = Rounded(EPS, 0)
    assert mode.move(x) is x
    assert units(x, torch.ones(size)) == {-1, 1}
    apart = torch.ones(2, size, dtype=torch.float64).t()
    assert mode.move(apart) is apart
    assert units(apart, torch.ones(size, 2)) == {-1, 1}


# ---------------------------------------------------------------------------------------------------- the longest sum


@pytest.mark.parametrize(
    ("code", "shapes", "longest"),
    [
        (lambda x: x * x, [(100,)], 1),
        (lambda x: x.sum(), [(100,)], 100),
        (lambda x: x.sum(0), [(10, 20)], 20),
        (lambda x: x.mean(1), [(8, 4)], 8),
        (lambda x: x.sum((1, 2)), [(2, 3, 4)], 12),
        (lambda x: x.sum().add(x[0]), [(100,)], 100),
        (lambda x: (x.sum(), x[:4].sum()), [(100,)], 100),
        (lambda x: x.cumsum(0), [(30,)], 30),
        (lambda x: torch.softmax(x, 1), [(3, 40)], 40),
        (lambda x, w: x @ w, [(3, 50), (50, 400)], 50),
        (lambda x, w: x @ w, [(5, 1), (1, 6)], 1),
        (torch.addmm, [(1,), (3, 50), (50, 400)], 50),
        (torch.dot, [(50,), (50,)], 50),
        (lambda x: functional.interpolate(x, scale_factor=4.0), [(1, 1, 3)], 3),
        (lambda: torch.linspace(0.0, 1.0, 5), [], 1),
        (lambda x: x.argmax() + x.long().sum(), [(100,)], 1),
        (lambda x: x[:0].cumsum(0), [(100,)], 1),
    ],
)
def test_the_longest_sum_is_counted(code: Callable[..., Any], shapes: list[tuple[int, ...]], longest: int) -> None:
    assert terms(code, *(torch.ones(shape, dtype=torch.float64) for shape in shapes)) == longest


# ------------------------------------------------------------------------------------------------------ a whole run


def test_what_is_given_is_moved_too_and_what_is_fixed_is_exact() -> None:
    given = {"x": X.clone(), "index": torch.arange(3)}

    def evaluate(g: dict[str, Tensor], f: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"x": g["x"].clone(), "t": f["t"].clone(), "index": g["index"], "sum": g["x"].sum()}

    found, longest = rounded_run(evaluate, given, {"t": X}, EPS, 0)
    assert units(found["x"], X) == {-1, 1}
    assert torch.equal(found["t"], X)
    assert torch.equal(found["index"], torch.arange(3))
    assert torch.equal(given["x"], X)
    assert longest == 100


def test_the_operations_of_a_run_are_rounded() -> None:
    found, _ = rounded_run(lambda g, f: {"y": f["t"] * 3}, {"x": X}, {"t": X}, EPS, 0)
    assert units(found["y"], 3 * X) == {-1, 1}
