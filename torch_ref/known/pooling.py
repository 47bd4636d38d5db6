"""The poolings: the largest pixel of each window (P1) or their mean (P3), and the errors sent back (P2, P4)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from manual_bp import AvgPool2d, MaxPool2d
from torch_ref.known.images import OVERWRITTEN, View, of_images, of_some_windows
from torch_ref.known.pooling_faults import OF_AVERAGE, OF_MAXIMUM
from torch_ref.known.registry import Formula, Known
from torch_ref.known.scene import Candidate, Scene

MAXIMUM = {
    "forward": Formula("P1", "y_cpq = max_ij x_cuv", "y"),
    "error": Formula("P2", "e_cuv = Σ_pq e_cpq, over the windows whose largest pixel it is", "e"),
}
AVERAGE = {
    "forward": Formula("P3", "y_cpq = Σ_ij x_cuv / (k_h k_w)", "y"),
    "error": Formula("P4", "e_cuv = Σ_pq e_cpq / (k_h k_w), over the windows that hold it", "e"),
}

# ---------------------------------------------------------------------------------------------------------- forward


def of_maximum(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in y = max_ij x (P1)."""
    view, columns = View.of(s), View.of(s).read(s.x)
    yield Candidate("another-function", "the mean of the window, not its largest pixel", columns.mean((2, 3)))
    yield Candidate("another-function", "the sum of the window, not its largest pixel", columns.sum((2, 3)))
    yield Candidate("another-function", "the smallest pixel of the window", columns.amin((2, 3)))
    yield Candidate("another-function", "the largest |x| of the window", columns.abs().amax((2, 3)))
    yield from _of_window(s, columns)
    for code, text, other in view.others():
        yield Candidate(code, text, other.read(s.x).amax((2, 3)))


