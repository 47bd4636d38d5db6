"""Mini-batches: standardised, shuffled, distorted, smoothed, started late and shared, in tensors that are made once."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from cases import assert_identical
from test_shifts import moved
from torch import Tensor

from manual_bp.training.images import batches as batches_py
from manual_bp.training.images.batches import Batches
from manual_bp.training.images.data import Images
from manual_bp.training.images.distortions import AFFINE, ELASTIC

CHANGES: tuple[dict[str, Any], ...] = ({}, {"shift": 1}, {"distortion": AFFINE}, {"distortion": ELASTIC})
changes = pytest.mark.parametrize("change", CHANGES, ids=["plain", "shift", "affine", "elastic"])
ORDER = (1, 9, 4, 3, 8, 6, 2, 7, 0, 5)  # of ten images, seed 0, epoch 1


def toy(n: int = 10) -> Images:
    return Images(torch.arange(n * 4).reshape(n, 2, 2).byte(), torch.arange(n) % 10)


def noise(n: int, height: int = 5, width: int = 4) -> Images:
    return Images(torch.randint(1, 256, (n, height, width), dtype=torch.uint8), torch.arange(n) % 10)


def made(images: Images, size: int, **options: Any) -> Batches:
    return Batches(images, size, **{"standard": images, "dtype": torch.float64, "device": "cpu", **options})


def kept(taken: Iterator[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
    return [(x.clone(), t.clone()) for x, t in taken]


def whole(taken: Iterator[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    x, t = zip(*kept(taken), strict=True)
    return torch.cat(x), torch.cat(t)


def pixels(images: Images, x: Tensor) -> Tensor:
    """Undo the standardisation."""
    deviation, mean = torch.std_mean(images.pixels.double())
    return (x * deviation + mean).round().reshape(-1, *images.pixels.shape[1:]).long()


def test_every_image_comes_once_with_a_smaller_last_batch() -> None:
    batches = made(toy(), 4)
    taken = kept(batches.shuffled(seed=3, epoch=1))
    assert [len(x) for x, _ in taken] == [4, 4, 2]
    assert len(batches) == 3
    assert sorted(torch.cat([t.argmax(1) for _, t in taken]).tolist()) == list(range(10))


def test_batches_are_standardised_and_keep_image_and_label_together() -> None:
    batches = made(toy(), 4)
    x, _ = whole(batches.in_order())
    assert x.mean().abs() < 1e-12
    assert (x.std() - 1).abs() < 1e-12
    ink = torch.arange(40).double()
    assert torch.allclose(x.flatten(), (ink - ink.mean()) / ink.std(), rtol=0, atol=1e-12)
    in_order = {t.argmax().item(): row.clone() for xs, ts in batches.in_order() for row, t in zip(xs, ts, strict=True)}
    for xs, ts in batches.shuffled(0, 5):
        for row, t in zip(xs, ts, strict=True):
            assert_identical(row, in_order[t.argmax().item()])


@changes
def test_the_order_belongs_to_seed_and_epoch(change: dict[str, Any]) -> None:
    """Whatever is drawn after it."""
    batches = made(toy(), 10, **change)

    def order(seed: int, epoch: int) -> tuple[int, ...]:
        ((_, t),) = batches.shuffled(seed, epoch)
        return tuple(t.argmax(1).tolist())

    torch.manual_seed(99)
    first = order(0, 1)
    torch.manual_seed(1)
    assert order(0, 1) == first
    assert len({order(seed, epoch) for seed in range(4) for epoch in range(4)}) == 16
    assert first == ORDER, "a checkpoint of an earlier version would go on with another order"


@changes
def test_batches_reuse_their_memory(change: dict[str, Any]) -> None:
    batches = made(toy(), 4, **change)
    pointers = {(len(x), x.data_ptr(), t.data_ptr()) for epoch in range(3) for x, t in batches.shuffled(0, epoch)}
    assert len(pointers) == 2


@pytest.mark.long(but=12)
@pytest.mark.parametrize("block", [1, 4, 6, 8, 100])
@pytest.mark.parametrize("n", [8, 9, 23])
@changes
def test_the_block_in_which_batches_are_gathered_changes_nothing(
    block: int, n: int, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same batches, each size in the same two tensor objects: a recorded step asks for that."""
    ((x, t),) = made(toy(n), n, **change).shuffled(0, 1)
    monkeypatch.setattr(batches_py, "BLOCK", block)
    batches = made(toy(n), 4, **change)
    objects: dict[int, set[tuple[int, int]]] = {}
    for _ in range(2):
        rows = kept(batches.shuffled(0, 1))
        assert [len(batch) for batch, _ in rows] == [4] * (n // 4) + [n % 4] * (n % 4 > 0)
        assert_identical(torch.cat([batch for batch, _ in rows]), x)
        assert_identical(torch.cat([target for _, target in rows]), t)
        for batch, target in batches.shuffled(0, 1):
            objects.setdefault(len(batch), set()).add((id(batch), id(target)))
    assert all(len(pairs) == 1 for pairs in objects.values())


def test_a_batch_larger_than_the_data_is_the_data() -> None:
    ((x, _),) = made(toy(), 2**40).in_order()
    assert len(x) == 10


def test_a_batch_that_is_a_block_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches_py, "BLOCK", 8)
    for size, copied in ((4, True), (8, False)):
        room = made(toy(16), size)._rooms[size]
        assert (room.t.data_ptr() != room.targets.data_ptr()) == copied


