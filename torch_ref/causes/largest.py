"""What may stand for the derivative of the largest of several numbers, or for it itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from torch_ref.causes.rewrites import Codes, Mistake, Site, dims_of
from torch_ref.steps.program import Call, Rewrite

LARGEST = frozenset({"max", "amax", "min", "amin", "max_pool1d", "max_pool2d", "max_pool3d"})


def of_largest(site: Site) -> Iterator[Mistake]:
    """Yield what may stand for the derivative of the largest of several, or for it itself."""
    if site.name.removesuffix("_with_indices") not in LARGEST or len(site.operands) != 1:
        return
    turned = Codes("wrong-mask", "another-function", "another-tensor")
    yield Mistake(turned, f"the other end stands for the {site.name}", site.everywhere(_other_end))
    yield Mistake(turned, f"the mean stands for the {site.name}", site.everywhere(_spread(mean=True)))
    only = Codes("wrong-mask", "", "")
    yield Mistake(only, f"every entry gets it, not only that of the {site.name}", site.everywhere(_spread()))
    yield Mistake(only, f"all but that of the {site.name} get it", site.everywhere(_spread(but=True)))


def _other_end(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    made = call.function(-args[0], *args[1:], **kwargs)
    return -made if isinstance(made, Tensor) else (-made[0], made[1])


def _spread(*, mean: bool = False, but: bool = False) -> Rewrite:
    def rewrite(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        made = call.function(*args, **kwargs)
        largest = made if isinstance(made, Tensor) else made[0]
        total = _total(call, args, kwargs, mean=mean)
        found = total - largest if but else total
        return found if isinstance(made, Tensor) else (found, made[1])

    return rewrite


def _total(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, mean: bool) -> Tensor:
    if "pool" in call.name:
        made = call.function(*args, **kwargs)
        dims = made.ndim - 2 if made.ndim > 2 else made.ndim - 1
        named = {k: v for k, v in kwargs.items() if k in ("kernel_size", "stride", "padding")}
        size = kwargs.get("kernel_size", args[1] if len(args) > 1 else 1)
        sizes = [size] * dims if isinstance(size, int) else [*size]
        average = {1: fn.avg_pool1d, 2: fn.avg_pool2d, 3: fn.avg_pool3d}[dims](args[0], *args[1:3], **named)
        return average if mean else average * torch.tensor(sizes).prod()
    kept = {k: v for k, v in kwargs.items() if k in ("dim", "axis", "keepdim")}
    return (torch.mean if mean else torch.sum)(args[0], *args[1:], **kept)


def of_other_mask(site: Site) -> Iterator[Mistake]:
    """Yield that the mask of the largest is that along another axis."""
    if site.name not in ("max", "amax", "min", "amin") or len(site.operands) != 1:
        return
    x, found = site.operands[0][1], dims_of(site.call) or []
    for d in range(x.ndim) if len(found) == 1 else ():
        if d != found[0] % x.ndim:
            text = f"the mask of the {site.name} is that along dimension {d}"
            yield Mistake(Codes("another-axis", "", ""), text, site.everywhere(_masked_along(d)))


def _masked_along(d: int) -> Rewrite:
    def rewrite(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        x = args[0]
        own = (dims_of(call) or [0])[0]
        end = x.amax(d, keepdim=True) if "max" in call.name else x.amin(d, keepdim=True)
        mask, keepdim = (x == end).to(x.dtype), kwargs.get("keepdim", len(args) > 2 and bool(args[2]))
        return (mask * x).sum(own, keepdim=keepdim)

    return rewrite
