"""A recurrent layer, and back-propagation through time: the same weights at every step of a sequence.

Each step t = 1 ... T sees its own input x_t and what the step before put out, h_0 = 0:

    forward    R1    net_t = W x_t + b + V h_(t−1) + c
               R2    h_t = tanh net_t
    backward   R3    error of h_t = e_t + Vᵀ δ_(t+1)          e_t from the layer above, δ_(T+1) = 0
               R4    δ_t = (1 − h_t²) (error of h_t)
               R5    error of x_t = Wᵀ δ_t
               R6    ∂L/∂W = −Σ_t δ_t x_tᵀ      ∂L/∂b = −Σ_t δ_t
                     ∂L/∂V = −Σ_t δ_t h_(t−1)ᵀ      ∂L/∂c = −Σ_t δ_t

h_t reaches the loss on two paths, through the layer above and through the next step: their errors are added (E11). The
weights are used at every step, so their gradients are sums over the steps; the last step comes first, as in autograd.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from manual_bp.layer import NEW, ByName, check_first_parameter, check_kind, check_like, check_parameter, constant
from manual_bp.linear import sent_back


class SavedSteps(NamedTuple):
    """What RNN's backward reads, and beside it scratch, which nothing reads from one call to the next."""

    x: Tensor  # (N, T, n_in)
    h: Tensor  # (N, T, n), what forward returns
    scratch: StepScratch


class StepScratch(NamedTuple):
    """Tensors to write into. Each step has its own: where a tensor begins in memory shows in the last bit."""

    outputs: tuple[Tensor, ...]  # h_t of each step, (N, n)
    deltas: tuple[Tensor, ...]  # δ_t of each step, (N, n)
    net: Tensor  # (N, n)
    sent: Tensor  # (N, n)
    error_of_x: Tensor  # (N, n_in)
    d_input: Tensor  # one step's part of ∂L/∂W, (n, n_in)
    d_state: Tensor  # one step's part of ∂L/∂V, (n, n)
    d_bias: Tensor  # one step's part of ∂L/∂b, (n,)


