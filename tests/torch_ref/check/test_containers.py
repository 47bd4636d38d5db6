"""Tensors in lists, tuples, dicts and dataclasses, inputs by name, and what is not looked at."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from torch_ref import check_autograd_function, check_function


def blamed(report) -> set[str]:
    return {row.quantity for row in report.guilty}


def scaled(x: Tensor, p: dict[str, Tensor]) -> Tensor:
    return x * p["w"] + p["b"]


def scaled_backward(d: Tensor, x: Tensor, p: dict[str, Tensor]):
    return d * p["w"], {"w": (d * x).sum(0), "b": d.sum(0)}


@pytest.fixture
def x() -> Tensor:
    return torch.randn(4, 3, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def p() -> dict[str, Tensor]:
    return {"w": torch.tensor([1.0, -2.0, 3.0]), "b": torch.tensor([0.5, 0.25, -1.0])}


def test_tensors_in_a_dict_have_rows_of_their_own(x: Tensor, p) -> None:
    report = check_function(scaled, scaled_backward, [x, p])
    assert report.ok
    assert [row.quantity for row in report.rows] == [
        "output",
        "gradient of x",
        "gradient of p['w']",
        "gradient of p['b']",
    ]
    assert not report.not_compared


def test_the_wrong_one_of_a_dict_is_named(x: Tensor, p) -> None:
    def wrong(d, x, p):
        return d * p["w"], {"w": (d * x).sum(0), "b": 2 * d.sum(0)}

    assert blamed(check_function(scaled, wrong, [x, p])) == {"gradient of p['b']"}


def test_a_gradient_that_the_dict_lacks_is_a_fault(x: Tensor, p) -> None:
    report = check_function(scaled, lambda d, x, p: (d * p["w"], {"w": (d * x).sum(0)}), [x, p])
    assert blamed(report) == {"gradient of p['b']"}


def test_none_for_a_container_that_requires_nothing_is_named(x: Tensor, p) -> None:
    report = check_function(scaled, lambda d, x, p: (d * p["w"], None), [x, p])
    assert report.ok
    assert [name for name, _ in report.not_compared] == ["gradient of p['w']", "gradient of p['b']"]


def chain(x: Tensor, weights: list[Tensor]) -> Tensor:
    for w in weights:
        x = x @ w
    return x


def chain_backward(d: Tensor, x: Tensor, weights: list[Tensor]):
    before = [x]
    for w in weights:
        before.append(before[-1] @ w)
    d_weights = []
    for y, w in zip(before[-2::-1], weights[::-1], strict=True):
        d_weights.insert(0, y.t() @ d)
        d = d @ w.t()
    return d, d_weights


def test_the_wrong_one_of_a_list_is_named(x: Tensor) -> None:
    weights = [torch.eye(3) + 0.1 * i for i in range(3)]
    assert check_function(chain, chain_backward, [x, weights]).ok

    def wrong(d, x, weights):
        d_x, d_weights = chain_backward(d, x, weights)
        return d_x, [d_weights[0], d_weights[1] * 1.5, d_weights[2]]

    assert blamed(check_function(chain, wrong, [x, weights])) == {"gradient of weights[1]"}


@pytest.mark.parametrize("kind", [list, tuple])
def test_one_argument_that_is_a_list_takes_its_gradients_as_they_are_or_in_a_tuple_of_one(kind) -> None:
    pair = kind([torch.randn(3), torch.randn(3)])

    def product(both):
        return both[0] * both[1]

    def backward(d, both):
        return kind([d * both[1], d * both[0]])

    assert check_function(product, backward, [pair]).ok
    assert check_function(product, lambda d, both: (backward(d, both),), [pair]).ok
    wrong = check_function(product, lambda d, both: kind([d * both[1], d * both[1]]), [pair])
    assert blamed(wrong) == {"gradient of both[1]"}


@dataclass(frozen=True)
class Parameters:
    w: Tensor
    eps: float


Named = namedtuple("Named", ["w", "eps"])


@pytest.mark.parametrize("kind", [Parameters, Named])
def test_dataclasses_and_named_tuples_have_attributes_for_names(x: Tensor, kind) -> None:
    given = kind(torch.tensor([1.0, 2.0, 3.0]), 0.5)

    def forward(x, p):
        return x * p.w + p.eps

    assert check_function(forward, lambda d, x, p: (d * p.w, kind((d * x).sum(0), None)), [x, given]).ok
    wrong = check_function(forward, lambda d, x, p: (d * p.w, kind((d * x).mean(0), None)), [x, given])
    assert blamed(wrong) == {"gradient of p.w"}
    assert given.w.tolist() == [1.0, 2.0, 3.0]


def test_inputs_by_name_reach_keyword_only_arguments(x: Tensor) -> None:
    def forward(x, *, gain):
        return x * gain

    def backward(d, x, *, gain):
        return {"x": d * gain, "gain": (d * x).sum(0)}

    inputs = {"x": x, "gain": torch.ones(3)}
    assert check_function(forward, backward, inputs).ok
    wrong = check_function(forward, lambda d, x, *, gain: {"x": d * gain, "gain": d.sum(0)}, inputs)
    assert blamed(wrong) == {"gradient of gain"}


def test_a_dict_by_name_for_inputs_in_order_is_a_fault(x: Tensor) -> None:
    report = check_function(lambda x, w: x * w, lambda d, x, w: {"x": d * w, "w": d * x}, [x, x + 1])
    assert blamed(report) == {"gradient of x", "gradient of w"}


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, others):
        return 2 * x

    @staticmethod
    def backward(ctx, d):
        return 2 * d, None


def test_a_container_given_to_an_autograd_function_is_named_as_not_compared(x: Tensor) -> None:
    report = check_autograd_function(Doubled, [x, [x]], lambda x, others: 2 * x)
    assert report.ok
    assert [name for name, _ in report.not_compared] == ["others"]


def test_the_parameters_of_a_module_among_the_inputs_are_named_as_not_compared(x: Tensor) -> None:
    layer = nn.Linear(3, 2)
    report = check_function(lambda x, layer: layer(x), lambda d, x, layer: (d @ layer.weight, None), [x, layer])
    assert report.ok
    assert [name for name, _ in report.not_compared] == ["layer"]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda x: x.to(torch.float8_e4m3fn), "float8_e4m3fn"),
        (lambda x: x.abs().to(torch.uint16), "torch.uint16"),
        (lambda x: x.to_sparse(), "sparse"),
        (lambda x: x.to("meta"), "meta"),
        (lambda x: x.numpy(), "torch.from_numpy"),
    ],
)
def test_tensors_that_cannot_be_checked_are_refused_wherever_they_stand(x: Tensor, made, said: str) -> None:
    for inputs in ([x, made(x)], [x, {"a": made(x)}]):
        with pytest.raises(TypeError, match=said):
            check_function(lambda x, y: x * 2, lambda d, x, y: (d * 2, None), inputs)


def test_a_reference_with_a_cache_beside_the_output_is_refused_with_what_to_write(x: Tensor) -> None:
    with pytest.raises(TypeError, match=r"got tuple of Tensor, dict: if the rest is a cache"):
        check_function(lambda x: 2 * x, lambda d, x: 2 * d, [x], reference=lambda x: (2 * x, {"x": x}))


def test_autocast_is_refused(x: Tensor) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16), pytest.raises(RuntimeError, match="expects no autocast"):
        check_function(lambda x: 2 * x, lambda d, x: 2 * d, [x])


def test_a_module_is_a_reference_of_functions_and_its_statistics_stay(x: Tensor) -> None:
    norm = nn.BatchNorm1d(3)

    def forward(x):
        return (x - x.mean(0)) / (x.var(0, unbiased=False) + norm.eps).sqrt()

    def backward(d, x):
        h, s = forward(x), (x.var(0, unbiased=False) + norm.eps).sqrt()
        return (d - d.mean(0) - h * (d * h).mean(0)) / s

    assert check_function(forward, backward, [x], reference=norm).ok
    assert norm.running_mean.tolist() == [0.0, 0.0, 0.0]


class Scaled(nn.Module):
    """Times a parameter and a number; counts its calls in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor([1.0, -2.0, 0.5]))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor, k: float, *, shift: float = 0.0) -> Tensor:
        self.calls += 1
        return x * self.gain * k + shift


