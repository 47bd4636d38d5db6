"""Images as rows: the same numbers in another shape."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from manual_bp import Flatten
from torch_ref.known.registry import Formula, Known
from torch_ref.known.scene import Candidate, Scene

FORMULAS = {
    "forward": Formula("-", "y = x as rows, channel by channel, each row by row", "y"),
    "error": Formula("-", "e = the error of y, in the shape of x", "e"),
}

TEXT = "the numbers are in another order: pixel by pixel, where channel by channel is meant"


def of_forward(s: Scene) -> Iterator[Candidate]:
    """Yield the orders in which images may be read by mistake."""
    for code, text, axes in ORDERS:
        yield Candidate(code, text, s.x.permute(axes).flatten(1))


def of_error(s: Scene) -> Iterator[Candidate]:
    """Yield the orders in which rows may be put into images by mistake."""
    for code, text, axes in ORDERS:
        yield Candidate(code, text, _put(s.error, s.x, axes))


ORDERS = (
    ("columns-mixed", TEXT, (0, 2, 3, 1)),
    ("transposed", "rows and columns of the image are exchanged", (0, 1, 3, 2)),
)


def _put(rows: Tensor, like: Tensor, axes: tuple[int, ...]) -> Tensor:
    moved = like.permute(axes)
    back = sorted(range(len(axes)), key=axes.__getitem__)
    return rows.reshape(moved.shape).permute(back)


def _for_images(s: Scene) -> bool:
    return s.x.ndim == 4


FLATTEN = Known(
    Flatten,
    FORMULAS,
    {
        "forward": lambda s: of_forward(s) if _for_images(s) else iter(()),
        "error": lambda s: of_error(s) if _for_images(s) else iter(()),
    },
    chapter="convolution",
)
