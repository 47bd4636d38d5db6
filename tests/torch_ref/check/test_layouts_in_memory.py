"""How a batch lies in memory decides the last bits: both engines are given the very same tensors."""

import pytest
import torch
from cases import DTYPES, LOSSES, loss_id, targets
from torch import Tensor

from manual_bp import Linear, Network, Sigmoid, SoftmaxCrossEntropy, SquaredError, Tanh, mlp
from torch_ref import crosscheck

every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: str(dtype)[6:])
SIZES = (16, 5), (7, 3), (33, 9)  # rows and columns
MAKES = {
    "row slice": lambda n, k: torch.randn(n + 3, k)[1 : n + 1],
    "row slice of one more": lambda n, k: torch.randn(n + 1, k)[1:],
    "column slice": lambda n, k: torch.randn(n, k + 3)[:, 1 : k + 1],
    "every other row": lambda n, k: torch.randn(2 * n, k)[::2],
    "every other column": lambda n, k: torch.randn(n, 2 * k)[:, ::2],
    "column-major": lambda n, k: torch.randn(k, n).t(),
    "column-major slice": lambda n, k: torch.randn(k, n + 2).t()[1 : n + 1],
    "expanded": lambda n, k: torch.randn(1, k).expand(n, k),
    "one row": lambda n, k: torch.randn(n, k)[1:2],
    "one column": lambda n, k: torch.randn(n, k)[:, 1:2],
}


def placed(made: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the same numbers in another dtype, in the same place of a memory of the same strides."""
    base = torch.empty(made.untyped_storage().nbytes() // made.element_size(), dtype=dtype)
    base.copy_(made.as_strided(base.shape, (1,), 0))
    return base.as_strided(made.shape, made.stride(), made.storage_offset())


def test_there_are_thirty_shapes() -> None:
    assert len(MAKES) * len(SIZES) == 30


@pytest.mark.long(but=8)
@pytest.mark.parametrize("make", MAKES.values(), ids=MAKES.keys())
@pytest.mark.parametrize("size", SIZES, ids=str)
@every_dtype
def test_identical_however_x_lies_in_memory(make, size: tuple[int, int], dtype: torch.dtype) -> None:
    x = placed(make(*size), dtype)
    for loss in (SquaredError(), SoftmaxCrossEntropy()):
        network = mlp([x.shape[1], 7, 3], loss=loss, dtype=dtype)
        report = crosscheck(network, x, targets(len(x), 3, dtype), power=False)
        assert report.identical, str(report)
        assert [row.quantity for row in report.rows][-1] == "e^0"


@pytest.mark.long
def test_ordinary_batches_of_five_columns_are_identical() -> None:
    """Slices begin where they begin: at 16 places of which 12 are not those of torch's own allocations."""
    pixels, network = torch.randn(32, 5), mlp([5, 4, 3])
    reports = [crosscheck(network, pixels[i : i + 16], torch.rand(16, 3), power=False) for i in range(16)]
    assert sum(report.identical for report in reports) == 16


def test_the_same_with_a_layer_before_the_first_weights() -> None:
    made = Network((Tanh(), *mlp([5, 4, 3]).layers), SquaredError())
    report = crosscheck(made, torch.randn(5, 16).t(), torch.rand(16, 3), power=False)
    assert report.identical, str(report)


@pytest.mark.long(but=2)
@pytest.mark.parametrize("loss", LOSSES, ids=loss_id)
@every_dtype
def test_identical_however_t_lies_in_memory(loss, dtype: torch.dtype) -> None:
    t = targets(33, 3, dtype)
    for placed_t in (t.t().contiguous().t(), torch.cat([t, t], 1)[:, 3:], t.repeat_interleave(2, 0)[::2], t[:1]):
        placed_t = placed_t.expand(33, 3)
        linear = Network((Linear(torch.randn(3, 5, dtype=dtype)),), loss)
        for network in (mlp([5, 4, 3], loss=loss, dtype=dtype), linear):
            report = crosscheck(network, torch.randn(33, 5, dtype=dtype), placed_t, power=False)
            assert report.identical, str(report)


def test_what_the_pass_changes_is_noticed_and_put_back() -> None:
    """Although it is given the batch itself."""

    class Spoiling(Sigmoid):
        def forward(self, x, out=None):
            x.mul_(0.5)
            return super().forward(x)

    x, t = torch.randn(9, 5)[1:], torch.rand(8, 3)
    before = x.clone(), t.clone()
    report = crosscheck(Network((Spoiling(), Linear(torch.randn(3, 5))), SquaredError()), x, t)
    assert not report.ok
    assert "The whole pass changed x, which is put back" in report.verdict
    assert torch.equal(x, before[0])
    assert torch.equal(t, before[1])


def test_what_a_pass_changed_that_broke_off_is_put_back_too() -> None:
    class Breaking(Sigmoid):
        def forward(self, x, out=None):
            x.mul_(0.5)
            raise ArithmeticError("as planned")

    x = torch.randn(8, 5)
    before = x.clone()
    report = crosscheck(Network((Breaking(), Linear(torch.randn(3, 5))), SquaredError()), x, torch.rand(8, 3))
    assert "broke off with ArithmeticError: as planned" in report.verdict
    assert torch.equal(x, before)
