"""The small change that makes a gradient right: it is named as it stands in the code, and nothing else is changed."""

import cProfile
import functools
import itertools
import logging
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from torch_ref import Report, check_autograd_function, check_function
from torch_ref.check.kept import Kept
from torch_ref.known import Cause
from torch_ref.steps import upstream


def drawn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def cause_of(report: Report, name: str = "x") -> Cause:
    (row,) = (row for row in report.guilty if row.quantity == f"gradient of {name}")
    assert row.why is not None
    return row.why


def mend_of(report: Report, name: str = "x") -> tuple[str, str]:
    """Return what stands there and what is right, as it is said; nothing where no change is named."""
    numbers = cause_of(report, name).numbers
    return numbers.get("old", ""), numbers.get("new", "")


def checked(forward: Callable[..., Any], backward: Callable[..., Any], **inputs: Any) -> Report:
    return check_function(forward, backward, inputs)


def products(x: Tensor) -> Tensor:
    return x[1:] * x[:-1]


def bump(x: Tensor) -> Tensor:
    return torch.exp(-(x**2)) * torch.cumsum(x, 0)


# ------------------------------------------------------------------------------------------------ what is named


def gated(x: Tensor, w: Tensor) -> Tensor:
    return torch.tanh(x * w) * (x * w)


def d_gated(d: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    z = x * w
    h = torch.tanh(z)
    dz = d * h + d * z * (1 - z**2)
    return dz * w, dz * x


def test_a_name_that_stands_several_times_in_its_line_is_shown_with_what_it_stands_in() -> None:
    report = checked(gated, d_gated, x=drawn(4, 3), w=drawn(4, 3, seed=2))
    assert mend_of(report) == mend_of(report, "w") == ("z ** 2", "h ** 2")
    assert cause_of(report).numbers["line"] == d_gated.__code__.co_firstlineno + 3


class Scan:
    """y_t = x_t² + decay · y_{t−1}."""

    def __init__(self) -> None:
        self.decay, self.calls, self.weights, self.kept = 0.7, 0, torch.ones(3), {"calls": [0]}
        self.counts = np.zeros(1)

    def forward(self, x: Tensor) -> Tensor:
        h = [x[0] ** 2]
        for t in range(1, len(x)):
            h.append(self.decay * h[-1] + x[t] ** 2)
        return torch.stack(h)

    def backward(self, d: Tensor, x: Tensor) -> Tensor:
        self.calls += 1
        self.kept["calls"][0] += 1
        self.weights += 1
        self.counts += 1
        g, s = torch.zeros_like(x), torch.zeros_like(d[0])
        for t in reversed(range(len(x))):
            s = d[t] + self.decay * s
            g[t] = 2 * x[t - 1] * s
        return g


def test_an_object_that_counts_has_counted_only_its_own_code() -> None:
    scan = Scan()
    assert mend_of(checked(scan.forward, scan.backward, x=drawn(6, 3))) == ("x[t - 1]", "x[t]")
    assert scan.kept["calls"][0] == scan.calls < 100
    assert torch.equal(scan.weights, torch.full((3,), 1.0 + scan.calls))
    assert scan.counts[0] == scan.calls


def test_what_somebody_else_puts_back_is_left() -> None:
    mine, others = torch.zeros(2), torch.zeros(2)
    kept = Kept([mine, others], but=[others])
    mine += 1
    others += 1
    kept.put_back()
    assert mine.tolist() == [0, 0]
    assert others.tolist() == [1, 1]


COUNTED = [0]


class Rolled(torch.autograd.Function):
    calls = 0

    @staticmethod
    def forward(ctx: Any, x: Tensor, k: int) -> Tensor:
        ctx.save_for_backward(x)
        ctx.k = k
        return x.roll(k, 0) * x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d: Tensor) -> tuple[Tensor, None]:
        Rolled.calls += 1
        COUNTED[0] += 1
        (x,), k = ctx.saved_tensors, ctx.k
        return d * x.roll(k, 0) + (d * x).roll(k, 0), None


def test_a_class_and_a_global_list_count_only_their_own_code() -> None:
    Rolled.calls = COUNTED[0] = 0
    report = check_autograd_function(Rolled, [drawn(6), 2], lambda x, k: x.roll(k, 0) * x)
    assert mend_of(report) == ("(d * x).roll(k, 0)", "(d * x).roll(-k, 0)")
    assert COUNTED[0] == Rolled.calls < 100


def test_numpy_arrays_into_which_a_change_writes_are_put_back() -> None:
    def forward(x: Any, k: Any) -> Any:
        return np.array([np.dot(x[i : i + len(k)], k) for i in range(len(x) - len(k) + 1)])

    def reference(x: Tensor, k: Tensor) -> Tensor:
        return torch.stack([(x[i : i + len(k)] * k).sum() for i in range(len(x) - len(k) + 1)])

    def backward(d: Any, x: Any, k: Any) -> Any:
        dx = np.zeros_like(x)  # in its place x is tried
        dk = np.zeros_like(k)
        for i in range(len(d)):
            dx[i : i + len(k)] += d[i] * k[::-1]
            dk += d[i] * x[i : i + len(k)]
        return dx, dk

    x, k = drawn(8).double().numpy(), drawn(3, seed=2).double().numpy()
    before = x.copy(), k.copy()
    report = check_function(forward, backward, {"x": x, "k": k}, reference=reference)
    assert mend_of(report) == ("k[::-1]", "k")
    assert np.array_equal(x, before[0])
    assert np.array_equal(k, before[1])


