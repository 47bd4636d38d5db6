"""The engine: a recorded step is the step, number for number, and only where nothing would be missed."""

import copy
import pickle
from collections.abc import Callable
from functools import partial

import pytest
import torch
from cases import ACTIVATIONS, DTYPES, LOSSES, assert_identical, loss_id, network, targets
from torch import Tensor
from twins import SETTINGS, Twins

from manual_bp import GradientDescent, Layer, Loss, mlp
from manual_bp.training.engine.step import ManualEngine


@pytest.mark.long(but=16)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: type(a).__name__)
@pytest.mark.parametrize("loss", LOSSES, ids=loss_id)
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: str(dtype)[6:])
@pytest.mark.usefixtures("each_size")
def test_recorded_steps_equal_steps_by_the_formulas(
    activation: Layer, loss: Loss, dtype: torch.dtype, passes: list[int]
) -> None:
    """Two batch sizes in turn, another learning rate at each step, and weights that are loaded in between."""
    twins = Twins(network((6, 5, 4, 3), activation, loss, dtype), **SETTINGS)
    sizes = (7, 2)
    buffers = {rows: (torch.empty(rows, 6, dtype=dtype), torch.empty(rows, 3, dtype=dtype)) for rows in sizes}
    for number in range(12):
        rows = sizes[number % 2]
        x, t = buffers[rows]
        x.copy_(torch.randn(rows, 6, dtype=dtype))
        t.copy_(targets(rows, 3, dtype))
        twins.engine.descent.lr = twins.descent.lr = 0.1 / (1 + number)
        twins.assert_same_step(x, t, f"at step {number}")
        if number == 7:
            half = {name: p / 2 for name, p in twins.plain.state_dict().items()}
            twins.engine.network.load_state_dict(half)
            twins.plain.load_state_dict(half)
    assert len(passes) == 12 + 3 * len(sizes)  # 12 of the plain network; of the other the first three of each size


def test_batches_in_new_tensors_are_computed_by_the_formulas(passes: list[int]) -> None:
    twins = Twins(mlp([6, 4, 3]))
    kept = torch.randn(5, 6), torch.rand(5, 3)
    for number in range(9):
        x, t = kept if number in (2, 3, 4, 5, 7) else (torch.randn(5, 6), torch.rand(5, 3))
        twins.assert_same_step(x, t, f"at step {number}")
    assert len(passes) == 9 + 8  # of nine steps one is a repetition: the fourth on end in the same tensors
    assert not twins.repeat


def moved(x: Tensor, t: Tensor, old: list[Tensor]) -> None:
    old += [x.data, t.data]  # kept, so that the new memory is not the old one
    x.data, t.data = torch.randn_like(x), torch.rand_like(t)


def one_row(x: Tensor, t: Tensor, old: list[Tensor]) -> None:
    x.resize_(1, 6)
    t.resize_(1, 6)


def one_row_selected(x: Tensor, t: Tensor, old: list[Tensor]) -> None:
    for tensor in (x, t):
        tensor.resize_(0)
        torch.index_select(torch.rand(6, 6), 0, torch.tensor([2]), out=tensor)


def transposed(x: Tensor, t: Tensor, old: list[Tensor]) -> None:
    x.t_()


def only_t_moved(x: Tensor, t: Tensor, old: list[Tensor]) -> None:
    old.append(t.data)
    t.data = torch.rand_like(t)


@pytest.mark.parametrize("change", [moved, one_row, one_row_selected, transposed, only_t_moved])
def test_tensors_that_moved_or_changed_shape_are_seen(change: Callable[[Tensor, Tensor, list[Tensor]], None]) -> None:
    """The same two objects: what was recorded would read the old memory, or all rows of it."""
    twins, old = Twins(mlp([6, 4, 6])), []
    x, t = torch.randn(6, 6), torch.rand(6, 6)
    for number in range(15):
        if number in (5, 10):
            assert twins.repeat
            change(x, t, old)
        twins.assert_same_step(x, t, f"at step {number}")


def test_targets_that_no_longer_fit_are_refused() -> None:
    twins, x, t = Twins(mlp([6, 4, 3])), torch.randn(5, 6), torch.rand(5, 3)
    for number in range(5):
        twins.assert_same_step(x, t, f"at step {number}")
    before = twins.plain.buffer.clone()
    t.resize_(1, 3)  # the record would broadcast it over all rows
    with pytest.raises(ValueError, match=r"one row of t for each of the 5 samples, got 1"):
        twins.engine.step(x, t)
    assert_identical(twins.engine.network.buffer, before)


def test_a_trace_sees_that_its_x_moved() -> None:
    made, x = mlp([6, 4, 3]), torch.randn(5, 6)
    trace = made.forward(x)
    old = x.data
    x.data = torch.randn(5, 6)
    assert_identical(made.forward(x, out=trace).x(0), x)
    assert not torch.equal(old, x)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda engine: pickle.loads(pickle.dumps(engine))])
@pytest.mark.usefixtures("each_size")
def test_a_copy_of_an_engine_goes_on_by_itself(copied: Callable[[ManualEngine], ManualEngine]) -> None:
    made = mlp([6, 4, 3])
    engine = ManualEngine(made, GradientDescent(made, lr=0.5, **SETTINGS))
    x, t = torch.randn(5, 6), torch.rand(5, 3)
    for _ in range(5):
        engine.step(x, t)
    twin, before = copied(engine), made.buffer.clone()
    for _ in range(5):
        twin.step(x, t)
    assert_identical(made.buffer, before)
    for _ in range(5):
        engine.step(x, t)
    assert_identical(made.buffer, twin.network.buffer)
    assert not torch.equal(made.buffer, before)


class Counting(GradientDescent):
    """A descent that doubles its rate at every move, and counts how often it is asked for its moves."""

    asked = 0

    def moves(self, gradients):
        self.asked += 1
        moves = super().moves(gradients)
        return [partial(self.double, move) for move in moves]

    def double(self, move):
        move()
        self.lr *= 2


@pytest.mark.usefixtures("each_size")
def test_a_repeated_update_makes_its_moves_as_they_are() -> None:
    """What a move reads when it is called, as here the rate, is not what it was when it was recorded."""
    engines = []
    for _ in range(2):
        made = mlp([6, 4, 3], generator=torch.Generator().manual_seed(1))
        engines.append(ManualEngine(made, Counting(made, lr=1e-3)))
    kept = torch.randn(5, 6), torch.rand(5, 3)
    for _ in range(8):
        engines[0].step(*kept)
        engines[1].step(*(tensor.clone() for tensor in kept))
        assert_identical(engines[0].network.buffer, engines[1].network.buffer)
    asked = [engine.descent.asked for engine in engines]
    assert asked[1] * 3 == asked[0] * 8  # three steps by the formulas, eight


def test_a_step_that_failed_once_is_recorded_later() -> None:
    twins = Twins(mlp([6, 4, 3]))
    x, t = torch.randn(5, 6), torch.full((5, 3), torch.nan)
    with pytest.raises(ValueError, match="finite targets"):
        twins.engine.step(x, t)
    t.fill_(0.5)
    for number in range(5):
        twins.assert_same_step(x, t, f"at step {number}")
    assert twins.repeat
