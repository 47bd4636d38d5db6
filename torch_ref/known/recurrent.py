"""The recurrent layer: h (R1, R2), and back-propagation through time (R3 to R6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from manual_bp import RNN
from torch_ref.known.faults import Wrong, planted
from torch_ref.known.registry import Formula, Known
from torch_ref.known.scene import Candidate, Candidates, Scene

NAMES = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")

FORMULAS = {
    "forward": Formula("R2", "h_t = tanh(W x_t + b + V h_(t−1) + c)", "h"),
    "error": Formula("R5", "error of x_t = Wᵀ δ_t, δ_t = (1 − h_t²)(e_t + Vᵀ δ_(t+1))", "e"),
    "weight_ih_l0": Formula("R6", "∂L/∂W = −Σ_t δ_t x_tᵀ", "∂L/∂W"),
    "weight_hh_l0": Formula("R6", "∂L/∂V = −Σ_t δ_t h_(t−1)ᵀ", "∂L/∂V"),
    "bias_ih_l0": Formula("R6", "∂L/∂b = −Σ_t δ_t", "∂L/∂b"),
    "bias_hh_l0": Formula("R6", "∂L/∂c = −Σ_t δ_t", "∂L/∂c"),
}

# -------------------------------------------------------------------------------------------------------- the causes


class WayBack(NamedTuple):
    """A way of going back through time, and what is wrong about it."""

    code: str
    text: str
    deltas: Tensor


def _outputs(x: Tensor, w: Tensor, v: Tensor, b: Tensor, function: str = "tanh") -> Tensor:
    """Return h (N, T, n)."""
    h, outputs = x.new_zeros(len(x), len(w)), []
    for now in x.unbind(1):
        h = getattr(torch, function)(now @ w.t() + b + h @ v.t())
        outputs.append(h)
    return torch.stack(outputs, 1)


def _of(s: Scene) -> tuple[Tensor, Tensor, Tensor]:
    """Return W, V and b + c."""
    w, v, b, c = (s.others[name] for name in NAMES)
    return w, v, b + c


def _deltas(e: Tensor, slopes: Tensor, v: Tensor, *, every: bool = True) -> Tensor:
    """Return δ_1 ... δ_T (N, T, n); the error from above counts at ``every`` step, or at the last one only."""
    delta, deltas = torch.zeros_like(e[:, 0]), []
    for t in range(e.shape[1] - 1, -1, -1):
        from_above = e[:, t] if every or t == e.shape[1] - 1 else torch.zeros_like(e[:, t])
        delta = slopes[:, t] * (from_above + delta @ v)
        deltas.append(delta)
    return torch.stack(deltas[::-1], 1)


def _ways_back(s: Scene) -> Iterator[WayBack]:
    """Yield the mistakes in δ_t = (1 − h_t²)(e_t + Vᵀ δ_(t+1)), which every formula behind it shows."""
    _, v, _ = _of(s)
    e, h = s.error, s.y
    slopes, ones = 1 - h * h, torch.ones_like(h)
    yield WayBack("step-missing", "nothing comes back from the next step: Vᵀ δ_(t+1) is missing", slopes * e)
    yield WayBack(
        "step-missing", "the error from above counts at the last step only", _deltas(e, slopes, v, every=False)
    )
    yield WayBack("transposed-weights", "V is transposed", _deltas(e, slopes, v.t()))
    yield WayBack("slope-missing", "tanh′ is missing", _deltas(e, ones, v))
    yield WayBack("slope-of-another-function", "σ′ = h (1 − h) where tanh′ is meant", _deltas(e, h * (1 - h), v))
    yield WayBack("slope-miswritten", "1 − h, where 1 − h² is meant", _deltas(e, 1 - h, v))
    at_input = torch.cat([torch.zeros_like(h[:, :1]), h[:, :-1]], 1)
    yield WayBack("another-tensor", "tanh′ at the step before", _deltas(e, 1 - at_input**2, v))
    beside = torch.zeros_like(e)
    for t in range(e.shape[1] - 1, -1, -1):  # tanh′ goes onto the error from above alone
        after = beside[:, t + 1] @ v if t + 1 < e.shape[1] else 0
        beside[:, t] = slopes[:, t] * e[:, t] + after
    yield WayBack("slope-missing", "tanh′ is missing on the way from the next step", beside)


def _over_steps(products: Sequence[Tensor]) -> Iterator[tuple[str, str, Tensor]]:
    """Yield what becomes of a sum over the steps."""
    every = torch.stack(tuple(products))
    if len(every) > 1:
        yield "step-missing", "the last step only: = where += is meant", every[-1]
        yield "step-missing", "the first step only: = where += is meant", every[0]
        yield "step-missing", "the last step is missing", every[:-1].sum(0)
        yield "step-missing", "the first step is missing", every[1:].sum(0)
        yield "mean-for-sum", "a mean over the steps, where their sum is meant", every.mean(0)


def of_forward(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in h_t = tanh(W x_t + b + V h_(t−1) + c) (R1, R2)."""
    w, v, b = _of(s)
    b_ih, b_hh = s.others["bias_ih_l0"], s.others["bias_hh_l0"]
    yield Candidate("part-missing", "V h_(t−1) is missing: no step sees the one before", torch.tanh(s.x @ w.t() + b))
    yield Candidate("transposed-weights", "V is transposed", _outputs(s.x, w, v.t(), b))
    yield Candidate("bias-missing", "the bias c is missing", _outputs(s.x, w, v, b_ih))
    yield Candidate("bias-missing", "the bias b is missing", _outputs(s.x, w, v, b_hh))
    yield Candidate("another-function", "σ in the place of tanh", _outputs(s.x, w, v, b, "sigmoid"))
    yield Candidate("another-function", "max(0, ·) in the place of tanh", _outputs(s.x, w, v, b, "relu"))
    backward = _outputs(s.x.flip(1), w, v, b)
    yield Candidate("shifted", "the sequence runs backward", backward.flip(1))
    yield Candidate("shifted", "the sequence runs backward", backward)