@dataclass(frozen=True, eq=False, repr=False)
class RNN:
    """Turn sequences x (N, T, n_in) into what the layer puts out at each step, h (N, T, n).

    The parameters bear the names and shapes of ``nn.RNN``: W is ``weight_ih_l0`` (n, n_in), V ``weight_hh_l0`` (n, n),
    b ``bias_ih_l0`` and c ``bias_hh_l0`` (n,).
    """

    weight_ih_l0: Tensor
    weight_hh_l0: Tensor
    bias_ih_l0: Tensor
    bias_hh_l0: Tensor

    def __post_init__(self) -> None:
        """Check the parameters, and take them without the history that autograd may have noted."""
        first = self.weight_ih_l0
        check_first_parameter("RNN", "weight_ih_l0", first, "(n, n_in)")
        n = len(first)
        check_parameter("RNN", "weight_hh_l0", self.weight_hh_l0, (n, n), like=first)
        check_parameter("RNN", "bias_ih_l0", self.bias_ih_l0, (n,), like=first)
        check_parameter("RNN", "bias_hh_l0", self.bias_hh_l0, (n,), like=first)
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            object.__setattr__(self, name, getattr(self, name).detach())

    def __repr__(self) -> str:
        """Return the numbers of units: RNN(28 → 64)."""
        n, n_in = self.weight_ih_l0.shape
        return f"{type(self).__name__}({n_in} → {n})"

    def forward(self, x: Tensor, out: tuple[Tensor, SavedSteps] | None = None) -> tuple[Tensor, SavedSteps]:
        """Return h_1 ... h_T (R1, R2); saves x and h."""
        if out is None:
            _check_sequences(x, self.weight_ih_l0)
        h, saved = out or self._new(x)
        scratch = saved.scratch
        for t in range(x.shape[1]):
            output = torch.addmm(self.bias_ih_l0, x[:, t], self.weight_ih_l0.t(), out=scratch.outputs[t])
            if t == 0:
                output.add_(self.bias_hh_l0)
            else:
                before = scratch.outputs[t - 1]
                output.add_(torch.addmm(self.bias_hh_l0, before, self.weight_hh_l0.t(), out=scratch.net))
            output.tanh_()
        torch.stack(scratch.outputs, 1, out=h)
        return h, saved._replace(x=x)

    def backward(
        self, error: Tensor, saved: SavedSteps, out: tuple[Tensor | None, ByName] | None = None
    ) -> tuple[Tensor, ByName]:
        """Return the error of x (R5), then the gradients (R6)."""
        error_of_x, d_parameters = out or NEW
        self._go_back(error, saved)
        error_of_x = torch.empty_like(saved.x) if error_of_x is None else error_of_x
        for t, delta in enumerate(saved.scratch.deltas):
            sent = sent_back(delta, self.weight_ih_l0, saved.x[:, t], saved.scratch.error_of_x)
            error_of_x[:, t].copy_(sent)
        return error_of_x, self._summed(saved, d_parameters)

    def gradients(self, error: Tensor, saved: SavedSteps, out: ByName | None = None) -> ByName:
        """Return the gradients alone (R6)."""
        self._go_back(error, saved)
        return self._summed(saved, out)

    def _go_back(self, error: Tensor, saved: SavedSteps) -> None:
        """Compute δ_T ... δ_1 (R3, R4)."""
        check_like("RNN", "the error of h", error, saved.h)
        _, _, (outputs, deltas, slope, sent, *_) = saved
        one = constant(1.0, error.dtype, error.device)
        for t in range(len(deltas) - 1, -1, -1):
            delta = deltas[t].copy_(error[:, t])
            if t < len(deltas) - 1:
                delta.add_(torch.mm(deltas[t + 1], self.weight_hh_l0, out=sent))
            delta.mul_(torch.addcmul(one, outputs[t], outputs[t], value=-1, out=slope))

    def _summed(self, saved: SavedSteps, out: ByName | None) -> ByName:
        """Return each gradient as the sum over the steps, the last one first."""
        d, s = {name: torch.empty_like(p) for name, p in vars(self).items()} if out is None else out, saved.scratch
        for total in d.values():
            total.zero_()
        for t in range(len(s.deltas) - 1, -1, -1):
            d["weight_ih_l0"].sub_(torch.mm(s.deltas[t].t(), saved.x[:, t], out=s.d_input))
            d["bias_ih_l0"].sub_(torch.sum(s.deltas[t], 0, out=s.d_bias))
            if t > 0:
                d["weight_hh_l0"].sub_(torch.mm(s.deltas[t].t(), s.outputs[t - 1], out=s.d_state))
        d["bias_hh_l0"].copy_(d["bias_ih_l0"])
        return d

    def _new(self, x: Tensor) -> tuple[Tensor, SavedSteps]:
        """Return room for h, and the scratch."""
        (n_samples, steps, n_in), n = x.shape, len(self.weight_ih_l0)
        outputs, deltas = (tuple(x.new_empty(n_samples, n) for _ in range(steps)) for _ in range(2))
        shapes = (n_samples, n), (n_samples, n), (n_samples, n_in), (n, n_in), (n, n), (n,)
        scratch = StepScratch(outputs, deltas, *map(x.new_empty, shapes))
        saved = SavedSteps(x, x.new_empty(n_samples, steps, n), scratch)
        return saved.h, saved


@dataclass(frozen=True)
class LastStep:
    """Turn h (N, T, n) into its last step, (N, n): what a sequence comes to."""

    def forward(self, x: Tensor) -> tuple[Tensor, torch.Size]:
        """Return h_T; saves the shape."""
        if not isinstance(x, Tensor) or x.ndim != 3 or 0 in x.shape:
            got = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise ValueError(f"LastStep expects x of shape (N, T, n), each at least 1, got {got}")
        return x[:, -1], x.shape

    def backward(
        self, error: Tensor, saved: torch.Size, out: tuple[Tensor | None, ByName] | None = None
    ) -> tuple[Tensor, ByName]:
        """Return the error of h: that of h_T, and 0 at the other steps."""
        error_of_x, _ = out or NEW
        if error_of_x is None:
            check_like("LastStep", "the error of h_T", error, error.new_empty(()).expand(saved[0], saved[2]))
            error_of_x = error.new_zeros(saved)
        error_of_x[:, :-1].zero_()
        error_of_x[:, -1].copy_(error)
        return error_of_x, {}


def _check_sequences(x: Tensor, weight: Tensor) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(f"RNN expects x as a torch.Tensor, got {type(x).__name__}")
    if x.ndim != 3 or x.shape[2] != weight.shape[1] or 0 in x.shape:
        raise ValueError(f"RNN expects x of shape (N, T, {weight.shape[1]}), N and T at least 1, got {tuple(x.shape)}")
    check_kind("RNN", "x", x, weight)
