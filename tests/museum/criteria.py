"""What well-known criteria for gradients say of a pair of forward and backward, each as it was published.

Each criterion takes a ``Pair`` and says whether it accepts the pair; None where it cannot be applied. Those that use
finite differences run in float64, as numpy does, but for JAX's, which has float32 unless told otherwise; of more than
200 entries some are compared.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from museum.exhibit import Shown, Which

HALF = (torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Pair:
    """A function and its gradients by hand, at one point."""

    value: Callable[..., Any]
    """The function whose gradients they are: forward, or the Function's apply."""
    backward: Callable[..., Any]
    """backward(*upstream gradients, *inputs) -> one gradient for each input, None for some."""
    reference: Callable[..., Any]
    inputs: tuple[Any, ...]
    places: tuple[int, ...]
    """Which of the inputs are differentiated."""

    @classmethod
    def of(cls, shown: Shown, which: Which) -> Pair:
        """Return the right or the wrong pair of an exhibit."""
        inputs = tuple(x.detach() for x in shown.module.inputs())
        reference = shown.card.needs.get("reference", shown.module.forward)
        chosen = [_as_pair(shown, kind) for kind in (which, "right")]
        (value, backward), (_, right) = chosen
        pair = cls(value, backward, reference, inputs, ())
        gradients = _several(right(*pair.upstream(), *_copies(inputs)))
        return replace(pair, places=tuple(i for i, g in enumerate(gradients) if g is not None))

    def in_dtype(self, dtype: torch.dtype) -> Pair:
        """Return the same at numbers of another dtype."""
        wide = dtype.to_complex() if dtype != torch.bfloat16 else dtype
        cast = [x.to(wide) if x.is_complex() else x.to(dtype) if x.is_floating_point() else x for x in self.inputs]
        return replace(self, inputs=tuple(cast))

    @property
    def dtype(self) -> torch.dtype:
        """Return the dtype of the numbers at hand."""
        dtype: torch.dtype = self.inputs[self.places[0]].dtype
        return dtype

    def outputs(self, *inputs: Any) -> list[Tensor]:
        """Compute the function."""
        return _several(self.value(*inputs))

    def upstream(self) -> list[Tensor]:
        """Return 1 for a loss, else normal numbers."""
        generator = torch.Generator().manual_seed(0)
        return [
            torch.ones_like(y) if y.ndim == 0 else torch.randn(y.shape, generator=generator).to(y)
            for y in self.outputs(*_copies(self.inputs))
        ]

    def by_hand(self, d: Sequence[Tensor]) -> list[Tensor]:
        """Return the gradients by hand of the inputs that are differentiated."""
        gradients = _several(self.backward(*_copies(d), *_copies(self.inputs)))
        return [gradients[i] for i in self.places]

    def by_autograd(self, d: Sequence[Tensor]) -> list[Tensor]:
        """Return autograd's gradients of the reference."""
        inputs = [x.clone().requires_grad_(i in self.places) for i, x in enumerate(self.inputs)]
        return _autograd(self.reference, inputs, self.places, d)

    def at_entries(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """Return the entries of gradients that are compared with differences."""
        for g, i in zip(gradients, self.places, strict=True):
            if g.shape != self.inputs[i].shape:
                raise ValueError(f"expected a gradient of shape {(*self.inputs[i].shape,)}, got {(*g.shape,)}")
        return [g.reshape(-1)[_some(g.numel())] for g in gradients]

    def by_differences(self, d: Sequence[Tensor], step: float) -> list[Tensor]:
        """Return central differences of the sum of d times the outputs, at the same entries."""
        return [j @ torch.cat([e.reshape(-1) for e in d]) for j in self.jacobian(step)]

    def jacobian(self, step: float) -> list[Tensor]:
        """Return central differences of all outputs, for each input that is differentiated: (entries, outputs)."""
        return [torch.stack([*self._slopes(i, step)]) for i in self.places]

    def _slopes(self, i: int, step: float) -> Iterator[Tensor]:
        for entry in _some(self.inputs[i].numel()):
            ends = []
            for sign in (1, -1):
                moved = _copies(self.inputs)
                moved[i].view(-1)[entry] += sign * step
                ends.append(torch.cat([y.reshape(-1) for y in self.outputs(*moved)]))
            yield (ends[0] - ends[1]) / (2 * step)


def _some(count: int) -> list[int]:
    """Return all numbers below count, of many every hundredth part."""
    return [*range(0, count, max(1, count // 100))] if count > 200 else [*range(count)]


def _as_pair(shown: Shown, which: Which) -> tuple[Callable[..., Any], Callable[..., Any]]:
    chosen = shown.backward(which)
    if not (isinstance(chosen, type) and issubclass(chosen, torch.autograd.Function)):
        return shown.module.forward, chosen

    def backward(*given: Any) -> list[Tensor | None]:
        inputs = [x.requires_grad_() for x in given[1:]]
        return _autograd(chosen.apply, inputs, range(len(inputs)), given[:1])

    return chosen.apply, backward


def _autograd(function: Callable[..., Any], inputs: Sequence[Any], places: Sequence[int], d: Any) -> list[Any]:
    with torch.enable_grad():
        outputs = _several(function(*inputs))
        return [*torch.autograd.grad(outputs, [inputs[i] for i in places], list(d))]


def _several(value: Any) -> list[Any]:
    return [*value] if isinstance(value, tuple | list) else [value]


def _copies(tensors: Sequence[Any]) -> list[Any]:
    return [x.clone() for x in tensors]


def allclose(pair: Pair) -> bool:
    """torch.allclose with its defaults, |a − b| ≤ 1e-8 + 1e-5 |b|, in the dtype at hand."""
    d = pair.upstream()
    return all(torch.allclose(a, b) for a, b in zip(pair.by_hand(d), pair.by_autograd(d), strict=True))


def gradcheck(pair: Pair) -> bool | None:
    """torch.autograd.gradcheck with its defaults, on a Function made of the pair, in float64."""
    wide = pair.in_dtype(torch.float64)
    inputs = [x.clone().requires_grad_(i in pair.places) for i, x in enumerate(wide.inputs)]
    if sum(y.numel() for y in wide.outputs(*wide.inputs)) > 1000:  # it makes a backward pass for each of them
        return None
    return bool(torch.autograd.gradcheck(_made_of(wide), inputs, raise_exception=False))


def _made_of(pair: Pair) -> Callable[..., Any]:
    if not hasattr(pair.value, "__self__"):

        class Made(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, *inputs: Any) -> Any:
                ctx.save_for_backward(*inputs)
                return pair.value(*inputs)

            @staticmethod
            def backward(ctx: Any, *d: Any) -> Any:
                gradients = _several(pair.backward(*d, *ctx.saved_tensors))
                return tuple(g if i in pair.places else None for i, g in enumerate(gradients))

        return Made.apply
    return pair.value  # the apply of a Function


def cs231n(pair: Pair) -> bool | None:
    """CS231n: the largest |a − n| / max(1e-8, |a| + |n|), n by central differences with step 1e-5; above 1e-2 wrong.

    https://cs231n.github.io/neural-networks-3/#gradcheck, and rel_error of its exercises
    """
    found = _both(pair, step=1e-5)
    if found is None:
        return None
    return all(float(((a - n).abs() / (a.abs() + n.abs()).clamp_min(1e-8)).max()) <= 1e-2 for a, n in found)


def deeplearning_ai(pair: Pair) -> bool | None:
    """DeepLearning.AI: ‖a − n‖ / (‖a‖ + ‖n‖) of all gradients in one vector, step 1e-7; above 2e-7 wrong.

    https://www.coursera.org/lecture/deep-neural-network/gradient-checking-htA0l and the exercise that goes with it
    """
    found = _both(pair, step=1e-7)
    if found is None:
        return None
    a, n = (torch.cat([g.reshape(-1) for g in side]) for side in zip(*found, strict=True))
    return bool((a - n).norm() / (a.norm() + n.norm()) <= 2e-7)


def caffe(pair: Pair) -> bool | None:
    """Caffe: |a − n| ≤ 1e-3 max(|a|, |n|, 1) everywhere, with twice each output by itself as the loss; step 1e-2.

    https://github.com/BVLC/caffe/blob/master/include/caffe/test/test_gradient_check_util.hpp
    """
    wide = pair.in_dtype(torch.float64)
    if any(x.is_complex() for x in wide.inputs):
        return None
    outputs, numeric = wide.outputs(*_copies(wide.inputs)), wide.jacobian(1e-2)
    return all(
        bool(((a - 2 * n[:, j]).abs() <= 1e-3 * torch.maximum(a.abs(), 2 * n[:, j].abs()).clamp_min(1)).all())
        for j in _some(sum(y.numel() for y in outputs))
        for a, n in zip(wide.at_entries(wide.by_hand(_two_at(j, outputs))), numeric, strict=True)
    )


def _two_at(j: int, outputs: Sequence[Tensor]) -> list[Tensor]:
    """Return zeros in the shapes of the outputs, and 2 at the j-th of all their entries."""
    ends = [*itertools.accumulate(y.numel() for y in outputs)]
    spread = [torch.zeros(y.numel(), dtype=torch.float64) for y in outputs]
    for d, end in zip(spread, ends, strict=True):
        if end - d.numel() <= j < end:
            d[j - end] = 2
    return [d.view(y.shape) for d, y in zip(spread, outputs, strict=True)]


def flash_attention(pair: Pair) -> bool | None:
    """FlashAttention: in half precision, max |a − r| ≤ 2 max |p − r|; r autograd in float32, p autograd in half.

    https://github.com/Dao-AILab/flash-attention/blob/main/tests/test_flash_attn.py
    """
    if pair.dtype.is_complex:
        return None
    half = pair if pair.dtype in HALF else pair.in_dtype(torch.float16)
    d = half.upstream()
    r = half.in_dtype(torch.float32).by_autograd([e.float() for e in d])
    errors = [
        [float((g.float() - b).abs().max()) for g, b in zip(gradients, r, strict=True)]
        for gradients in (half.by_hand(d), half.by_autograd(d))
    ]
    return all(mine <= 2 * theirs for mine, theirs in zip(*errors, strict=True))


JAX_TOLERANCE = {
    torch.bfloat16: 1e-1,
    torch.float16: 1e-2,
    torch.float32: 2e-3,
    torch.float64: 1e-5,
    torch.complex64: 1e-3,
}


def jax(pair: Pair) -> bool:
    """JAX's check_grads: ⟨t, vjp(c)⟩ = ⟨jvp(t), c⟩ for one random t and c, jvp by differences with step 1e-4.

    https://github.com/jax-ml/jax/blob/main/jax/_src/public_test_util.py
    """
    random = np.random.RandomState(0)

    def like(x: Tensor) -> Tensor:
        real = torch.tensor(random.randn(*x.shape), dtype=torch.float64)
        return torch.complex(real, torch.tensor(random.randn(*x.shape))).to(x) if x.is_complex() else real.to(x)

    t = {i: like(pair.inputs[i]) for i in pair.places}
    ends = [
        pair.outputs(*(x + sign * 1e-4 * t[i] if i in t else x for i, x in enumerate(pair.inputs))) for sign in (1, -1)
    ]
    c = [like(y) for y in ends[0]]
    jvp = [(up - down) * (0.5 / 1e-4) for up, down in zip(*ends, strict=True)]
    mine, expected = _inner(t.values(), pair.by_hand(c)), _inner(jvp, c)
    tolerance = JAX_TOLERANCE[pair.dtype]
    return bool(abs(mine - expected) <= tolerance + tolerance * abs(expected))


def _inner(xs: Any, ys: Any) -> float:
    return sum(
        float(torch.dot(x.conj().reshape(-1), y.reshape(-1).to(x.dtype)).real) for x, y in zip(xs, ys, strict=True)
    )


def _both(pair: Pair, step: float) -> list[tuple[Tensor, Tensor]] | None:
    """Return gradients by hand and by central differences in float64; None for complex numbers."""
    wide = pair.in_dtype(torch.float64)
    if any(x.is_complex() for x in wide.inputs):
        return None
    d = wide.upstream()
    return [*zip(wide.at_entries(wide.by_hand(d)), wide.by_differences(d, step), strict=True)]


CRITERIA: dict[str, Callable[[Pair], bool | None]] = {
    "allclose": allclose,
    "gradcheck": gradcheck,
    "CS231n": cs231n,
    "DeepLearning.AI": deeplearning_ai,
    "Caffe": caffe,
    "FlashAttention": flash_attention,
    "JAX": jax,
}


def accepts(criterion: Callable[[Pair], bool | None], shown: Shown, which: Which) -> bool | None:
    """Tell whether a criterion accepts the right or the wrong pair of an exhibit; what raises is not accepted."""
    try:
        return criterion(Pair.of(shown, which))
    except Exception:  # of a wrong backward, which may return anything
        return False
