"""How code is written, whatever it computes: what it keeps, where it writes, how it takes parameters, how it reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.functions.kind import Draw, Fault, Formula, Inputs, Kind


def _linear(d: Tensor, x: Tensor, w: Tensor) -> Any:
    return d @ w.mT, x.mT @ d


def _pair(g: Draw) -> Inputs:
    return [g.normal(g.rows, g.columns), g.normal(g.columns, 4)]


def _never_zeroed() -> Formula:
    kept: list[Tensor] = []

    def backward(d: Tensor, x: Tensor, w: Tensor) -> Any:
        d_x, d_w = _linear(d, x, w)
        if not kept or kept[0].shape != w.shape or kept[0].dtype != w.dtype:
            kept[:] = [torch.zeros_like(w)]
        kept[0] += d_w
        return d_x, kept[0].clone()

    return backward


def _first_kept(place: int) -> Any:
    """Return how to make a backward that gives one gradient of its first call for ever."""

    def make() -> Formula:
        kept: list[Tensor] = []

        def backward(d: Tensor, x: Tensor, w: Tensor) -> Any:
            found = list(_linear(d, x, w))
            if not kept or kept[0].dtype != d.dtype:
                kept[:] = [found[place]]
            found[place] = kept[0].clone()
            return tuple(found)

        return backward

    return make


def _averaged() -> Formula:
    calls = [0]

    def backward(d: Tensor, x: Tensor, w: Tensor) -> Any:
        calls[0] += 1
        return d @ w.mT / calls[0], x.mT @ d

    return backward


def _upstream_doubled(d: Tensor, x: Tensor, w: Tensor) -> Any:
    found = _linear(d, x, w)
    d.mul_(2)
    return found


def _input_changed(d: Tensor, x: Tensor, w: Tensor) -> Any:
    found = _linear(d, x, w)
    x.add_(1)
    return found


def _step_taken(d: Tensor, x: Tensor, w: Tensor) -> Any:
    found = _linear(d, x, w)
    w.sub_(0.1 * found[1])
    return found


def _masked_in_place(d: Tensor, x: Tensor) -> Tensor:
    return d.mul_(x > 0)


def _written_too_early(d: Tensor, x: Tensor, w: Tensor) -> Any:
    e = d.clone()
    d_x = e @ w.mT
    e.mul_(0.5)
    return d_x, x.mT @ e


def _as_if_contiguous(t: Tensor) -> Tensor:
    """Return the numbers as they lie in memory, whatever the strides say."""
    return t.as_strided(t.shape, torch.empty(t.shape, device="meta").stride())


def _layers(g: Draw) -> Inputs:
    parameters = {"w": g.normal(g.columns, 4), "b": g.normal(4), "scale": g.weight(4)}
    return [g.normal(g.rows, g.columns), parameters]


def _scaled(d: Tensor, x: Tensor, p: Any) -> Any:
    e = d * p["scale"]
    return e @ p["w"].mT, {"w": x.mT @ e, "b": e.sum(0), "scale": (d * (x @ p["w"] + p["b"])).sum(0)}


def _but(name: str, change: Any) -> Formula:
    def backward(d: Tensor, x: Tensor, p: Any) -> Any:
        d_x, found = _scaled(d, x, p)
        return d_x, found | {name: change(found[name])}

    return backward


def _chain(x: Tensor, weights: list[Tensor]) -> Tensor:
    for w in weights:
        x = torch.tanh(x @ w)
    return x


def _unchained(d: Tensor, x: Tensor, weights: list[Tensor]) -> Any:
    states, found = [x], []
    for w in weights:
        states.append(torch.tanh(states[-1] @ w))
    for w, below, y in zip(weights[::-1], states[-2::-1], states[::-1], strict=False):
        e = d * (1 - y * y)
        found.append(below.mT @ e)
        d = e @ w.mT
    return d, found[::-1]


def _chained(change: Any) -> Formula:
    def backward(d: Tensor, x: Tensor, weights: list[Tensor]) -> Any:
        d_x, found = _unchained(d, x, weights)
        return d_x, change(found)

    return backward


KEEPING = Kind(
    "linear that keeps something",
    "state",
    lambda x, w: x @ w,
    _linear,
    _pair,
    {
        "gradient never set to zero": Fault(_never_zeroed, fresh=True),
        "weight's gradient of the first call": Fault(_first_kept(1), fresh=True),
        "input's gradient of the first call": Fault(_first_kept(0), fresh=True),
        "divided by the number of calls": Fault(_averaged, fresh=True),
    },
    general=False,
)

KINDS = (
    KEEPING,
    replace(KEEPING, name="Function that keeps something", as_function=True),
    Kind(
        "linear that writes in place",
        "in place",
        lambda x, w: x @ w,
        _linear,
        _pair,
        {
            "upstream gradient doubled": _upstream_doubled,
            "input changed": _input_changed,
            "step taken in backward": _step_taken,
            "upstream gradient halved too early": _written_too_early,
        },
        general=False,
    ),
    Kind(
        "ReLU that writes in place",
        "in place",
        lambda x: torch.relu(x),
        lambda d, x: d * (x > 0),
        lambda g: [g.normal(g.rows, g.columns)],
        {
            "upstream gradient masked in place": _masked_in_place,
            "input masked in place": lambda d, x: d * (x.clamp_min_(0) > 0),
            "upstream gradient set to zero": lambda d, x: (d * (x > 0), d.zero_())[0],
        },
        general=False,
    ),
    Kind(
        "linear with a dict of parameters",
        "containers",
        lambda x, p: (x @ p["w"] + p["b"]) * p["scale"],
        _scaled,
        _layers,
        {
            "bias forgotten": _but("b", torch.zeros_like),
            "bias ten times": _but("b", lambda g: 10 * g),
            "weight of the other sign": _but("w", lambda g: -g),
            "scale's gradient without the bias": lambda d, x, p: (
                _scaled(d, x, p)[0],
                _scaled(d, x, p)[1] | {"scale": (d * (x @ p["w"])).sum(0)},
            ),
            "scale forgotten": lambda d, x, p: (
                _scaled(d, x, p)[0],
                _scaled(d, x, p | {"scale": torch.ones_like(p["scale"])})[1] | {"scale": _scaled(d, x, p)[1]["scale"]},
            ),
        },
    ),
    Kind(
        "layers with a list of weights",
        "containers",
        _chain,
        _unchained,
        lambda g: [g.normal(g.rows, 5), [g.normal(5, 5, scale=0.4) for _ in range(3)]],
        {
            "gradients in reverse": _chained(lambda found: found[::-1]),
            "first weight forgotten": _chained(lambda found: [0 * found[0], *found[1:]]),
            "last weight transposed": _chained(lambda found: [*found[:-1], found[-1].mT]),
            "middle weight times 1.5": _chained(lambda found: [found[0], 1.5 * found[1], found[2]]),
            "all of them the first": _chained(lambda found: [found[0]] * 3),
        },
        scales=(1e-2, 3),
    ),
    Kind(
        "Function of any layout",
        "layouts",
        lambda x, w: x @ w,
        _linear,
        _pair,
        {
            "upstream gradient read as it lies": lambda d, x, w: _linear(_as_if_contiguous(d), x, w),
            "input read as it lies": lambda d, x, w: (d @ w.mT, _as_if_contiguous(x).mT @ d),
            "weight read as it lies": lambda d, x, w: (d @ _as_if_contiguous(w).mT, x.mT @ d),
        },
        as_function=True,
        general=False,
    ),
    Kind(
        "tanh of any layout",
        "layouts",
        lambda x: torch.tanh(x),
        lambda d, x: d * (1 - torch.tanh(x) ** 2),
        lambda g: [g.normal(g.rows, g.columns)],
        {
            "upstream gradient read as it lies": lambda d, x: _as_if_contiguous(d) * (1 - torch.tanh(x) ** 2),
            "input read as it lies": lambda d, x: d * (1 - torch.tanh(_as_if_contiguous(x)) ** 2),
            "both read as they lie": lambda d, x: _as_if_contiguous(d) * (1 - torch.tanh(_as_if_contiguous(x)) ** 2),
        },
        as_function=True,
        general=False,
        scales=(1e-2, 3),
    ),
)