def of_error(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in the error of x (R5)."""
    w, v, _ = _of(s)
    slopes = 1 - s.y * s.y
    for wrong in _ways_back(s):
        yield Candidate(wrong.code, wrong.text, wrong.deltas @ w)
    deltas = _deltas(s.error, slopes, v)
    if w.shape[0] == w.shape[1]:
        yield Candidate("transposed-weights", "W is transposed", deltas @ w.t())
        yield Candidate("another-tensor", "V stands in the place of W", deltas @ v)
        yield Candidate("weights-missing", "the weights are missing", deltas)
    yield Candidate("shifted", "the steps are in reverse order", (deltas @ w).flip(1))


def _of_gradient(s: Scene, name: str) -> Iterator[Candidate]:
    """Yield the mistakes in one of the gradients (R6)."""
    _, v, _ = _of(s)
    right = _deltas(s.error, 1 - s.y * s.y, v)

    def products(deltas: Tensor, states: Tensor) -> list[Tensor]:
        sides = s.x if name == "weight_ih_l0" else states
        if name.startswith("bias"):
            return [-delta.sum(0) for delta in deltas.unbind(1)]
        return [-delta.t() @ side for delta, side in zip(deltas.unbind(1), sides.unbind(1), strict=True)]

    before = torch.cat([torch.zeros_like(s.y[:, :1]), s.y[:, :-1]], 1)
    for wrong in _ways_back(s):
        yield Candidate(wrong.code, wrong.text, torch.stack(products(wrong.deltas, before)).sum(0))
    if name == "weight_hh_l0":
        same = torch.stack(products(right, s.y)).sum(0)
        yield Candidate("another-tensor", "h_t stands in the place of h_(t−1)", same)
        yield Candidate("transposed", "transposed", torch.stack(products(right, before)).sum(0).t())
    for code, text, tensor in _over_steps(products(right, before)):
        yield Candidate(code, text, tensor)


def _causes_of(name: str) -> Candidates:
    return lambda s: _of_gradient(s, name)


CAUSES: dict[str, Candidates] = {"forward": of_forward, "error": of_error} | {name: _causes_of(name) for name in NAMES}

# -------------------------------------------------------------------------------------------------------- the faults


def _back(
    l: RNN, e: Tensor, x: Tensor, h: Tensor, *, next_: float = 1, slope: bool = True, turned: bool = False
) -> Any:
    """Go back through time as a homework does; return d_x, and each step's part of every gradient, last to first."""
    parts: dict[str, list[Tensor]] = {name: [] for name in NAMES}
    d_x, dh_next = torch.zeros_like(x), torch.zeros_like(h[:, 0])
    for t in reversed(range(x.shape[1])):
        dh = e[:, t] + next_ * dh_next
        d_net = dh * (1 - h[:, t] ** 2) if slope else dh
        h_before = h[:, t - 1] if t else torch.zeros_like(dh)
        parts["weight_ih_l0"].append(-d_net.t() @ x[:, t])
        parts["weight_hh_l0"].append(-d_net.t() @ h_before)
        parts["bias_ih_l0"].append(-d_net.sum(0))
        parts["bias_hh_l0"].append(-d_net.sum(0))
        d_x[:, t] = d_net @ l.weight_ih_l0
        dh_next = d_net @ (l.weight_hh_l0.t() if turned else l.weight_hh_l0)
    return d_x, parts


def _summed(name: str, **how: Any) -> Wrong:
    """Return the fault that a gradient is summed over the steps of a way back that is wrong."""
    return lambda l, e, x, h: torch.stack(_back(l, e, x, h, **how)[1][name]).sum(0)


def _part(name: str, which: slice) -> Wrong:
    """Return the fault that a gradient has some of the steps only."""
    return lambda l, e, x, h: torch.stack(_back(l, e, x, h)[1][name][which]).sum(0)


def _with_h_of_the_step(l: RNN, e: Tensor, x: Tensor, h: Tensor) -> Tensor:
    total, dh_next = torch.zeros_like(l.weight_hh_l0), torch.zeros_like(h[:, 0])
    for t in reversed(range(x.shape[1])):
        d_net = (e[:, t] + dh_next) * (1 - h[:, t] * h[:, t])
        total -= d_net.t() @ h[:, t]
        dh_next = d_net @ l.weight_hh_l0
    return total


def _outputs_with(l: RNN, x: Tensor, *, v: float = 1, c: float = 1, function: Any = torch.tanh) -> Tensor:
    h, outputs = torch.zeros(len(x), len(l.bias_hh_l0), dtype=x.dtype), []
    for t in range(x.shape[1]):
        net = x[:, t] @ l.weight_ih_l0.t() + l.bias_ih_l0 + v * (h @ l.weight_hh_l0.t()) + c * l.bias_hh_l0
        h = function(net)
        outputs.append(h)
    return torch.stack(outputs, dim=1)


FAULTS = (
    *planted(
        RNN,
        "forward",
        "rnn-forward",
        ("no-state", "part-missing", "V h_(t−1) is missing", lambda l, x: _outputs_with(l, x, v=0)),
        ("no-bias", "bias-missing", "the bias c is missing", lambda l, x: _outputs_with(l, x, c=0)),
        ("sigmoid", "another-function", "σ in the place", lambda l, x: _outputs_with(l, x, function=torch.sigmoid)),
        ("reversed", "shifted", "the sequence runs backward", lambda l, x: _outputs_with(l, x.flip(1)).flip(1)),
    ),
    *planted(
        RNN,
        "error",
        "rnn-error",
        ("not-handed-on", "step-missing", "nothing comes back", lambda l, e, x, h: _back(l, e, x, h, next_=0)[0]),
        ("turned", "transposed-weights", "V is transposed", lambda l, e, x, h: _back(l, e, x, h, turned=True)[0]),
        ("no-slope", "slope-missing", "tanh′ is missing", lambda l, e, x, h: _back(l, e, x, h, slope=False)[0]),
        ("sign", "wrong-sign", "the sign is wrong", lambda l, e, x, h: -_back(l, e, x, h)[0]),
        ("reversed", "shifted", "the steps are in reverse order", lambda l, e, x, h: _back(l, e, x, h)[0].flip(1)),
    ),
    *planted(
        RNN,
        "weight_ih_l0",
        "rnn-input-weight",
        ("not-handed-on", "step-missing", "nothing comes back", _summed("weight_ih_l0", next_=0)),
        ("first", "step-missing", "the first step only", _part("weight_ih_l0", slice(-1, None))),
        ("last", "step-missing", "the last step only", _part("weight_ih_l0", slice(1))),
        ("turned", "transposed-weights", "V is transposed", _summed("weight_ih_l0", turned=True)),
    ),
    *planted(
        RNN,
        "weight_hh_l0",
        "rnn-state-weight",
        ("same-step", "another-tensor", "h_t stands in the place", _with_h_of_the_step),
        ("not-handed-on", "step-missing", "nothing comes back", _summed("weight_hh_l0", next_=0)),
        ("no-slope", "slope-missing", "tanh′ is missing", _summed("weight_hh_l0", slope=False)),
        ("sign", "wrong-sign", "the sign is wrong", lambda l, e, x, h: -_summed("weight_hh_l0")(l, e, x, h)),
    ),
    *planted(
        RNN,
        "bias_ih_l0",
        "rnn-input-bias",
        ("last", "step-missing", "the last step only", _part("bias_ih_l0", slice(1))),
        ("short", "step-missing", "the first step is missing", _part("bias_ih_l0", slice(-1))),
    ),
    *planted(
        RNN,
        "bias_hh_l0",
        "rnn-state-bias",
        ("zeros", "zeros", "zeros", lambda l, e, x, h: torch.zeros_like(l.bias_hh_l0)),
        ("twice", "factor", "a factor of 2", lambda l, e, x, h: 2 * _summed("bias_hh_l0")(l, e, x, h)),
    ),
)

RECURRENT = Known(RNN, FORMULAS, CAUSES, FAULTS, chapter="recurrent")
