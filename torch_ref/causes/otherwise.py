"""An operation that is another one: along another axis, another function, with another constant or mask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from torch_ref.causes.rewrites import Codes, Mistake, Site, dims_of, number_at
from torch_ref.steps.program import Call, Rewrite

ALONG = frozenset(
    {"sum", "mean", "softmax", "log_softmax", "logsumexp", "max", "min", "amax", "amin", "var", "std", "norm"}
    | {"cumsum", "cumprod", "flip", "prod", "normalize"}
)
"""Operations that run along an axis."""

SLOPE = Codes("slope-of-another-function", "another-function", "another-tensor")

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sin": torch.sin,
    "cos": torch.cos,
    "exp": torch.exp,
    "log": torch.log,
    "softplus": fn.softplus,
    "square": torch.square,
    "sqrt": torch.sqrt,
}

OPPOSITE = {"add": "sub", "sub": "add", "maximum": "minimum", "minimum": "maximum"}

MASK, POWER, AXIS = Codes.all("wrong-mask"), Codes.all("wrong-power"), Codes.all("another-axis")


def of_axis(site: Site) -> Iterator[Mistake]:
    """Yield that an operation runs along another axis, or over everything."""
    if site.name not in ALONG or not site.operands:
        return
    x = site.operands[0][1]
    found = dims_of(site.call)
    mine = set(range(x.ndim)) if found is None else {d % max(x.ndim, 1) for d in found}
    for d in range(x.ndim):
        if mine != {d}:
            text = f"the {site.name} runs along dimension {d}; {_dims_named(mine, x.ndim)} is meant"
            yield Mistake(AXIS, text, site.everywhere(_along(d)))
    if len(mine) < x.ndim:
        text = f"the {site.name} runs over all entries; {_dims_named(mine, x.ndim)} is meant"
        yield Mistake(AXIS, text, site.everywhere(_over_all))


def _dims_named(dims: set[int], ndim: int) -> str:
    return "everything" if len(dims) == ndim > 1 else f"dimension {', '.join(map(str, sorted(dims)))}"


def _along(d: int) -> Rewrite:
    def rewrite(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        named = {key: value for key, value in kwargs.items() if key not in ("dim", "axis")}
        if "norm" in call.name:
            return torch.linalg.vector_norm(args[0], dim=d, keepdim=True)
        if dims_of(call) is None:
            return call.function(args[0], dim=d, keepdim=True, **named)
        return call.function(args[0], *args[2:], dim=d, **named)

    return rewrite


def _over_all(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    x, made = args[0], call.function(*args, **kwargs)
    if isinstance(made, Tensor) and made.shape == x.shape:
        found = call.function(x.flatten(), *args[2:], dim=0, **{k: v for k, v in kwargs.items() if k not in ("dim",)})
        return found.reshape(x.shape)
    first = made if isinstance(made, Tensor) else made[0]
    kept = {k: v for k, v in kwargs.items() if k not in ("dim", "axis", "keepdim")}
    whole = torch.linalg.vector_norm(x) if "norm" in call.name else call.function(x.flatten(), dim=0, **kept)
    whole = whole if isinstance(whole, Tensor) else whole[0]
    found = whole.expand(first.shape)
    return found if isinstance(made, Tensor) else (found, *made[1:])


def of_another_function(site: Site) -> Iterator[Mistake]:
    """Yield that another function stands for one."""
    name, x = site.name, site.operands[0][1] if site.operands else None
    if site.out is None or x is None:
        return
    if name in FUNCTIONS and len(site.operands) == 1:
        for other, function in FUNCTIONS.items():
            if other != name and {name, other} != {"sigmoid", "softplus"}:  # whose derivative is the sigmoid
                yield Mistake(SLOPE, f"{other} stands for {name}", site.everywhere(_of_first(function)))
    for codes, text, rewrite in _others_of(name):
        yield Mistake(codes, f"{text} stands for the {name}", site.everywhere(rewrite))
    if name in ("add", "sub") and len(site.call.args) > 1:
        text = "a minus stands where a plus is meant" if name == "add" else "a plus stands where a minus is meant"
        rewrite = _of_all(torch.sub if name == "add" else torch.add)
        yield Mistake(Codes.all("plus-for-minus"), text, site.everywhere(rewrite))


def _of_first(function: Callable[[Tensor], Any]) -> Rewrite:
    return lambda call, args, kwargs: function(args[0])


def _of_all(function: Callable[..., Any]) -> Rewrite:
    return lambda call, args, kwargs: function(*args, **kwargs)


def _others_of(name: str) -> Iterator[tuple[Codes, str, Rewrite]]:
    mean = Codes.all("mean-for-sum")
    if name == "sum":
        yield mean, "a mean", _of_named(torch.mean)
    if name == "mean":
        yield mean, "a sum", _of_named(torch.sum)
    if name in ("var", "std"):
        other = torch.std if name == "var" else torch.var
        yield POWER, "the variance" if name == "std" else "the standard deviation", _of_named(other)
        text = "another one, that divides by n, not by n − 1 (or the reverse),"
        yield Codes.all("mean-for-sum"), text, _of_other_count
    if name == "softmax":
        yield Codes.all("softmax-miswritten"), "the exponential alone", _of_first(torch.exp)
        yield SLOPE, "a sigmoid", _of_first(torch.sigmoid)
        yield Codes.all("wrong-logarithm"), "the log-softmax", _of_all(fn.log_softmax)
    if name == "log_softmax":
        yield Codes.all("wrong-logarithm"), "the softmax", _of_all(fn.softmax)
    if name == "logsumexp":
        yield Codes("softmax-miswritten", "another-function", ""), "the sum of exponentials", _of_exponentials
    if name == "log":
        yield Codes.all("wrong-logarithm"), "the logarithm to base 2", _of_first(torch.log2)
        yield Codes.all("wrong-logarithm"), "the logarithm to base 10", _of_first(torch.log10)
    if name in ("cumsum", "cumprod"):
        text = f"the {name} from the other end (on the way back the sums run against those of forward)"
        yield Codes.all("swapped"), text, _from_the_end
        yield Codes.all("step-missing"), f"the {name} without the entry itself", _without_itself
    if name in ("maximum", "minimum"):
        yield MASK, OPPOSITE[name], _of_all(getattr(torch, OPPOSITE[name]))
    if name in ("tril", "triu"):
        for k in (-1, 1):
            yield MASK, f"the one with the diagonal {k:+d}", _diagonal(k)
        yield MASK, "the other half", lambda call, args, kwargs: call.function(*args, **kwargs).mT
    if name == "norm":
        yield POWER, "its square", lambda call, args, kwargs: call.function(*args, **kwargs) ** 2
    if name == "roll":
        yield Codes.all("shifted"), "one in the other direction", _rolled_back


def _of_named(function: Callable[..., Any]) -> Rewrite:
    return lambda call, args, kwargs: function(*args, **kwargs)


def _of_other_count(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    x, dims = args[0], dims_of(call)
    count = x.numel() if dims is None else _count(x, dims)
    biased = not kwargs.get("unbiased", True) or kwargs.get("correction", 1) == 0 or False in args
    other = (count / (count - 1)) if biased else (count - 1) / count
    return call.function(*args, **kwargs) * (other if call.name == "var" else other**0.5)


def _count(x: Tensor, dims: list[int]) -> int:
    count = 1
    for d in dims:
        count *= x.shape[d]
    return count


def _of_exponentials(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    return torch.sum(args[0].exp(), *args[1:], **kwargs)


def _from_the_end(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    (d,) = dims_of(call) or [0]
    return call.function(args[0].flip(d), *args[1:], **kwargs).flip(d)


def _without_itself(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    made = call.function(*args, **kwargs)
    return made - args[0] if call.name == "cumsum" else made / args[0]


def _diagonal(k: int) -> Rewrite:
    def rewrite(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        at = kwargs.get("diagonal", args[1] if len(args) > 1 else 0)
        return call.function(args[0], at + k)

    return rewrite


def _rolled_back(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    shifts, dims = kwargs.get("shifts", args[1] if len(args) > 1 else 1), kwargs.get("dims", (*args, None, None)[2])
    return torch.roll(args[0], [-s for s in shifts] if isinstance(shifts, list | tuple) else -shifts, dims)


def of_constant(site: Site) -> Iterator[Mistake]:
    """Yield that a power is another."""
    name, args = site.name, site.call.args
    numbers = [(i, arg) for i, arg in enumerate(args) if isinstance(arg, int | float) and not isinstance(arg, bool)]
    if name == "pow" and numbers:
        (i, p) = numbers[-1]
        for other in dict.fromkeys((p - 1, p + 1, 2 * p, p / 2, -p)):
            if other not in (0, p):
                text = f"the power {other:g} stands for {p:g}"
                yield Mistake(POWER, text, site.everywhere(number_at(i, other)))
    if name == "sqrt":
        for p in (0.25, 2.0, -0.5, -1.0):
            yield Mistake(POWER, f"the power {p:g} stands for a root", site.everywhere(_power(p)))
    if name == "square":
        for p in (1.5, 3.0, 4.0):
            yield Mistake(POWER, f"the power {p:g} stands for a square", site.everywhere(_power(p)))
    if name in ("div", "rdiv"):
        yield from _of_quotient(site)


def _power(p: float) -> Rewrite:
    return lambda call, args, kwargs: args[0] ** p


def _of_quotient(site: Site) -> Iterator[Mistake]:
    for p in (0.5, 2.0):
        text = f"what it is divided by has another power: {p:g}"
        yield Mistake(POWER, text, site.everywhere(_divided(p)))
    yield Mistake(Codes.all("slope-divided"), "a product stands for a quotient", site.everywhere(_divided(-1.0)))


def _divided(p: float) -> Rewrite:
    def rewrite(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        over, under = (args[1], args[0]) if call.name in ("rdiv", "rtruediv") else args[:2]
        return over / under**p

    return rewrite
