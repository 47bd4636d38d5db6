"""A recorded step is the step: the same numbers, and only where nothing would be missed."""

from __future__ import annotations

import copy
import pickle
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from cases import ACTIVATIONS, DTYPES, LOSSES, Scale, assert_identical, loss_id, network, targets

from manual_bp import GradientDescent, Layer, Linear, Loss, Network, Sigmoid, SquaredError, mlp
from manual_bp.training import step
from manual_bp.training.recorder import Recorder
from manual_bp.training.step import ManualEngine

SETTINGS = {"momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}


# ------------------------------------------------------------------------------------------------------- the recorder


def test_what_was_recorded_repeats_with_the_values_of_then() -> None:
    x, y, total = torch.rand(2, 3), torch.empty(3, 2), torch.empty(())
    with Recorder() as recorder:
        torch.mul(x.t(), 2, out=y)
        y.add_(1)
        torch.sum(y, (), out=total)
    assert recorder.obstacle is None
    assert len(recorder.calls) == 3  # the view x.t() is made once
    x.copy_(torch.rand(2, 3))
    for call in recorder.calls:
        call()
    assert_identical(y, 2 * x.t() + 1)
    assert_identical(total, y.sum())


def test_what_reads_only_shapes_is_no_obstacle() -> None:
    x = torch.rand(2, 3)
    with Recorder() as recorder:
        assert x.shape[0] == x.size(0) == len(x) == 2
        assert (x.numel(), x.ndim, x.dtype, x.device.type) == (6, 2, torch.float32, "cpu")
    assert recorder.obstacle is None
    assert recorder.calls == []


@pytest.mark.parametrize(
    ("name", "run"),
    [
        ("add", lambda x: x + 1),
        ("zeros_like", torch.zeros_like),
        ("randn", lambda x: torch.randn(2)),
        ("item", lambda x: x[0, 0].item()),
        ("gt", lambda x: bool(x.sum() > 0)),
        ("__bool__", lambda x: bool(x[0, 0])),
        ("__float__", lambda x: float(x[0, 0])),
        ("tolist", lambda x: x.tolist()),
        ("equal", lambda x: torch.equal(x, x)),
        ("numpy", lambda x: np.negative(x.numpy())),
        ("__getitem__", lambda x: x[:, torch.tensor(1)]),
        ("narrow", lambda x: torch.narrow(x, 1, torch.tensor(1), 1)),
        ("data_ptr", lambda x: x.data_ptr()),
        ("__array__", lambda x: np.asarray(x)),
        ("__setitem__", lambda x: x.__setitem__(0, 1.0)),
        ("clone", lambda x: x.clone()),
        ("_foreach_add_", lambda x: torch._foreach_add_([x], 1)),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_what_a_repetition_would_miss_is_an_obstacle(name: str, run) -> None:
    with Recorder() as recorder:
        run(torch.rand(2, 3))
    assert recorder.obstacle is not None


def test_a_whole_call_is_noted_as_it_is_and_errors_go_through() -> None:
    x, factor = torch.ones(2), [2.0]

    def scale() -> None:
        x.mul_(factor[0])

    def fail() -> None:
        raise RuntimeError("broken")

    with Recorder() as recorder:
        recorder.whole(scale)
        with pytest.raises(RuntimeError, match="broken"):
            recorder.whole(fail)
        x.add_(1)
    assert recorder.calls[0] is scale
    assert len(recorder.calls) == 2
    factor[0] = 10.0
    for call in recorder.calls:
        call()
    assert x.tolist() == [31.0, 31.0]


# ---------------------------------------------------------------------------------------------------------- the engine


def repeats(engine: ManualEngine) -> bool:
    """Return whether the engine has a step to repeat."""
    return any(steps.repeat for steps in engine._steps.values())


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by one whenever a network computes a forward pass by its formulas."""
    passes: list[int] = []
    forward = Network.forward

    def counting(*args, **kwargs):
        passes.append(1)
        return forward(*args, **kwargs)

    monkeypatch.setattr(Network, "forward", counting)
    return passes


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: type(a).__name__)
@pytest.mark.parametrize("loss", LOSSES, ids=loss_id)
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: str(dtype)[6:])
@pytest.mark.parametrize("large", [False, True], ids=["at once", "layer by layer"])
def test_recorded_steps_equal_steps_by_the_formulas(
    activation: Layer, loss: Loss, dtype: torch.dtype, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two batch sizes in turn, another learning rate at each step, and weights that are loaded in between."""
    monkeypatch.setattr(step, "ONE_AT_A_TIME", 0 if large else 1 << 20)
    recorded, plain = (network((6, 5, 4, 3), activation, loss, dtype) for _ in range(2))
    plain.load_state_dict(recorded.state_dict())
    descents = [GradientDescent(made, lr=0.1, **SETTINGS) for made in (recorded, plain)]
    engine = ManualEngine(recorded, descents[0])
    sizes = (7, 2)
    buffers = {rows: (torch.empty(rows, 6, dtype=dtype), torch.empty(rows, 3, dtype=dtype)) for rows in sizes}
    passes = counted(monkeypatch)
    for number in range(12):
        rows = sizes[number % 2]
        x, t = buffers[rows]
        x.copy_(torch.randn(rows, 6, dtype=dtype))
        t.copy_(targets(rows, 3, dtype))
        for descent in descents:
            descent.lr = 0.1 / (1 + number)
        by_recorder = engine.step(x, t)
        trace = plain.forward(x)
        assert_identical(by_recorder, plain.loss(trace, t), f"L at step {number}")
        descents[1].update(plain.backward(trace))
        assert_identical(recorded.buffer, plain.buffer, f"θ after step {number}")
        if number == 7:
            recorded.load_state_dict({name: p / 2 for name, p in recorded.state_dict().items()})
            plain.load_state_dict({name: p / 2 for name, p in plain.state_dict().items()})
    assert len(passes) == 12 + 3 * len(sizes)  # 12 of the plain network; of the other the first three of each size


def test_batches_in_new_tensors_are_computed_by_the_formulas(monkeypatch: pytest.MonkeyPatch) -> None:
    made, twin = mlp([6, 4, 3]), mlp([6, 4, 3])
    twin.load_state_dict(made.state_dict())
    engine, descent = ManualEngine(made, GradientDescent(made, lr=0.5)), GradientDescent(twin, lr=0.5)
    passes = counted(monkeypatch)
    kept = torch.randn(5, 6), torch.rand(5, 3)
    for number in range(9):
        x, t = kept if number in (2, 3, 4, 5, 7) else (torch.randn(5, 6), torch.rand(5, 3))
        engine.step(x, t)
        trace = twin.forward(x)
        twin.loss(trace, t)
        descent.update(twin.backward(trace))
        assert_identical(made.buffer, twin.buffer, f"θ after step {number}")
    assert len(passes) == 9 + 8  # of nine steps one is a repetition: the fourth on end in the same tensors
    assert not repeats(engine)


def test_tensors_that_moved_in_memory_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same two objects with other memory under them: what was recorded reads the old memory."""
    made, twin = mlp([6, 4, 3]), mlp([6, 4, 3])
    twin.load_state_dict(made.state_dict())
    engine, descent = ManualEngine(made, GradientDescent(made, lr=0.5)), GradientDescent(twin, lr=0.5)
    x, t = torch.randn(5, 6), torch.rand(5, 3)
    kept: list[torch.Tensor] = []  # so that no memory is used again
    trace = None
    for number in range(12):
        if number % 4 == 3:
            kept += [x.data, t.data]
            x.data, t.data = torch.randn(5, 6), torch.rand(5, 3)
        engine.step(x, t)
        trace = twin.forward(x, out=trace)
        twin.loss(trace, t)
        descent.update(twin.backward(trace))
        assert_identical(trace.x(0), x, "x^0")
        assert_identical(made.buffer, twin.buffer, f"θ after step {number}")


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda engine: pickle.loads(pickle.dumps(engine))])
@pytest.mark.parametrize("large", [False, True], ids=["at once", "layer by layer"])
def test_a_copy_of_an_engine_goes_on_by_itself(copied, large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "ONE_AT_A_TIME", 0 if large else 1 << 20)
    made = mlp([6, 4, 3])
    engine = ManualEngine(made, GradientDescent(made, lr=0.5, **SETTINGS))
    x, t = torch.randn(5, 6), torch.rand(5, 3)
    for _ in range(4):
        engine.step(x, t)
    twin, before = copied(engine), made.state_dict()
    for _ in range(4):
        twin.step(x, t)
    for name, parameter in made.parameters().items():
        assert_identical(parameter, before[name], name)
    for _ in range(4):
        engine.step(x, t)
    assert_identical(made.buffer, twin.network.buffer)
    assert not torch.equal(made.parameters()["0.weight"], before["0.weight"])


@pytest.mark.parametrize("change", ["resize", "index_select", "transpose", "strides"])
def test_tensors_that_changed_shape_are_seen(change: str) -> None:
    made, twin = mlp([6, 4, 6]), mlp([6, 4, 6])
    twin.load_state_dict(made.state_dict())
    engine, descent = ManualEngine(made, GradientDescent(made, lr=0.5)), GradientDescent(twin, lr=0.5)
    x, t = torch.randn(6, 6), torch.rand(6, 6)
    for number in range(10):
        if number in (5, 9):
            if change == "resize":
                x.resize_(1, 6), t.resize_(1, 6)
            elif change == "index_select":
                rows = torch.arange(1)
                for tensor in (x, t):
                    tensor.resize_(0)
                    torch.index_select(torch.rand(6, 6), 0, rows, out=tensor)
            elif change == "transpose":
                x.t_()
            else:
                x.as_strided_((6, 6), (1, 6) if number == 5 else (6, 1))
        engine.step(x, t)
        trace = twin.forward(x)
        twin.loss(trace, t)
        descent.update(twin.backward(trace))
        assert_identical(made.buffer, twin.buffer, f"θ after step {number}")


def test_another_descent_takes_over() -> None:
    made, twin = mlp([6, 4, 3]), mlp([6, 4, 3])
    twin.load_state_dict(made.state_dict())
    engine, descent = ManualEngine(made, GradientDescent(made, lr=0.5)), GradientDescent(twin, lr=0.5)
    x, t = torch.randn(5, 6), torch.rand(5, 3)
    for number in range(12):
        if number == 6:
            engine.descent, descent = (GradientDescent(n, lr=0.1, momentum=0.9) for n in (made, twin))
        engine.step(x, t)
        trace = twin.forward(x)
        twin.loss(trace, t)
        descent.update(twin.backward(trace))
        assert_identical(made.buffer, twin.buffer, f"θ after step {number}")
    engine.network = mlp([6, 4, 3])
    engine.descent = GradientDescent(engine.network, lr=0.1)
    before = made.buffer.clone()
    for _ in range(5):
        engine.step(x, t)
    assert_identical(made.buffer, before)


def test_a_step_that_failed_once_is_recorded_later() -> None:
    made = mlp([6, 4, 3])
    engine = ManualEngine(made, GradientDescent(made, lr=0.5))
    x, t = torch.randn(5, 6), torch.full((5, 3), torch.nan)
    with pytest.raises(ValueError, match="finite targets"):
        engine.step(x, t)
    t.fill_(0.5)
    for _ in range(3):
        engine.step(x, t)
    assert repeats(engine)


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
@pytest.mark.parametrize("large", [False, True], ids=["at once", "layer by layer"])
def test_layers_of_somebody_else_are_repeated_only_where_nothing_is_missed(
    make: Callable[[], Layer], repeatable: bool, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, "ONE_AT_A_TIME", 0 if large else 1 << 20)
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
    twin = copy.deepcopy(made)
    engine, descent = ManualEngine(made, GradientDescent(made, lr=0.01)), GradientDescent(twin, lr=0.01)
    x, t = torch.empty(5, 6), torch.empty(5, 3)
    for number in range(6):
        x.normal_()
        t.uniform_()
        random.seed(number)
        engine.step(x, t)
        random.seed(number)
        trace = twin.forward(x)
        twin.loss(trace, t)
        descent.update(twin.backward(trace))
        assert_identical(made.buffer, twin.buffer, f"θ after step {number}")
    assert repeats(engine) == repeatable