def of_average(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in y = Σ_ij x / (k_h k_w) (P3)."""
    view, columns = View.of(s), View.of(s).read(s.x)
    total = columns.sum((2, 3))
    for text, divisor in _divisors(view):
        yield Candidate("wrong-divisor", text, total / divisor, {"divisor": divisor})
    yield Candidate("another-function", "the largest pixel of the window, not their mean", columns.amax((2, 3)))
    yield from _of_window(s, columns)
    for code, text, other in view.others():
        yield Candidate(code, text, other.read(s.x).mean((2, 3)))


def _of_window(s: Scene, columns: Tensor) -> Iterator[Candidate]:
    """Yield one pixel for each window, or one window for all."""
    yield Candidate("one-pixel", "one pixel of each window only (the first)", columns[:, :, 0, 0])
    yield Candidate("one-pixel", "one pixel of each window only (the last)", columns[:, :, -1, -1])
    text = "one window only (the first): all others repeat it"
    yield Candidate("one-window", text, s.right[:, :, :1, :1].expand_as(s.right))
    yield from of_images(s)


# --------------------------------------------------------------------------------------------------------- backward


def of_maximum_s_error(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in Σ e over the windows whose largest pixel it is (P2)."""
    e, view = s.error, View.of(s)
    columns = view.read(s.x)
    winners, sent = _one_place(columns, "first"), e[:, :, None, None]
    ties = (columns == columns.amax((2, 3), keepdim=True)).to(e.dtype)
    yield Candidate("wrong-winner", "of equal pixels each one gets the whole error", view.added(ties * sent))
    shared = ties / ties.sum((2, 3), keepdim=True)
    yield Candidate("wrong-winner", "of equal pixels each one gets a share of the error", view.added(shared * sent))
    last = view.added(_one_place(columns, "last") * sent)
    yield Candidate("wrong-winner", "of equal pixels the last one gets the error", last)
    yield Candidate("wrong-winner", "the smallest pixel gets it", view.added(_one_place(-columns, "first") * sent))
    if view.kernel[0] == view.kernel[1]:
        text = "row and column of the largest pixel are exchanged"
        yield Candidate("wrong-winner", text, view.added(winners.transpose(2, 3) * sent))
    yield Candidate("error-to-all-pixels", "every pixel of the window gets the whole error", _to_all(view, e))
    text = "every pixel of the window gets an equal share: that is the mean's"
    yield Candidate("error-to-all-pixels", text, _to_all(view, e / view.pixels))
    yield from _to_one_pixel(view, e)
    times_x = view.added(winners * sent * columns)
    yield Candidate("input-too-often", "x is multiplied in (the slope of a maximum is 1)", times_x)
    yield from _of_windows(s, view, winners)
    for code, text, other in view.others():
        yield Candidate(code, text, other.added(winners * sent))


def of_average_s_error(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in Σ e / (k_h k_w) over the windows that hold the pixel (P4)."""
    e, view = s.error, View.of(s)
    for text, divisor in _divisors(view):
        yield Candidate("wrong-divisor", text, _to_all(view, e) / divisor, {"divisor": divisor})
    text = "divided by the number of windows that hold the pixel"
    yield Candidate("wrong-divisor", text, _to_all(view, e) / view.holding(e))
    winners = _one_place(view.read(s.x), "first")
    text = "the largest pixel of the window gets it all: that is the maximum's"
    yield Candidate("another-function", text, view.added(winners * e[:, :, None, None]))
    yield from _to_one_pixel(view, e)
    share = torch.full((1, 1, *view.kernel, 1, 1), 1 / view.pixels, dtype=e.dtype, device=e.device)
    yield from _of_windows(s, view, share)
    for code, text, other in view.others():
        yield Candidate(code, text, _to_all(other, e / view.pixels))


def _one_place(columns: Tensor, which: str) -> Tensor:
    """Return 1 at the first or last of the largest pixels of each window, else 0."""
    pixels = columns.flatten(2, 3)
    count = pixels.shape[2]
    is_largest = pixels == pixels.amax(2, keepdim=True)
    number = torch.arange(count, device=pixels.device)[:, None, None]
    at = torch.where(is_largest, number, count).amin(2) if which == "first" else (is_largest * number).amax(2)
    return (number == at[:, :, None]).to(columns.dtype).view(columns.shape)


def _to_all(view: View, e: Tensor) -> Tensor:
    return view.added(e[:, :, None, None].expand(-1, -1, *view.kernel, -1, -1))


def _to_one_pixel(view: View, e: Tensor) -> Iterator[Candidate]:
    """Yield the whole error at the first and at the last place of each window."""
    for name, place in (("first", 0), ("last", -1)):
        kept = e.new_zeros(*e.shape[:2], *view.kernel, *view.windows)
        kept[:, :, place, place] = e
        yield Candidate("one-pixel", f"one pixel of each window only (the {name})", view.added(kept))


def _of_windows(s: Scene, view: View, weights: Tensor) -> Iterator[Candidate]:
    """Yield errors of x where some windows are left out, or overwrite each other; each place has its weight."""
    sent = weights * s.error[:, :, None, None]
    for overwritten in (*view.overwritten(sent), *view.overwritten(sent, weights.expand(sent.shape))):
        yield Candidate("windows-overwritten", OVERWRITTEN, overwritten)
    for code, text, some in of_some_windows(s.error):
        yield Candidate(code, text, view.added(weights * some[:, :, None, None]))
    yield from of_images(s)


def _divisors(view: View) -> Iterator[tuple[str, float]]:
    """Yield what the sum over a window may be divided by, in place of the number of its pixels."""
    yield "not divided by the number of pixels in a window", 1.0
    for side, name in zip(view.kernel, ("height", "width"), strict=True):
        text = f"divided by the {name} of the window, where the number of its pixels is meant"
        yield text, float(side)
    yield "divided twice by the number of pixels in a window", float(view.pixels**2)


OF_MAX = {"forward": of_maximum, "error": of_maximum_s_error}
OF_MEAN = {"forward": of_average, "error": of_average_s_error}
MAX_POOLING = Known(MaxPool2d, MAXIMUM, OF_MAX, OF_MAXIMUM, chapter="convolution")
AVERAGE_POOLING = Known(AvgPool2d, AVERAGE, OF_MEAN, OF_AVERAGE, chapter="convolution")
