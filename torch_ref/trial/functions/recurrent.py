"""One step of recurrent cells, and a short recurrent network through time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.functions.kind import Draw, Inputs, Kind


def _rnn(d: Tensor, x: Tensor, h: Tensor, w: Tensor, u: Tensor, slope: int = 1) -> Any:
    y = torch.tanh(x @ w + h @ u)
    e = d * (1 - y * y) ** slope
    return e @ w.mT, e @ u.mT, x.mT @ e, h.mT @ e


def _gru_forward(a: Tensor, h: Tensor, u: Tensor) -> Tensor:
    """Return the next state; a holds the inputs of reset, update and candidate."""
    _, z, n, _ = _gates(a, h, u)
    return (1 - z) * n + z * h


def _gates(a: Tensor, h: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    k = h.shape[1]
    v = h @ u
    r, z = torch.sigmoid(a[:, :k] + v[:, :k]), torch.sigmoid(a[:, k : 2 * k] + v[:, k : 2 * k])
    return r, z, torch.tanh(a[:, 2 * k :] + r * v[:, 2 * k :]), v[:, 2 * k :]


def _gru(
    d: Tensor, a: Tensor, h: Tensor, u: Tensor, *, reset: bool = True, straight: float = 1, gate: float = 1
) -> Any:
    r, z, n, v = _gates(a, h, u)
    d_n = d * (1 - z) * (1 - n * n)
    d_z = gate * d * (h - n) * z * (1 - z)
    d_r = d_n * v * r * (1 - r)
    d_a = torch.cat([d_r, d_z, d_n], 1)
    d_v = torch.cat([d_r, d_z, d_n * r if reset else d_n], 1)
    return d_a, straight * d * z + d_v @ u.mT, h.mT @ d_v


def _lstm_forward(a: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Return the next output and cell; a holds the inputs of input, forget, candidate and output gates."""
    i, f, g, o = a.chunk(4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def _lstm(
    d_h: Tensor, d_c: Tensor, a: Tensor, c: Tensor, *, order: str = "ifgo", cell: float = 1, slope: int = 1
) -> Any:
    i, f, g, o = (torch.sigmoid(t) for t in a.chunk(4, 1))
    g = torch.tanh(a.chunk(4, 1)[2])
    t = torch.tanh(f * c + i * g)
    d_c = cell * d_c + d_h * o * (1 - t * t) ** slope
    parts = {"i": d_c * g * i * (1 - i), "f": d_c * c * f * (1 - f), "g": d_c * i * (1 - g * g)}
    parts["o"] = d_h * t * o * (1 - o)
    return torch.cat([parts[name] for name in order], 1), d_c * f


def _steps(x: Tensor, w: Tensor) -> list[Tensor]:
    states = [torch.zeros_like(x[0])]
    for x_t in x:
        states.append(torch.tanh(x_t + states[-1] @ w))
    return states


def _through_time(d: Tensor, x: Tensor, w: Tensor, *, back: float = 1, later: int = 1, last: bool = False) -> Any:
    states = _steps(x, w)
    d_x, d_w, d_h = torch.zeros_like(x), torch.zeros_like(w), torch.zeros_like(x[0])
    for t in reversed(range(len(x))):
        e = (d[t] + d_h) * (1 - states[t + 1] ** 2)
        d_x[t] = e
        step = states[t + 1 - later].mT @ e
        d_w = step if last else d_w + step
        d_h = back * e @ w.mT
    return d_x, d_w


def _sequence(g: Draw) -> Inputs:
    return [g.normal(min(g.rows, 12), 3, 4), g.normal(4, 4, scale=0.5)]


KINDS = (
    Kind(
        "RNN step",
        "recurrent",
        lambda x, h, w, u: torch.tanh(x @ w + h @ u),
        _rnn,
        lambda g: [g.normal(g.rows, 5), g.normal(g.rows, 4), g.normal(5, 4), g.normal(4, 4)],
        {
            "slope forgotten": lambda d, x, h, w, u: _rnn(d, x, h, w, u, slope=0),
            "slope twice": lambda d, x, h, w, u: _rnn(d, x, h, w, u, slope=2),
            "state by the untransposed weight": lambda d, x, h, w, u: (
                _rnn(d, x, h, w, u)[0],
                d * (1 - torch.tanh(x @ w + h @ u) ** 2) @ u,
                *_rnn(d, x, h, w, u)[2:],
            ),
            "state detached": lambda d, x, h, w, u: (
                _rnn(d, x, h, w, u)[0],
                torch.zeros_like(h),
                *_rnn(d, x, h, w, u)[2:],
            ),
        },
        scales=(1e-4, 1),
    ),
    Kind(
        "GRU step",
        "recurrent",
        _gru_forward,
        _gru,
        lambda g: [g.normal(g.rows, 12), g.normal(g.rows, 4), g.normal(4, 12)],
        {
            "reset gate forgotten": lambda d, a, h, u: _gru(d, a, h, u, reset=False),
            "straight path forgotten": lambda d, a, h, u: _gru(d, a, h, u, straight=0),
            "sign of the update gate": lambda d, a, h, u: _gru(d, a, h, u, gate=-1),
            "gates changed": lambda d, a, h, u: (
                _gru(d, a, h, u)[0].roll(4, 1),
                *_gru(d, a, h, u)[1:],
            ),
        },
        scales=(1e-4, 3),
    ),
    Kind(
        "LSTM step",
        "recurrent",
        _lstm_forward,
        _lstm,
        lambda g: [g.normal(g.rows, 16), g.normal(g.rows, 4)],
        {
            "gates in another order": lambda d_h, d_c, a, c: _lstm(d_h, d_c, a, c, order="figo"),
            "cell's upstream gradient forgotten": lambda d_h, d_c, a, c: _lstm(d_h, d_c, a, c, cell=0),
            "cell's upstream gradient twice": lambda d_h, d_c, a, c: _lstm(d_h, d_c, a, c, cell=2),
            "slope of the output forgotten": lambda d_h, d_c, a, c: _lstm(d_h, d_c, a, c, slope=0),
            "cell's gradient without the forget gate": lambda d_h, d_c, a, c: (
                _lstm(d_h, d_c, a, c)[0],
                d_c + d_h,
            ),
        },
        scales=(1e-4, 3),
    ),
    Kind(
        "recurrent network through time",
        "recurrent",
        lambda x, w: torch.stack(_steps(x, w)[1:]),
        lambda d, x, w: _through_time(d, x, w),
        _sequence,
        {
            "cut off after one step": lambda d, x, w: _through_time(d, x, w, back=0),
            "state after the step in the weight's gradient": lambda d, x, w: (
                _through_time(d, x, w)[0],
                _through_time(d, x, w, later=0)[1],
            ),
            "weight's gradient of one step": lambda d, x, w: _through_time(d, x, w, last=True),
            "half of the path through time": lambda d, x, w: _through_time(d, x, w, back=0.5),
        },
        scales=(1e-2, 2),
        widest=12,
    ),
)
