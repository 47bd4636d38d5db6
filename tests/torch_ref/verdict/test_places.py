"""Where the numbers are wrong, in words: rows and samples, in every dtype."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import torch_ref
from manual_bp import Linear
from manual_bp.layer import ByName


def rms_norm(x: Tensor) -> Tensor:
    """Normalise each row, in float32 whatever the dtype is, as kernels do."""
    h = x.float()
    return (h * (h.square().mean(1, keepdim=True) + 1e-6).rsqrt()).to(x.dtype)


def rms_norm_backward(d: Tensor, x: Tensor) -> Tensor:
    h, k = x.float(), d.float()
    r = (h.square().mean(1, keepdim=True) + 1e-6).rsqrt()
    return (r * k - r**3 * h * (k * h).mean(1, keepdim=True)).to(x.dtype)


def with_zero_row(t: Tensor) -> Tensor:
    return torch.cat([t[:-1], torch.zeros_like(t[-1:])])


MISTAKES = {
    "row 31 of 32 is zero": with_zero_row,
    "column 15 of 16 is zero": lambda t: with_zero_row(t.t()).t(),
    "a constant factor of 1.02": lambda t: (t.double() * 1.02).to(t.dtype),
}


@pytest.mark.long(but=3)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("cause", "mistake"), MISTAKES.items(), ids=list(MISTAKES))
def test_a_small_mistake_has_the_same_cause_in_half_precision(
    cause: str, mistake: Callable[[Tensor], Tensor], dtype: torch.dtype
) -> None:
    """In half precision it is as large as rounding: what the formula gives in float64 shows it alone."""
    x = torch.randn(32, 16).to(dtype)
    report = torch_ref.check_function(rms_norm, lambda d, x: mistake(rms_norm_backward(d, x)), [x])
    assert [row.cause for row in report.guilty] == [cause]


def test_the_rows_of_a_table_are_no_samples() -> None:
    table, index = torch.randn(7, 4), torch.tensor([1, 3, 3, 0, 6, 3])

    def backward(d: Tensor, table: Tensor, index: Tensor) -> tuple[Tensor, None]:
        found = torch.zeros_like(table).index_add(0, index, d)
        found[6] = 0.0
        return found, None

    report = torch_ref.check_function(lambda table, index: table[index], backward, [table, index])
    assert [row.cause.partition("; ")[0] for row in report.guilty] == ["row 6 of 7 is zero"]


def test_the_rows_of_a_layer_s_input_are_samples() -> None:
    class LastForgotten(Linear):
        def backward(self, error: Tensor, saved: Tensor, out: ByName | None = None) -> tuple[Tensor, ByName]:
            found, gradients = super().backward(error, saved)
            return with_zero_row(found), gradients

    layer = LastForgotten(torch.randn(3, 4), torch.randn(3))
    (row,) = torch_ref.check_layer(layer, torch.randn(5, 4), torch.nn.functional.linear).guilty
    place, _, change = row.cause.partition("; ")
    assert place == "sample 4 of 5 is zero"
    assert change.startswith("it is right with `found` in place of `with_zero_row(found)` in line")
