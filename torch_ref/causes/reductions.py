"""A sum, a mean or a softmax over several: some of them are left out, or what goes back is summed otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from torch_ref.causes.rewrites import Codes, Mistake, Site, carried, dims_of, passing
from torch_ref.steps.program import Call, Rewrite


def of_reduction(site: Site) -> Iterator[Mistake]:
    """Yield what may be wrong with a sum or a mean, along its own axis and on the way back."""
    if site.name not in ("sum", "mean") or not site.operands:
        return
    x, dims = site.operands[0][1], dims_of(site.call)
    only = Codes("", "projection-missing", "")
    text = f"the {site.name} is not taken on the way back: every entry is by itself"
    yield Mistake(only, text, site.everywhere(_summed_back(None)))
    mine = {d % max(x.ndim, 1) for d in dims or range(x.ndim)}
    for d in range(x.ndim):
        if mine != {d}:
            text = f"what goes back through the {site.name} is summed along dimension {d}"
            yield Mistake(only._replace(function="another-axis"), text, site.everywhere(_summed_back(d)))
    for d in sorted(mine) if len(mine) < x.ndim or x.ndim == 1 else range(x.ndim):
        if x.shape[d] < 2:
            continue
        n = x.shape[d]
        missing = "step-missing" if d else "sample-missing"
        for text, code, begin, end in (
            (f"of {n} the first is left out of the {site.name}", missing, 1, n),
            (f"of {n} the last is left out of the {site.name}", missing, 0, n - 1),
            (f"the first of {n} stands for the {site.name}", "one-sample", 0, 1),
            (f"the last of {n} stands for the {site.name}", "one-sample", n - 1, n),
        ):
            yield Mistake(Codes.all(code), text, site.everywhere(_some(d, begin, end)))
    if site.name == "mean":
        text = "the mean is divided by n − 1, not by n"
        yield Mistake(Codes.all("mean-for-sum"), text, site.everywhere(_fewer))
        if dims and len(dims) == 1:
            text = "the largest stands for the mean"
            yield Mistake(Codes.all("another-function"), text, site.everywhere(_largest))


def _summed_back(d: int | None) -> Rewrite:
    """Return a sum whose gradient is that of each entry by itself, or is summed along another dimension."""

    def rewrite(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        made, x = call.function(*args, **kwargs), args[0]
        share = made.numel() / x.numel() if call.name == "mean" else 1.0
        carrier = share * x
        if d is not None:
            carrier = passing(carrier, lambda t: t.sum(d, keepdim=True).expand(t.shape))
        return carried(made.expand(x.shape), carrier)

    return rewrite


def _some(d: int, begin: int, end: int) -> Rewrite:
    """Return the sum or mean over some of the entries along a dimension; of one for a mean that one itself."""

    def rewrite(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        x, n = args[0], args[0].shape[d]
        made = call.function(x.narrow(d, begin, end - begin), *args[1:], **kwargs)
        return made * ((end - begin) / n) if call.name == "mean" and end - begin > 1 else made

    return rewrite


def _fewer(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    made = call.function(*args, **kwargs)
    n = args[0].numel() / max(made.numel(), 1)
    return made * n / (n - 1)


def _largest(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    kept = {k: v for k, v in kwargs.items() if k in ("dim", "keepdim")}
    return torch.amax(args[0], *args[1:], **kept)


def of_softmax_of_site(site: Site) -> Iterator[Mistake]:
    """Yield what may be wrong in the derivative of a softmax, or of the logarithm of a sum of exponentials."""
    if site.name not in ("softmax", "log_softmax", "logsumexp") or not site.operands:
        return
    x, (d, *_) = site.operands[0][1], dims_of(site.call) or [-1]
    if site.name == "logsumexp":
        for k in (None, *(k for k in range(x.ndim) if k != d % x.ndim)):
            text = f"in the derivative the softmax runs along {'everything' if k is None else f'dimension {k}'}"
            rewrite = _weighted(k)
            yield Mistake(Codes("another-axis", "", ""), text, site.everywhere(rewrite))
        return
    only = Codes("projection-missing", "", "")
    if site.name == "softmax":
        text = "in the derivative of the softmax the projection is missing: each entry is taken by itself"
        yield Mistake(only, text, site.everywhere(_projected(None)))
        text = "the derivative of the softmax is that of a sigmoid, each entry by itself"
        codes = only._replace(derivative="softmax-not-differentiated")
        yield Mistake(codes, text, site.everywhere(_as_sigmoid))
        text = "in the derivative of the softmax a plus stands where a minus is meant"
        yield Mistake(only._replace(derivative="plus-for-minus"), text, site.everywhere(_projected(d, -1.0)))
        text = "in the projection of the derivative of the softmax stands what comes from above alone"
        yield Mistake(only._replace(derivative="another-tensor"), text, site.everywhere(_alone(d)))
        for k in range(x.ndim):
            if k != d % x.ndim:
                text = f"in the derivative of the softmax the projection runs along dimension {k}"
                yield Mistake(only._replace(derivative="another-axis"), text, site.everywhere(_projected(k)))


def _weighted(d: int | None) -> Rewrite:
    def rewrite(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        x = args[0]
        p = torch.softmax(x.detach().flatten(), 0).reshape(x.shape) if d is None else torch.softmax(x.detach(), d)
        return torch.sum(p * x, *args[1:], **kwargs)

    return rewrite


def _changed(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any], change: Any) -> Tensor:
    y = call.function(*args, **kwargs).detach()
    return passing(args[0], lambda c: change(c, y))


def _projected(d: int | None, sign: float = 1.0) -> Rewrite:
    def change(c: Tensor, y: Tensor) -> Tensor:
        return y * c if d is None else y * (c - sign * (c * y).sum(d, keepdim=True))

    return lambda call, args, kwargs: _changed(call, args, kwargs, change)


def _alone(d: int) -> Rewrite:
    return lambda call, args, kwargs: _changed(call, args, kwargs, lambda c, y: y * (c - c.sum(d, keepdim=True)))


def _as_sigmoid(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    return _changed(call, args, kwargs, lambda c, y: c * y * (1 - y))
