"""The smallest share of a change that passes a limit, solved for, is the one that a search finds."""

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from torch_ref.numbers.power import At, Room
from torch_ref.numbers.witness import Level, levels

ALL = slice(None)
PLACES: dict[str, tuple[tuple[int, ...], At | None]] = {
    "a vector": ((5,), None),
    "an entry of a vector": ((5,), (slice(2, 3),)),
    "a matrix": ((4, 5), None),
    "a row of a matrix": ((4, 5), (slice(2, 3), ALL)),
    "an entry of a matrix": ((4, 5), (slice(2, 3), slice(1, 2))),
    "a block": ((3, 4, 5), None),
    "a part of a block": ((3, 4, 5), (slice(2, 3), ALL, ALL)),
    "an entry of a block": ((3, 4, 5), (slice(2, 3), slice(1, 2), slice(4, 5))),
}


def some(shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Return an error and a change of that shape."""
    return 0.1 * torch.randn(shape, dtype=dtype), 10 * torch.randn(shape, dtype=dtype)


def limits_of(error: Tensor, factor: float = 1.5) -> list[Level]:
    """Return limits that are a little above the error at every level."""
    return [Level(name, factor * norms + 1e-3, f) for name, norms, f in levels(error.abs() ** 2)]


def only(limits: Sequence[Level], name: str) -> list[Level]:
    """Return the limits with one level that counts."""
    return [one if one.name == name else one._replace(norms=torch.full_like(one.norms, math.inf)) for one in limits]


def passes(error: Tensor, change: Tensor, at: At | None, share: float, limits: Sequence[Level]) -> bool:
    """Tell whether an error passes a limit with a share of the change."""
    at = (ALL,) * error.ndim if at is None else at
    moved = error.clone()
    moved[at] += share * change[at]
    return any(
        bool((off > limit).any()) for (_, off, _), (_, limit, _) in zip(levels(moved.abs() ** 2), limits, strict=True)
    )


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_a_little_less_passes_no_limit_and_a_little_more_does(place: str, dtype: torch.dtype) -> None:
    shape, at = PLACES[place]
    error, change = some(shape, dtype)
    every = limits_of(error)
    for level in every:
        limits = only(every, level.name)
        share = Room(error, [limits]).smallest(change, at)
        assert share is not None, level.name
        assert not passes(error, change, at, share * (1 - 1e-6), limits), level.name
        assert passes(error, change, at, share * (1 + 1e-6), limits), level.name


@pytest.mark.parametrize("place", PLACES)
def test_the_first_of_several_limits_counts_and_of_two_sets_the_last(place: str) -> None:
    shape, at = PLACES[place]
    error, change = some(shape)
    near, far = limits_of(error), limits_of(error, 2.5)
    alone = [Room(error, [only(near, level.name)]).smallest(change, at) for level in near]
    least = Room(error, [near]).smallest(change, at)
    assert least == min(share for share in alone if share is not None)
    of_far = Room(error, [far]).smallest(change, at)
    assert least is not None
    assert of_far is not None
    assert least < of_far
    assert Room(error, [near, far]).smallest(change, at) == Room(error, [far, near]).smallest(change, at) == of_far


def test_a_change_is_divided_by_the_unit_in_which_errors_and_limits_are() -> None:
    error, change = some((4, 5))
    share = Room(error, [limits_of(error)]).smallest(change)
    assert Room(error, [limits_of(error)], unit=100.0).smallest(100 * change) == pytest.approx(share)


def test_what_is_beyond_a_limit_already_needs_no_change() -> None:
    error, change = some((4, 5))
    assert Room(error, [limits_of(error, 0.5)]).smallest(change) == 0.0


def test_all_of_a_change_may_be_too_little() -> None:
    error, change = torch.zeros(3), torch.tensor([3.0, 0.0, 4.0])

    def smallest(limit: float) -> float | None:
        limits = [Level("tensor", torch.tensor(limit), 1.0), Level("entry", torch.full((3,), math.inf), 1.0)]
        return Room(error, [limits]).smallest(change)

    assert smallest(5.0) == 1.0
    assert smallest(4.0) == pytest.approx(0.8)
    assert smallest(7.5) is None


def test_what_the_change_leaves_alone_is_not_seen() -> None:
    change = torch.tensor([0.3, 0.0, 0.4])
    limits = [Level("tensor", torch.tensor(9.0), 1.0), Level("entry", torch.full((3,), 0.1), 1.0)]
    assert Room(torch.zeros(3), [limits]).smallest(change) == pytest.approx(0.25)
    assert Room(torch.zeros(4, 5), [limits_of(torch.zeros(4, 5))]).smallest(torch.zeros(4, 5)) is None


@pytest.mark.parametrize("shape", [(4, 5), (4, 3, 5)])
@pytest.mark.parametrize("is_local", [False, True])
def test_some_of_the_rows_stand_for_all_of_them(shape: tuple[int, ...], is_local: bool) -> None:
    """Here every row comes three times, and each has one that is looked at."""
    error, change = some(shape)
    whole, of_whole = error.repeat_interleave(3, 0), change.repeat_interleave(3, 0)
    for level in limits_of(error):
        part, every = only(limits_of(error), level.name), only(limits_of(whole), level.name)
        small, large = ((slice(i, i + 1), *(ALL,) * (len(shape) - 1)) if is_local else None for i in (2, 6))
        every = [one._replace(norms=one.norms.sqrt() ** 2) for one in every]
        if level.name in ("tensor", "slice 1", "slice 2"):
            index = [one.name for one in part].index(level.name)
            every[index] = part[index]._replace(norms=part[index].norms * math.sqrt(3))
        found = Room(error, [part], every=3).smallest(change, small)
        assert found == pytest.approx(Room(whole, [every]).smallest(of_whole, large)), level.name
