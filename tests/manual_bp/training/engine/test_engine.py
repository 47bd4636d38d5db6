"""The engine: a recorded step is the step, number for number, and only where nothing would be missed."""

import copy
import pickle
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
import torch
from cases import ACTIVATIONS, DTYPES, LOSSES, Scale, assert_identical, loss_id, network, targets
from torch import Tensor

from manual_bp import GradientDescent, Layer, Linear, Loss, Network, Sigmoid, SquaredError, mlp
from manual_bp.training.engine import step
from manual_bp.training.engine.step import ManualEngine

SETTINGS = {"momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}


class Twins:
    """An engine, and a copy of its network that is trained by the formulas alone."""

    def __init__(self, network: Network, **settings) -> None:
        settings = {"lr": 0.5} | settings
        self.engine = ManualEngine(network, GradientDescent(network, **settings))
        self.plain = copy.deepcopy(network)
        self.descent = GradientDescent(self.plain, **settings)

    def assert_same_step(self, x: Tensor, t: Tensor, what: str = "") -> None:
        """Train both on a batch; the loss and every parameter must be the same to the last bit."""
        random.seed(f"{what}")
        loss = self.engine.step(x, t)
        random.seed(f"{what}")
        trace = self.plain.forward(x)
        assert_identical(loss, self.plain.loss(trace, t), f"L {what}")
        self.descent.update(self.plain.backward(trace))
        assert_identical(self.engine.network.buffer, self.plain.buffer, f"θ {what}")

    @property
    def repeat(self) -> bool:
        """Tell whether the engine has a step to repeat."""
        return any(room.parts.ready for room in self.engine._rooms.values())


@pytest.fixture(params=[False, True], ids=["at once", "layer by layer"])
def each_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every network count as small, then as large."""
    monkeypatch.setattr(step, "ONE_AT_A_TIME", 0 if request.param else 1 << 20)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by one whenever a network computes a forward pass by its formulas."""
    seen: list[int] = []
    forward = Network.forward

    def counting(*args, **kwargs):
        seen.append(1)
        return forward(*args, **kwargs)

    monkeypatch.setattr(Network, "forward", counting)
    return seen


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


@pytest.mark.usefixtures("each_size")
def test_the_four_parts_are_the_step() -> None:
    twins = Twins(mlp([6, 4, 3]), **SETTINGS)
    other = copy.deepcopy(twins.engine)
    x, t = torch.randn(5, 6), torch.rand(5, 3)
    for _ in range(6):
        loss = twins.engine.step(x, t).clone()
        other.forward(x)
        assert_identical(other.loss(t), loss)
        for gradients in other.backward():
            other.update(gradients)
        assert_identical(other.network.buffer, twins.engine.network.buffer)


@pytest.mark.parametrize("recorded", [0, 5])
@pytest.mark.usefixtures("each_size")
def test_parts_in_another_order_are_refused(recorded: int) -> None:
    twins, x, t = Twins(mlp([6, 4, 3])), torch.randn(5, 6), torch.rand(5, 3)
    with pytest.raises(ValueError, match=r"expects forward\(x\) before loss\(t\)"):
        twins.engine.loss(t)
    with pytest.raises(ValueError, match=r"expects forward\(x\) and loss\(t\) of a batch before backward"):
        twins.engine.backward()
    for number in range(recorded):
        twins.assert_same_step(x, t, f"at step {number}")
    twins.engine.forward(x)
    with pytest.raises(ValueError, match=r"expects forward\(x\) and loss\(t\) of a batch before backward"):
        twins.engine.backward()
    twins.assert_same_step(x, t, "after it")


@pytest.mark.parametrize("left_out", [1, 2, 4])
@pytest.mark.usefixtures("each_size")
def test_a_step_without_its_update_or_its_end_moves_nothing_more(left_out: int) -> None:
    """The first gradients alone are asked for, and nothing is moved: while it computes, records, repeats."""
    twins, x, t = Twins(mlp([6, 4, 3])), torch.randn(5, 6), torch.rand(5, 3)
    for number in range(8):
        if number == left_out:
            twins.engine.forward(x)
            twins.engine.loss(t)
            first = next(iter(twins.engine.backward()))
            trace = twins.plain.forward(x)
            twins.plain.loss(trace, t)
            gradients = twins.plain.backward(trace)
            for name in ("2.weight", "2.bias"):
                assert_identical(first[name], gradients[name])
        twins.assert_same_step(x, t, f"at step {number}")
    assert twins.repeat


@pytest.mark.usefixtures("each_size")
def test_other_gradients_than_those_of_backward_are_taken_as_they_come() -> None:
    """Clipped ones in one dictionary, for instance, whose tensors are others at every step."""
    twins, x, t = Twins(mlp([6, 4, 3])), torch.randn(5, 6), torch.rand(5, 3)
    halved: dict[str, Tensor] = {}
    for _ in range(7):
        twins.engine.forward(x)
        twins.engine.loss(t)
        for gradients in twins.engine.backward():
            halved.clear()
            halved.update({name: gradient / 2 for name, gradient in gradients.items()})
            twins.engine.update(halved)
        trace = twins.plain.forward(x)
        twins.plain.loss(trace, t)
        twins.descent.update({name: gradient / 2 for name, gradient in twins.plain.backward(trace).items()})
        assert_identical(twins.engine.network.buffer, twins.plain.buffer)


@pytest.mark.usefixtures("each_size")
def test_a_descent_that_is_exchanged_within_a_step_updates_from_there_on() -> None:
    twins, x, t = Twins(mlp([6, 4, 3])), torch.randn(5, 6), torch.rand(5, 3)
    for number in range(5):
        twins.assert_same_step(x, t, f"at step {number}")
    twins.engine.forward(x)
    twins.engine.loss(t)
    twins.engine.descent = GradientDescent(twins.engine.network, lr=0.1)
    for gradients in twins.engine.backward():
        twins.engine.update(gradients)
    trace = twins.plain.forward(x)
    twins.plain.loss(trace, t)
    GradientDescent(twins.plain, lr=0.1).update(twins.plain.backward(trace))
    assert_identical(twins.engine.network.buffer, twins.plain.buffer)


def test_another_descent_and_another_network_take_over() -> None:
    twins = Twins(mlp([6, 4, 3]))
    x, t = torch.randn(5, 6), torch.rand(5, 3)
    for number in range(12):
        if number == 6:
            twins.engine.descent = GradientDescent(twins.engine.network, lr=0.1, momentum=0.9)
            twins.descent = GradientDescent(twins.plain, lr=0.1, momentum=0.9)
        twins.assert_same_step(x, t, f"at step {number}")
    twins.plain = mlp([6, 4, 3])
    twins.engine.network = copy.deepcopy(twins.plain)
    twins.engine.descent = GradientDescent(twins.engine.network, lr=0.1)
    twins.descent = GradientDescent(twins.plain, lr=0.1)
    for number in range(6):
        twins.assert_same_step(x, t, f"at step {number} of the other network")


def test_a_step_that_failed_once_is_recorded_later() -> None:
    twins = Twins(mlp([6, 4, 3]))
    x, t = torch.randn(5, 6), torch.full((5, 3), torch.nan)
    with pytest.raises(ValueError, match="finite targets"):
        twins.engine.step(x, t)
    t.fill_(0.5)
    for number in range(5):
        twins.assert_same_step(x, t, f"at step {number}")
    assert twins.repeat


@dataclass(frozen=True, eq=False)
class Noise:
    """A layer that does another thing at every call: numbers from outside torch, in place."""

    def forward(self, x, out=None):
        y, _ = out or (torch.empty_like(x), None)
        return y.copy_(x).add_(random.random()), None

    def backward(self, error, saved, out=None):
        return error, {}


@dataclass(frozen=True, eq=False)
class FromNumpy:
    """A layer with a tensor made where torch does not say so."""

    def forward(self, x, out=None):
        y, _ = out or (torch.empty_like(x), None)
        return y.copy_(x).add_(torch.from_numpy(np.full(4, random.random(), dtype=np.float32))), None

    def backward(self, error, saved, out=None):
        return error, {}


@dataclass(frozen=True, eq=False)
class Threshold:
    """A layer that looks at its values: y = x, or 0 where the mean of the batch is negative."""

    def forward(self, x, out=None):
        return x * float(x.mean() > 0), bool(x.mean() > 0)

    def backward(self, error, saved, out=None):
        return error * float(saved), {}


@dataclass(frozen=True, eq=False)
class Identity:
    """A layer that hands on what it gets, forward and back: no tensor of its own."""

    def forward(self, x, out=None):
        return x, None

    def backward(self, error, saved, out=None):
        return error, {}


@dataclass(frozen=True, eq=False)
class Flat:
    """Another that hands on a view."""

    def forward(self, x, out=None):
        return x.view(x.shape), None

    def backward(self, error, saved, out=None):
        return error.view(error.shape), {}


@pytest.mark.parametrize(
    ("make", "repeatable"),
    [
        (lambda: Scale(torch.rand(4)), False),
        (Threshold, False),
        (Noise, False),
        (FromNumpy, False),
        (Identity, True),
        (Flat, True),
    ],
    ids=["Scale", "Threshold", "Noise", "FromNumpy", "Identity", "Flat"],
)
@pytest.mark.usefixtures("each_size")
def test_layers_of_somebody_else_are_repeated_only_where_nothing_is_missed(
    make: Callable[[], Layer], repeatable: bool
) -> None:
    made = Network(
        (
            Linear(torch.randn(4, 6)),
            make(),
            Linear(torch.randn(4, 4), torch.randn(4)),
            make(),
            Sigmoid(),
            Linear(torch.randn(4, 4)),
            make(),
            Linear(torch.randn(3, 4), torch.randn(3)),
        ),
        SquaredError(),
    )
    twins = Twins(made, lr=0.01)
    x, t = torch.empty(5, 6), torch.empty(5, 3)
    for number in range(6):
        x.normal_()
        t.uniform_()
        twins.assert_same_step(x, t, f"at step {number}")
    assert twins.repeat == repeatable
