"""Masks that are others: reversed, shifted, with another threshold; bounds that are missing; a ReLU's mask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from torch_ref.causes.rewrites import Codes, Mistake, Site, argument, number_at, with_argument
from torch_ref.steps.program import Call, Rewrite

MASK = Codes.all("wrong-mask")

COMPARED: dict[str, tuple[str, ...]] = {
    "gt": ("lt", "ge"),
    "lt": ("gt", "le"),
    "ge": ("le", "gt"),
    "le": ("ge", "lt"),
    "eq": ("ne",),
    "ne": ("eq",),
    "logical_and": ("logical_or",),
    "and": ("or",),
}


def of_comparison(site: Site) -> Iterator[Mistake]:
    """Yield what may be wrong with a mask, or with what makes one."""
    name, args = site.name, site.call.args
    if name == "clamp":
        yield from _of_bounds(site)
    if name in ("relu", "leaky_relu"):
        yield from _of_relu(site)
    if name in COMPARED or name == "logical_not":
        numbers = [(i, a) for i, a in enumerate(args) if isinstance(a, int | float) and not isinstance(a, bool)]
        yield from _of_comparison(site, numbers)
    if name in ("where", "masked_fill"):
        (path, mask) = next((one for one in site.operands if one[1].dtype == torch.bool), ((), None))
        if mask is not None:
            yield from _of_mask(site, path, mask)
        text = "what is masked is 0, not the number that is meant"
        yield Mistake(MASK, text, site.everywhere(_filled_with_zero))


def _of_relu(site: Site) -> Iterator[Mistake]:
    only = MASK._replace(function="", value="")
    for t in (0.5, 1.0, -1.0, -0.5):
        rewrite = _of_first(_relu_above(t))
        yield Mistake(only, f"the mask of the {site.name} has the threshold {t:g}", site.everywhere(rewrite))
    yield Mistake(only, f"the mask of the {site.name} is reversed", site.everywhere(_of_first(lambda x: -(-x).relu())))


def _relu_above(threshold: float) -> Callable[[Tensor], Tensor]:
    return lambda x: (x - threshold).relu()


def _rolled(by: int, d: int) -> Callable[[Tensor], Tensor]:
    return lambda mask: mask.roll(by, d)


def _of_first(function: Callable[[Tensor], Tensor]) -> Rewrite:
    return lambda call, args, kwargs: function(args[0])


def _of_bounds(site: Site) -> Iterator[Mistake]:
    for i, key in ((1, "min"), (2, "max")):
        if key in site.call.kwargs or len(site.call.args) > i:
            text = f"the bound {key} of the clamp is missing"
            yield Mistake(MASK, text, site.everywhere(_unbounded(i, key)))
    text = "what lies outside gets the gradient, what lies inside does not"
    yield Mistake(MASK._replace(function="", value=""), text, site.everywhere(_outside))


def _unbounded(i: int, key: str) -> Rewrite:
    def rewrite(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        other = with_argument(args, (i,), None) if len(args) > i else args
        left = [*other[1:], kwargs.get("min"), kwargs.get("max")] if key not in kwargs else []
        named = {k: v for k, v in kwargs.items() if k != key}
        return args[0] + 0 if left and not any(v is not None for v in left) else call.function(*other, **named)

    return rewrite


def _outside(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    return args[0] - call.function(*args, **kwargs)


def _of_comparison(site: Site, numbers: list[tuple[int, float]]) -> Iterator[Mistake]:
    codes = Codes("", "wrong-mask", "")
    yield Mistake(codes, "a mask is reversed", site.everywhere(_not))
    for other in COMPARED.get(site.name, ()):
        yield Mistake(codes, f"in a mask {other} stands for {site.name}", site.everywhere(_compared(other)))
    for i, threshold in numbers:
        for new in dict.fromkeys((0.0, 1.0, 0.5, -threshold, threshold / 2, 2 * threshold)):
            if new != threshold:
                yield Mistake(
                    codes, f"the threshold of a mask is {new:g}, not {threshold:g}", site.everywhere(number_at(i, new))
                )


def _not(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    return ~call.function(*args, **kwargs)


def _compared(name: str) -> Rewrite:
    functions = {"and": torch.logical_and, "or": torch.logical_or}
    return lambda call, args, kwargs: functions.get(name, getattr(torch, name, None))(*args)  # type: ignore[misc]


def _of_mask(site: Site, path: tuple[int, ...], mask: Tensor) -> Iterator[Mistake]:
    def with_mask(change: Callable[[Tensor], Tensor]) -> dict[int, Rewrite]:
        return site.everywhere(
            lambda call, args, kwargs: call.function(*with_argument(args, path, change(argument(args, path))), **kwargs)
        )

    yield Mistake(MASK, "the mask is reversed", with_mask(torch.logical_not))
    if mask.ndim > 1 and mask.shape[-1] == mask.shape[-2]:
        yield Mistake(MASK, "the mask is transposed", with_mask(lambda m: m.mT))
    for d in range(-min(mask.ndim, 2), 0):
        for k in (1, -1):
            yield Mistake(MASK, "the mask is shifted by one", with_mask(_rolled(k, d)))


def _filled_with_zero(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    if call.name == "masked_fill":
        return call.function(args[0], args[1], 0.0)
    mask, *both = args
    filled = [0.0 if not isinstance(v, Tensor) or not v.requires_grad else v for v in both]
    return torch.where(mask, *filled)
