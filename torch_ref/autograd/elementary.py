"""PyTorch's layer norm and recurrent layer in elementary operations, under autograd.

The kernels behind ``nn.LayerNorm`` and ``nn.RNN`` add in orders of their own, so their last bits are out of reach. Here
each formula is written out, with PyTorch's names and settings. The tests hold each against PyTorch's own layer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ElementaryLayerNorm(nn.LayerNorm):
    """An ``nn.LayerNorm`` over the last dimension whose forward is N1 and N2."""

    def forward(self, x: Tensor) -> Tensor:
        """Return y of the shape of x."""
        c = x - x.mean(-1, keepdim=True)
        r = ((c * c).mean(-1, keepdim=True) + self.eps).rsqrt()
        return c * r * self.weight + self.bias


class ElementaryRNN(nn.RNN):
    """An ``nn.RNN`` of one layer, batch first, whose forward is R1 and R2; it returns the outputs alone."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]  # nn.RNN returns the last state too
        """Return h (N, T, n) of sequences (N, T, n_in)."""
        w, v, b, c = (p for _, p in self.named_parameters())
        h, steps = x.new_zeros(len(x), self.hidden_size), []
        for now in x.unbind(1):
            h = torch.tanh(nn.functional.linear(now, w, b) + nn.functional.linear(h, v, c))
            steps.append(h)
        return torch.stack(steps, 1)


class Last(nn.Module):
    """The last step of a sequence."""

    def forward(self, x: Tensor) -> Tensor:
        """Return h_T (N, n) of h (N, T, n)."""
        return x[:, -1]
