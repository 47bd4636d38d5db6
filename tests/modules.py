"""Modules by hand, right and wrong, and the same of torch."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

NAMES = {"one": "0", "one.w": "0.weight", "one.b": "0.bias", "act": "1", "two.w": "2.weight", "two.b": "2.bias"}


def x_of(dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(7, 5, dtype=dtype)


def pictures() -> Tensor:
    return torch.randn(4, 3, 6, 5)


class Affine(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        return x @ w.t() + b

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Any:
        x, w = ctx.saved_tensors
        return d @ w, d.t() @ x, d.sum(0)


class MeanForSum(Affine):
    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Any:
        x, w = ctx.saved_tensors
        return d @ w, d.t() @ x, d.mean(0)


class WithoutSlope(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.relu(x)

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Tensor:
        return d


class ByHand(nn.Module):
    def __init__(self, n_in: int, n_out: int, function: Any = Affine) -> None:
        super().__init__()
        self.w, self.b = nn.Parameter(torch.randn(n_out, n_in)), nn.Parameter(torch.randn(n_out))
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function.apply(x, self.w, self.b)


class Clamped(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(min=0)


class MLP(nn.Module):
    def __init__(self, last: Any = Affine, act: nn.Module | None = None, factor: float = 1.0) -> None:
        super().__init__()
        self.one, self.act, self.two = ByHand(5, 4), act or Clamped(), ByHand(4, 3, last)
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        y = self.two(self.act(self.one(x)))
        return y if self.factor == 1 else self.factor * y


def sequential() -> nn.Sequential:
    return nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w1, self.b1 = nn.Parameter(torch.randn(4, 5)), nn.Parameter(torch.randn(4))
        self.w2, self.b2 = nn.Parameter(torch.randn(3, 4)), nn.Parameter(torch.randn(3))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(torch.relu(F.linear(x, self.w1, self.b1)), self.w2, self.b2)


class Block(nn.Module):
    """Two convolutions around batch norm and a ReLU in place, with a way past them."""

    def __init__(self, wrong: str = "") -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3)
        self.relu, self.second = nn.ReLU(inplace=True), nn.Conv2d(3, 3, 3, padding=1)
        self.wrong = wrong

    def forward(self, x: Tensor) -> Tensor:
        h = self.second(self.relu(self.norm(self.first(x))))
        if self.wrong == "detached":
            return self.relu(h + x.detach())
        return self.relu(h if self.wrong == "forgotten" else h + (0.5 * x if self.wrong == "half" else x))


class Net(nn.Module):
    def __init__(self, wrong: str = "") -> None:
        super().__init__()
        self.blocks = nn.Sequential(Block(), Block(wrong))
        self.head = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(x).mean((2, 3)))


class Cell(nn.Module):
    def __init__(self, wrong: str = "") -> None:
        super().__init__()
        self.w, self.wrong = nn.Linear(7, 4), wrong

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        z = self.w(torch.cat([x, h], 1))
        return torch.tanh(z + 0.01 * h if self.wrong == "cell" else z)


class Recurrent(nn.Module):
    def __init__(self, wrong: str = "") -> None:
        super().__init__()
        self.cell, self.out, self.wrong = Cell(wrong), nn.Linear(4, 2), wrong

    def forward(self, x: Tensor, h: Tensor | None = None) -> dict[str, Any]:
        h = torch.zeros(x.shape[1], 4) if h is None else h
        ys = []
        for one in x:
            h = self.cell(one, h.detach() if self.wrong == "truncated" else h)
            ys.append(self.out(h))
        return {"ys": torch.stack(ys), "h": h, "steps": len(x)}


class Attention(nn.Module):
    """As ``nn.MultiheadAttention`` of one input, with its parameters in its order."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.w, self.b = nn.Parameter(torch.randn(3 * size, size) / 2), nn.Parameter(torch.randn(3 * size))
        self.out = nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        n, t, size = x.shape
        q, k, v = (F.linear(x, self.w, self.b)).view(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        a = torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, -1)
        return self.out((a @ v).transpose(1, 2).reshape(n, t, size))


class Shared(nn.Module):
    """One matrix for words in and out."""

    def __init__(self, wrong: str = "", *, is_shared: bool = True) -> None:
        super().__init__()
        self.embedding, self.inner, self.wrong = nn.Embedding(11, 6), nn.Linear(6, 6), wrong
        self.head = nn.Linear(6, 11, bias=False)
        if is_shared:
            self.head.weight = self.embedding.weight

    def forward(self, ids: Tensor) -> Tensor:
        h = self.inner(self.embedding(ids))
        return F.linear(h, self.embedding.weight.detach()) if self.wrong == "detached" else self.head(h)


class Hidden(nn.Module):
    """It adds to what it kept from the call before."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.seen = nn.Linear(5, 5), []
        self.h: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(1)
        self.h = self.fc(x) if self.h is None else self.h + self.fc(x)
        return self.h


class BatchNorm(nn.Module):
    def __init__(self, size: int, *, is_biased: bool = False, is_in_place: bool = False) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(size)), nn.Parameter(torch.zeros(size))
        self.register_buffer("running_mean", torch.zeros(size))
        self.register_buffer("running_var", torch.ones(size))
        self.is_biased, self.is_in_place = is_biased, is_in_place

    def forward(self, x: Tensor) -> Tensor:
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = x.mean(0), x.var(0, unbiased=False)
            self._keep(mean.detach(), x.detach().var(0, unbiased=not self.is_biased))
        return (x - mean) / torch.sqrt(var + 1e-5) * self.weight + self.bias

    def _keep(self, mean: Tensor, var: Tensor) -> None:
        if self.is_in_place:
            self.running_mean.lerp_(mean, 0.1)
            self.running_var.lerp_(var, 0.1)
        else:
            self.running_mean = 0.9 * self.running_mean + 0.1 * mean
            self.running_var = 0.9 * self.running_var + 0.1 * var