def test_code_for_float32_alone_is_mended_in_float32() -> None:
    w = drawn(3, 4, seed=5)

    def forward(x: Tensor) -> Tensor:
        h = x @ w
        return h[1:] * h[:-1]

    def backward(d: Tensor, x: Tensor) -> Tensor:
        h = x @ w
        dh = torch.zeros_like(h)
        dh[1:] += d * h[1:]
        dh[:-1] += d * h[1:]
        return dh @ w.T

    assert mend_of(checked(forward, backward, x=drawn(5, 3))) == ("h[1:]", "h[:-1]")


def doubled(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    @functools.wraps(function)
    def inner(*given: Any, **named: Any) -> Tensor:
        return 2 * function(*given, **named)

    return inner


def test_a_decorator_that_changes_what_backward_gives_forbids_a_change_of_what_is_inside() -> None:
    @doubled
    def backward(d: Tensor, x: Tensor) -> Tensor:
        g = torch.zeros_like(x)
        g[1:] += d * x[1:]
        g[:-1] += d * x[1:]
        return g

    assert mend_of(checked(products, backward, x=drawn(6))) == ("", "")


@pytest.mark.parametrize("wrong_at", [0, 1, None])
def test_a_change_that_is_wrong_for_one_of_two_upstream_gradients_is_not_named(wrong_at: int | None) -> None:
    x = drawn(20)
    errors = [upstream.drawn((products(x).requires_grad_(),), which)[0] for which in (0, 1)]
    dropped = torch.zeros(19) > 0 if wrong_at is None else (errors[wrong_at] > 0) & (errors[1 - wrong_at] < 0)

    def backward(d: Tensor, x: Tensor) -> Tensor:
        d = torch.where(dropped & (d < 0), 0.0, d)
        g = torch.zeros_like(x)
        g[1:] += d * x[1:]
        g[:-1] += d * x[1:]
        return g

    assert dropped.any() or wrong_at is None
    assert mend_of(checked(products, backward, x=x)) == (("x[1:]", "x[:-1]") if wrong_at is None else ("", ""))


def test_a_change_is_found_beside_another_mistake_that_has_a_cause() -> None:
    def forward(x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        return products(x), w.sin()

    def backward(d: Tensor, e: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        g = torch.zeros_like(x)
        g[1:] += d * x[1:]
        g[:-1] += d * x[1:]
        return g, 2 * e * w.cos()

    report = checked(forward, backward, x=drawn(6), w=drawn(4, seed=2))
    assert mend_of(report) == ("x[1:]", "x[:-1]")
    assert cause_of(report, "w").text == "a factor of 2"


# ------------------------------------------------------------------------------------------------ what is left alone


def d_bump(d: Tensor, x: Tensor) -> Tensor:
    """Miss the reverse of the cumulative sum, and a factor: no small change mends both."""
    e = torch.exp(-(x**2))
    return -x * d * e * torch.cumsum(x, 0) + (d * e).cumsum(0)


def test_a_loop_that_a_change_makes_endless_is_left() -> None:
    def backward(d: Tensor, x: Tensor) -> Tensor:
        for i in itertools.count():
            if i == len(x):
                break
        k = len(x)
        while k != 0:
            k -= 1
        return d_bump(d, x)

    assert not checked(bump, backward, x=drawn(5)).ok
    assert sys.gettrace() is None


def test_a_power_of_ten_lines_is_not_run_through() -> None:
    def backward(d: Tensor, x: Tensor) -> Tensor:
        total = 0
        for _ in range(10**3):
            total += 1
        return d_bump(d, x) + 0 * total

    assert not checked(bump, backward, x=drawn(5)).ok


def test_a_backward_that_opens_a_file_is_not_run_again_and_again() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "calls"

        def backward(d: Tensor, x: Tensor) -> Tensor:
            with open(file, "a") as opened:  # noqa: PTH123
                opened.write("x")
            return d_bump(d, x)

        assert not checked(bump, backward, x=drawn(5)).ok
        assert len(file.read_text()) < 40


def test_what_a_backward_prints_logs_and_warns_of_is_not_repeated(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def backward(d: Tensor, x: Tensor) -> Tensor:
        print("in backward")
        logging.getLogger("of-somebody").warning("in backward")
        warnings.warn("in backward", stacklevel=1)
        return d_bump(d, x)

    filters, level = [*warnings.filters], logging.root.manager.disable
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert not checked(bump, backward, x=drawn(5)).ok
    assert capsys.readouterr().out.count("in backward") < 40
    assert len(caplog.records) < 40
    assert len(warned) < 40
    assert (filters, level) == ([*warnings.filters], logging.root.manager.disable)


def test_a_profiler_and_a_tracer_go_on() -> None:
    profile = cProfile.Profile()
    with profile:
        assert not checked(gated, d_gated, x=drawn(4, 3), w=drawn(4, 3, seed=2)).ok
        assert sys.getprofile() is not None or sys.version_info >= (3, 12)  # there it is no such function any more
    assert profile.getstats()

    def tracer(frame: Any, event: str, arg: Any) -> None:
        return None

    old = sys.gettrace()
    sys.settrace(tracer)
    try:
        report = checked(gated, d_gated, x=drawn(4, 3), w=drawn(4, 3, seed=2))
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(old)
    assert mend_of(report)[1] == "h ** 2"


def test_random_numbers_and_dtypes_are_as_they_were() -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), torch.get_default_dtype()  # type: ignore[index]
    checked(gated, d_gated, x=drawn(4, 3), w=drawn(4, 3, seed=2))
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # type: ignore[index]
    assert before[2] == torch.get_default_dtype()


def test_right_code_is_not_run_more_often() -> None:
    calls = []

    def backward(d: Tensor, x: Tensor) -> Tensor:
        calls.append(1)
        g = torch.zeros_like(x)
        g[1:] += d * x[:-1]
        g[:-1] += d * x[1:]
        return g

    assert checked(products, backward, x=drawn(6)).ok
    assert len(calls) < 40
