"""Max pooling of equal numbers in a chain: any of them may get the gradient of its window, or a share of it."""

from collections.abc import Callable, Iterator
from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from torch_ref import check_chain

Windows = list[tuple[tuple[slice, ...], tuple[int, ...]]]
"""Of each window where it lies in x, and where its largest number stands in y."""


def windows_of(x: Tensor, y: Tensor, kernel: int, stride: int, padding: int) -> Iterator[tuple]:
    """Yield where each window lies in x, and where its largest number stands in y."""
    for place in product(*map(range, y.shape)):
        starts = [i * stride - padding for i in place[2:]]
        yield (*place[:2], *(slice(max(s, 0), max(s + kernel, 0)) for s in starts)), place


def winners(largest: Tensor, how: str) -> Tensor:
    """Return which share of a window's gradient each of its numbers gets."""
    at = largest.flatten().nonzero().flatten()
    found = torch.zeros(largest.numel())
    found[{"first": at[:1], "last": at[-1:]}.get(how, at)] = 1 / len(at) if how == "shared" else 1.0
    return found.reshape(largest.shape)


POOLINGS = {
    "2d": (lambda x: functional.max_pool2d(x, 2), (2, 2, 4, 4), (2, 2, 0)),
    "2d, overlapping and padded": (lambda x: functional.max_pool2d(x, 3, stride=2, padding=1), (2, 1, 5, 5), (3, 2, 1)),
    "3d": (lambda x: functional.max_pool3d(x, 2), (1, 2, 2, 4, 4), (2, 2, 0)),
    "adaptive": (lambda x: functional.adaptive_max_pool2d(x, 2), (2, 1, 4, 4), (2, 2, 0)),
}


@pytest.mark.long(but=4)
@pytest.mark.parametrize("how", ["first", "last", "shared", "all"])
@pytest.mark.parametrize("pooling", POOLINGS.values(), ids=list(POOLINGS))
def test_the_largest_of_a_window_get_its_gradient_once(
    pooling: tuple[Callable[[Tensor], Tensor], tuple[int, ...], tuple[int, int, int]], how: str
) -> None:
    pool, shape, sizes = pooling
    x = torch.randint(0, 2, shape).float().requires_grad_()
    a = x * 1.0
    y = pool(a)
    weights = torch.randn(y.shape)
    d_a = torch.zeros(shape)
    for where, place in windows_of(a, y, *sizes):
        box = a.detach()[where]
        d_a[where] += winners(box == box.max(), how) * weights[place]
    report = check_chain((y * weights).sum(), {"y": (y, weights), "a": (a, d_a), "x": (x, d_a)})
    if how == "all":
        assert [row.quantity for row in report.guilty] == ["gradient of a"]
        assert "it is the gradient of x" not in report.verdict  # which is made of it
    else:
        assert report.ok, report
        assert how == "first" or "gradient of x: right by itself; in the whole pass it is another" in report.verdict
