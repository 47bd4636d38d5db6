"""The reference is run again with one operation computed otherwise: in loops, masks, norms, inverses, convolutions."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as fn

import torch_ref
from tests.torch_ref.causes.unreadable import unreadable

Backward = Callable[..., Any]


def causes(forward: Callable[..., Tensor], backward: Backward, *inputs: Tensor) -> dict[str, str]:
    """Return the code of the cause for each gradient that is wrong."""
    report = torch_ref.check_function(forward, backward, [*inputs], power=False)
    return {row.quantity.removeprefix("gradient of "): row.code for row in report.guilty}


def draw(*shape: int) -> Tensor:
    return torch.randn(shape)


def recurrent(x: Tensor, w: Tensor, u: Tensor) -> Tensor:
    h, states = torch.zeros(x.shape[1], len(u), dtype=x.dtype), []
    for step in x:
        h = torch.tanh(step @ w + h @ u)
        states.append(h)
    return torch.stack(states)


def of_recurrent(
    slope: Callable[[Tensor, Tensor], Tensor] = lambda h, before: 1 - h * h,
    state: Callable[[Tensor, Tensor], Tensor] = lambda h, before: before,
    back: Callable[[Tensor], Tensor] = lambda u: u.t(),
    *,
    only_last: bool = False,
) -> Backward:
    def backward(d: Tensor, x: Tensor, w: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hs = [torch.zeros(x.shape[1], len(u), dtype=x.dtype), *recurrent(x, w, u)]
        dx, dw, du, dh = torch.zeros_like(x), torch.zeros_like(w), torch.zeros_like(u), torch.zeros_like(hs[0])
        for t in reversed(range(len(x))):
            dz = (d[t] + dh) * slope(hs[t + 1], hs[t])
            dx[t], dh = dz @ w.t(), dz @ back(u)
            dw = x[t].t() @ dz if only_last else dw + x[t].t() @ dz
            du = du + state(hs[t + 1], hs[t]).t() @ dz
        return dx, dw, du

    return backward


@pytest.mark.long(but=("step-missing", "another-tensor"))
@pytest.mark.parametrize(
    ("backward", "code", "where"),
    [
        (of_recurrent(lambda h, before: torch.ones_like(h)), "slope-missing", "xwu"),
        (of_recurrent(lambda h, before: 1 - h), "slope-miswritten", "xwu"),
        (of_recurrent(back=lambda u: u), "transposed-weights", "xwu"),
        (of_recurrent(state=lambda h, before: h), "another-tensor", "u"),
        (of_recurrent(only_last=True), "step-missing", "w"),
    ],
)
@pytest.mark.long(but=("step-missing",))
def test_in_a_loop_the_same_line_is_wrong_in_every_step(backward: Backward, code: str, where: str) -> None:
    assert causes(recurrent, backward, draw(5, 3, 2), draw(2, 4), draw(4, 4)) == dict.fromkeys(where, code)


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    mask = torch.ones(len(q), len(k), dtype=torch.bool).tril()
    return torch.softmax((q @ k.t() / 2).masked_fill(~mask, -torch.inf), 1) @ v


@pytest.mark.long(but=1)
@pytest.mark.parametrize(
    ("scores", "code"),
    [
        (lambda s, mask: torch.softmax(s, 1), "wrong-mask"),
        (lambda s, mask: torch.softmax(s.masked_fill(~mask.t(), -torch.inf), 1), "wrong-mask"),
        (lambda s, mask: torch.softmax((2 * s).masked_fill(~mask, -torch.inf), 1), "wrong-argument"),
    ],
)
def test_the_scores_that_backward_computes_anew(scores: Callable[[Tensor, Tensor], Tensor], code: str) -> None:
    def backward(d: Tensor, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        p = scores(q @ k.t() / 2, torch.ones(len(q), len(k), dtype=torch.bool).tril())
        dp = d @ v.t()
        ds = p * (dp - (dp * p).sum(1, keepdim=True)) / 2
        return ds @ k, ds.t() @ q, p.t() @ d

    assert causes(attention, backward, draw(5, 4), draw(5, 4), draw(5, 4)) == dict.fromkeys("qkv", code)


def layer_norm(x: Tensor, w: Tensor, eps: float = 0.1) -> Tensor:
    return fn.layer_norm(x, (x.shape[-1],), w, None, eps)


def of_layer_norm(eps: float = 0.1, axis: int = 1, mean: bool = True) -> Backward:
    def backward(d: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        s = (x.var(axis, keepdim=True, unbiased=False) + eps).rsqrt()
        h, dh = (x - x.mean(axis, keepdim=True)) * s, d * w
        middle = dh.mean(axis, keepdim=True) if mean else 0
        return s * (dh - middle - h * (dh * h).mean(axis, keepdim=True)), (d * h).sum(0)

    return backward


@pytest.mark.parametrize(
    ("backward", "found"),
    [
        (of_layer_norm(eps=0), {"x": "term-missing", "w": "term-missing"}),
        (of_layer_norm(mean=False), {"x": "projection-missing"}),
    ],
)
def test_a_norm_that_is_one_function_is_looked_into(backward: Backward, found: dict[str, str]) -> None:
    assert causes(layer_norm, backward, draw(6, 5), draw(5)) == found


@pytest.mark.long(but=2)
@pytest.mark.parametrize(
    ("weights", "code"),
    [
        (lambda x: (x == x.amin(1, keepdim=True)).to(x), "wrong-mask"),
        (lambda x: (x != x.amax(1, keepdim=True)).to(x), "wrong-mask"),
        (lambda x: torch.full_like(x, 0.2), "wrong-mask"),
        (lambda x: torch.ones_like(x), "wrong-mask"),
        (lambda x: (x == x.amax(0)).to(x), "another-axis"),
    ],
)
def test_the_largest_of_several(weights: Callable[[Tensor], Tensor], code: str) -> None:
    def backward(d: Tensor, x: Tensor) -> Tensor:
        return d[:, None] * weights(x.exp()) * x.exp()

    assert causes(lambda x: x.exp().amax(1), backward, draw(5, 5)) == {"x": code}


@pytest.mark.parametrize(
    ("of_a", "of_b", "found"),
    [
        (lambda g, d, x, b: -g @ x.t(), lambda a, d: torch.linalg.solve(a, d), {"a": "transposed-weights"}),
        (lambda g, d, x, b: -g @ b.t(), lambda a, d: torch.linalg.solve(a.t(), d), {"a": "another-tensor"}),
        (lambda g, d, x, b: -d @ x.t(), lambda a, d: torch.linalg.solve(a.t(), d), {"a": "weights-missing"}),
    ],
)
def test_the_solution_of_a_system(of_a: Any, of_b: Any, found: dict[str, str]) -> None:
    def backward(d: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        g = of_b(a, d)
        return of_a(g, d, torch.linalg.solve(a, b), b), g

    codes = causes(lambda a, b: torch.linalg.solve(a, b), backward, draw(4, 4) + 4 * torch.eye(4), draw(4, 4))
    assert found.items() <= codes.items()


def test_a_kernel_that_is_turned_round() -> None:
    def backward(d: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        return fn.conv_transpose2d(d, w.flip(-1, -2), padding=1), torch.nn.grad.conv2d_weight(x, w.shape, d, padding=1)

    found = causes(lambda x, w: fn.conv2d(x, w, padding=1), backward, draw(2, 3, 5, 5), draw(4, 3, 3, 3))
    assert found == {"x": "transposed-weights"}


@pytest.mark.parametrize(
    "backward",
    [
        lambda d, a, b: (d * b, d * a.conj()),
        lambda d, a, b: (d.conj() * b.conj(), d * a.conj()),
    ],
)
def test_complex_factors_without_their_conjugates(backward: Backward) -> None:
    inputs = [torch.complex(draw(4, 3), draw(4, 3)) for _ in "ab"]
    assert causes(lambda a, b: a * b, backward, *inputs) == {"a": "conjugate-missing"}


def test_a_running_sum_goes_back_from_the_other_end() -> None:
    def total(x: Tensor) -> Tensor:
        return x.sin().cumsum(1)

    assert causes(total, lambda d, x: d.cumsum(1) * x.cos(), draw(4, 5)) == {"x": "swapped"}
    assert causes(total, lambda d, x: d * x.cos(), draw(4, 5)) == {"x": "step-missing"}


def test_a_value_that_is_taken_as_a_constant() -> None:
    def scaled(x: Tensor, w: Tensor) -> Tensor:
        h = torch.tanh(x @ w)
        return torch.sin(h) * torch.cos(h)

    def backward(d: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(x @ w)
        dz = d * torch.cos(h) * torch.cos(h) * (1 - h * h)  # not through the cosine
        return dz @ w.t(), x.t() @ dz

    assert {*causes(scaled, backward, draw(5, 4), draw(4, 3)).values()} == {"part-missing"}


def test_a_gradient_that_is_not_summed_over_what_was_broadcast() -> None:
    found = causes(lambda x, b: x + b, lambda d, x, b: (d, d), draw(5, 4), draw(4))
    assert found == {"b": "broadcast-not-summed"}
    other = causes(lambda x, b: x + b, lambda d, x, b: (d, d * x), draw(5, 4), draw(4))
    assert other == {"b": "wrong-shape"}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_long_sum_in_half_precision(dtype: torch.dtype) -> None:
    def backward(d: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        total = torch.zeros_like(w, dtype=dtype)
        for row in (d * x).to(dtype):
            total += row
        return d * w, total.to(w)

    inputs = torch.rand(3000, 3), draw(3)
    assert causes(lambda x, w: x * w, backward, *inputs) == {"w": "half-precision-sum"}


def test_the_reference_s_own_code_is_not_called_again() -> None:
    calls = []

    def forward(x: Tensor, w: Tensor) -> Tensor:
        calls.append(1)
        return torch.tanh(x @ w)

    def backward(noise: float) -> Backward:
        return lambda d, x, w: (d @ w.t() + noise * torch.sin(37 * x), x.t() @ (d * (1 - torch.tanh(x @ w) ** 2)))

    causes(forward, backward(0.0), draw(4, 3), draw(3, 5))
    plain = len(calls)
    assert causes(forward, backward(1.0), draw(4, 3), draw(3, 5)) == {"x": "no-pattern"}
    assert len(calls) - plain <= plain + 5


@pytest.mark.long
def test_what_no_mistake_explains_is_not_explained_in_a_loop() -> None:
    def backward(d: Tensor, x: Tensor, w: Tensor, u: Tensor) -> Any:
        dx, dw, du = of_recurrent()(d, x, w, u)
        return dx + torch.sin(31 * x), dw + torch.cos(17 * w), du

    found = causes(recurrent, unreadable(backward), draw(4, 3, 2), draw(2, 4), draw(4, 4))
    assert found == {"x": "no-pattern", "w": "no-pattern"}


@pytest.mark.parametrize("shift", [0.5, 2.0])
def test_the_cause_of_a_single_number_is_looked_for(shift: float) -> None:
    def forward(x: Tensor, m: Tensor) -> Tensor:
        return m * x.sin() + m.square() * x.cos()

    def backward(d: Tensor, x: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
        return d * (m * x.cos() - m.square() * x.sin()), d * (x.sin() + 2 * m * x.cos()) + shift

    assert "m" in causes(forward, backward, torch.tensor(0.7), torch.tensor(1.3))


def test_another_operand_of_a_product_before_a_relu_is_no_mask() -> None:
    def forward(x: Tensor, w: Tensor, v: Tensor) -> Tensor:
        return torch.relu(torch.tanh(x @ w) @ v)

    def backward(d: Tensor, x: Tensor, w: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z = x @ w
        h = z.tanh()
        dz = d * (h @ v > 0)
        dh = dz @ v.t() * (1 - h * h)
        return dh @ w.t(), x.t() @ dh, z.t() @ dz  # h is meant

    assert causes(forward, backward, draw(6, 4), draw(4, 4), draw(4, 5)) == {"v": "another-tensor"}