def test_a_module_takes_numbers_too_and_computes_in_float64_where_its_parameters_are_not(x: Tensor) -> None:
    module = Scaled()

    def backward(d, x, k):
        return d * module.gain.detach().to(d.dtype) * k, None

    def forward(x, k):
        return x * module.gain.to(x.dtype) * k

    for dtype in (torch.float32, torch.float64):
        report = check_function(forward, backward, [x.to(dtype), 3.0], reference=module)
        assert report.ok
        assert report.rows[1].isolated.relative < 1e-6
    assert not check_function(forward, lambda d, x, k: (d * k, None), [x, 3.0], reference=module).ok
    named = {"x": x, "k": 2.0, "shift": 1.0}
    assert check_function(
        lambda x, k, shift: forward(x, k) + shift,
        lambda d, x, k, shift: {"x": backward(d, x, k)[0]},
        named,
        reference=module,
    ).ok
    assert module.calls == 0


class Rows(nn.Module):
    """Some rows of a linear layer in float32: its product takes no other dtype."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2, bias=False)

    def forward(self, x: Tensor, rows: Tensor) -> Tensor:
        return self.linear(x)[rows]


def test_a_module_in_float32_is_the_reference_of_float64_numbers_too(x: Tensor) -> None:
    module, rows = Rows(), torch.tensor([2, 0, 2])
    w = module.linear.weight.detach()

    def forward(x, rows):
        return (x @ w.to(x.dtype).t())[rows]

    def backward(d, x, rows):
        return torch.zeros_like(x).index_add(0, rows, d @ w.to(d.dtype)), None

    for dtype in (torch.float32, torch.float64):
        assert check_function(forward, backward, [x.to(dtype), rows], reference=module).ok