@pytest.mark.long
def test_shuffled_shifts_at_random_what_it_would_have_taken_anyway() -> None:
    """Every image is a shift of the one that came without; all shifts come, equally often; in order none comes."""
    images = noise(900)
    batches, plain = made(images, 100, shift=1), made(images, 100)
    found: dict[tuple[int, int], int] = {}
    (x, t), (y, u) = whole(batches.shuffled(0, 1)), whole(plain.shuffled(0, 1))
    assert_identical(t, u)
    moves = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    for image, source in zip(pixels(images, x), pixels(images, y), strict=True):
        (move,) = (move for move in moves if torch.equal(moved(source, *move), image))
        found[move] = found.get(move, 0) + 1
    assert sorted(found) == moves
    assert all(abs(count - 900 / 9) < 5 * (900 / 9) ** 0.5 for count in found.values())
    assert_identical(whole(batches.in_order())[0], whole(plain.in_order())[0])


@pytest.mark.parametrize("change", CHANGES[1:], ids=str)
def test_shifts_and_distortions_belong_to_seed_and_epoch(change: dict[str, Any]) -> None:
    batches = made(noise(8), 8, **change)
    first = whole(batches.shuffled(0, 1))[0]
    others = [whole(batches.shuffled(*key))[0].sort(0).values for key in ((0, 2), (1, 1))]
    assert_identical(whole(batches.shuffled(0, 1))[0], first)
    assert not any(torch.equal(first.sort(0).values, other) for other in others)


@changes
@pytest.mark.parametrize("n", [20, 23])
@pytest.mark.parametrize("part", [(0, 1), (1, 3)])
def test_an_epoch_that_starts_late_is_the_rest_of_the_whole_one(
    n: int, change: dict[str, Any], part: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches_py, "BLOCK", 8)
    batches = made(noise(n), 4, part=part, **change)
    epoch = kept(batches.shuffled(2, 3))
    for start in range(len(batches) + 1):
        rest = kept(batches.shuffled(2, 3, start=start))
        assert len(rest) == len(batches) - start
        for mine, expected in zip(rest, epoch[start:], strict=True):
            assert_identical(mine[0], expected[0])
            assert_identical(mine[1], expected[1])


def test_a_start_beyond_the_epoch_is_named() -> None:
    for start in (-1, 4):
        with pytest.raises(ValueError, match=f"to start at one of its 3 batches, got {start}"):
            made(toy(), 4).shuffled(0, 1, start=start)


def test_skipped_batches_are_not_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    gathered: list[int] = []
    gather = Batches._gather
    counted = lambda self, rows, *rest: (gathered.append(len(rows)), gather(self, rows, *rest))  # noqa: E731
    monkeypatch.setattr(Batches, "_gather", counted)
    assert len(kept(made(toy(), 4).shuffled(0, 1, start=1))) == 2
    assert sum(gathered) == 6


