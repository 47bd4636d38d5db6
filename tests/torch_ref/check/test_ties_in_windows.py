"""Max pooling of equal numbers in a chain: any of them may get the gradient of its window, or a share of it."""

from collections.abc import Callable, Iterator
from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from torch_ref import check_chain, check_function

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


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_of_equal_rows_that_share_many_units_the_first_may_get_everything(dtype: torch.dtype) -> None:
    """No move of the rows makes the first the largest in every unit, and tanh is 1 in some: still it is a choice."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, 2, generator=generator, dtype=dtype)
    x[:, 2], w = x[:, 0], 4 * torch.randn(2, 5, generator=generator, dtype=dtype)

    def right(d: Tensor, x: Tensor, w: Tensor, share: float = 0.0) -> tuple[Tensor, Tensor]:
        h = torch.tanh(x @ w)
        where = h.argmax(1, keepdim=True)
        d_a = torch.zeros_like(h).scatter_(1, where, d[:, None]) * (1 - h * h)
        d_a[:, 2] += share * d_a[:, 0]
        return d_a @ w.T, torch.einsum("sti,sto->io", x, d_a)

    def checked(share: float) -> bool:
        def backward(d: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
            return right(d, x, w, share)

        return check_function(lambda x, w: torch.tanh(x @ w).amax(1), backward, [x, w], power=False).ok

    assert checked(0.0)
    assert not checked(1.0), "what belongs to one of them is given twice"


def test_a_window_that_gets_what_belongs_to_others_is_found_far_from_the_first() -> None:
    a = torch.zeros(1, 1, 20, 20).requires_grad_() * 1.0
    y = functional.max_pool2d(a, 2)
    d_a = torch.zeros(a.shape)
    d_a[..., ::2, ::2] = 1.0
    assert check_chain(y.sum(), {"a": (a, d_a)}).ok
    d_a[..., 14:16, 14:16] = 1.0  # four times, and three others never: all together is right
    for where in ((16, 16), (18, 16), (16, 18)):
        d_a[..., where[0], where[1]] = 0.0
    report = check_chain(y.sum(), {"a": (a, d_a)})
    assert [row.quantity for row in report.guilty] == ["gradient of a"]


def test_numbers_that_are_a_ten_millionth_apart_are_no_tie() -> None:
    for apart, is_right in ((0.0, True), (1e-7, False)):
        a = torch.tensor([[[[1.0, 1.0 - apart], [0.0, 0.5]]]], dtype=torch.float64).requires_grad_() * 1.0
        d_a = torch.zeros_like(a)
        d_a[0, 0, 0, 1] = 1.0
        assert check_chain(functional.max_pool2d(a, 2).sum(), {"a": (a, d_a)}).ok is is_right