@pytest.mark.long(but=12)
@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("n", [8, 9, 23])
@changes
def test_all_parts_together_are_the_whole_batch(
    count: int, n: int, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where some get no row: batches of 4 for 5 processes."""
    monkeypatch.setattr(batches_py, "BLOCK", 8)
    images = noise(n)
    alone = kept(made(images, 4, **change).shuffled(0, 1))
    parts = [kept(made(images, 4, part=(rank, count), **change).shuffled(0, 1)) for rank in range(count)]
    for (x, t), *shares in zip(alone, *parts, strict=True):
        for rank, (mine, my_t) in enumerate(shares):
            assert_identical(mine, torch.tensor_split(x, count)[rank])
            assert_identical(my_t, torch.tensor_split(t, count)[rank])


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_each_process_knows_where_its_rows_begin(count: int) -> None:
    for size in (1, 5, 8, 9):
        batches = [made(toy(9), size, part=(rank, count)) for rank in range(count)]
        begins = [rows[:1].tolist() for rows in torch.arange(size).tensor_split(count)]
        assert [begin or [size] for begin in begins] == [[one.first_row(size)] for one in batches]


def test_a_part_of_a_smaller_last_batch_has_tensors_of_its_own() -> None:
    """Of 5 and then 4 rows the second of two processes gets 2 each time, but a loss divides by 5, then by 4."""
    first, last = [(x, t) for x, t in made(toy(9), 5, part=(1, 2)).in_order()]
    assert len(first[0]) == len(last[0]) == 2
    assert first[0].data_ptr() != last[0].data_ptr()
    assert first[1].data_ptr() != last[1].data_ptr()


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_label_smoothing_shares_out_part_of_the_target(smoothing: float) -> None:
    batches = made(toy(), 4, label_smoothing=smoothing)
    _, t = whole(batches.in_order())
    eye = torch.eye(10, dtype=torch.float64)
    assert_identical(t, (1 - smoothing) * eye + smoothing / 10)
    assert torch.allclose(t.sum(1), torch.ones(10, dtype=torch.float64), rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("size", "options", "message"),
    [
        (0, {}, "a batch size of at least 1, got 0"),
        (2, {"shift": -1}, "a shift from 0 to below the side of 3 x 4 images, got -1"),
        (2, {"shift": 3}, "a shift from 0 to below the side of 3 x 4 images, got 3"),
        (2, {"shift": 1, "distortion": AFFINE}, "a shift or a distortion, got both"),
        (2, {"label_smoothing": -0.1}, "a label_smoothing from 0 to below 1, got -0.1"),
        (2, {"label_smoothing": 1.0}, "a label_smoothing from 0 to below 1, got 1.0"),
        (2, {"label_smoothing": float("nan")}, "a label_smoothing from 0 to below 1, got nan"),
        (2, {"part": (-1, 2)}, r"a rank from 0 to count - 1, got \(-1, 2\)"),
        (2, {"part": (2, 2)}, r"a rank from 0 to count - 1, got \(2, 2\)"),
        (2, {"part": (0, 0)}, r"a rank from 0 to count - 1, got \(0, 0\)"),
    ],
    ids=str,
)
def test_a_number_out_of_range_is_named(size: int, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"Batches expects .*{message}"):
        made(noise(5, 3, 4), size, **options)


def test_images_that_are_none_or_of_one_colour_are_named() -> None:
    blank = Images(torch.zeros(3, 2, 2).byte(), torch.zeros(3).long())
    with pytest.raises(ValueError, match="images that are not all one colour"):
        made(blank, 2)
    with pytest.raises(ValueError, match="at least one image, got none"):
        made(Images(torch.zeros(0, 2, 2).byte(), torch.zeros(0).long()), 2, standard=toy())


@pytest.mark.parametrize("part", [(0, 1), (0, 3)])
@pytest.mark.parametrize("count", [3, 9, 99])
@changes
def test_examples_are_the_first_images_of_epoch_1(change: dict[str, Any], count: int, part: tuple[int, int]) -> None:
    """As many as are asked for, or as there are."""
    images = noise(10)
    batches = made(images, 4, part=part, **change)
    examples = batches.distorted(7, count)
    assert (examples is None) == (not change)
    if examples is not None:
        x = whole(batches.shuffled(7, 1))[0][:count]
        assert_identical(examples, (x * batches.deviation + batches.mean).view(-1, 5, 4))
        assert -1e-9 < examples.min() < examples.max() < 255 + 1e-9
