"""Several processes that train one network: 2 and 3 on loopback, and one alone with a stand-in."""

from __future__ import annotations

import importlib.util
import sys
import time
from typing import Any

import processes_worker as worker
import pytest
import torch
import torch.distributed as dist
from cases import assert_close, assert_identical
from torch import Tensor

from manual_bp import GradientDescent, Linear
from manual_bp.training.engine import parallel, processes
from manual_bp.training.engine.parallel import DataParallelEngine
from manual_bp.training.engine.processes import Processes
from manual_bp.training.engine.step import ManualEngine

Results = list[dict[str, Any]]
TOLERANCE = 1e-12  # of the norm, in float64: the rows are summed in another order, a few units of 1e-16
ALONE = Processes()


# ------------------------------------------------------------------------------------------------ 2 and 3 processes


@pytest.fixture(scope="module", params=[pytest.param(n, marks=pytest.mark.long) for n in (2, 3)])
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """What each process of a group found."""
    return worker.results(request.param, tmp_path_factory.mktemp("group"))


@pytest.mark.parametrize("rows", [*worker.ROWS, worker.EVEN])
@pytest.mark.parametrize("loss", worker.LOSSES)
def test_loss_and_gradients_are_those_of_the_joined_batch(results: Results, loss: str, rows: int) -> None:
    """10 rows split unevenly; of 1 row all but the first process have none."""
    network = worker.network(worker.LOSSES[loss])
    x, t = worker.batch(rows)
    trace = network.forward(x)
    expected = network.loss(trace, t)
    joined = network.backward(trace)
    for result in results:
        got, gradients = result["gradients"][loss, rows]
        assert got == pytest.approx(expected.item(), rel=TOLERANCE)
        assert list(gradients) == list(joined)
        for name, gradient in gradients.items():
            assert_close(gradient, joined[name], TOLERANCE)


@pytest.mark.parametrize("loss", worker.LOSSES)
def test_gradients_are_those_of_distributed_data_parallel(results: Results, loss: str) -> None:
    """It averages over the processes, also where the loss is a sum."""
    for result in results:
        _, gradients = result["gradients"][loss, worker.EVEN]
        for name, expected in result["DistributedDataParallel"][loss].items():
            assert_close(gradients[name], expected * (len(results) if loss.endswith("sum") else 1), TOLERANCE)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("optimizer", worker.OPTIMIZERS)
def test_all_take_the_parameters_of_the_first_and_keep_the_same_bit_for_bit(
    results: Results, optimizer: str, dtype: torch.dtype
) -> None:
    first_losses, first = results[0]["trained"][optimizer, dtype]
    assert not torch.equal(first, worker.beginner(optimizer, dtype=dtype).buffer)
    for result in results[1:]:
        losses, parameters = result["trained"][optimizer, dtype]
        assert losses == first_losses
        assert_identical(parameters, first)


@pytest.mark.parametrize("optimizer", worker.OPTIMIZERS)
def test_training_is_that_of_one_process(results: Results, optimizer: str) -> None:
    network = worker.beginner(optimizer)
    expected = worker.train(ManualEngine(network, worker.OPTIMIZERS[optimizer](network)), torch.float64, ALONE)
    losses, parameters = results[0]["trained"][optimizer, torch.float64]
    assert losses == pytest.approx(expected, rel=TOLERANCE)
    assert_close(parameters, network.buffer, TOLERANCE)


def test_inference_mode_changes_nothing(results: Results) -> None:
    for result in results:
        for key, (losses, parameters) in result["trained"].items():
            inside_losses, inside_parameters = result["trained in inference mode"][key]
            assert inside_losses == losses
            assert_identical(inside_parameters, parameters)


def test_a_flag_of_one_is_a_flag_of_all(results: Results) -> None:
    told = [result["told"] for result in results]
    assert [(each["last raises it"], each["nobody raises it"]) for each in told] == [(True, False)] * len(results)


def test_all_get_what_the_first_makes_and_the_first_alone_raises(results: Results) -> None:
    assert all(result["told"]["value"] == {"made by": 0} for result in results)
    first, *others = (result["told"]["error"] for result in results)
    assert first == "nothing in process 0"
    assert others == ["told elsewhere: nothing in process 0"] * len(others)


@pytest.mark.parametrize(("fate", "seconds"), [("death", worker.TIMEOUT), ("silence", 3 * worker.SILENCE)])
def test_the_death_and_the_silence_of_one_are_errors_of_the_others(results: Results, fate: str, seconds: float) -> None:
    for result in results[:-1]:
        message, waited = result[fate]
        assert message.startswith("one of the processes that train together does not answer: ")
        assert "\n" not in message
        assert waited < seconds


# ------------------------------------------------------------------------------------------------------ one, alone


class Wire:
    """In the place of ``torch.distributed``: says that the batch has 10 rows, sums nothing, and notes what happens."""

    ReduceOp = torch.distributed.ReduceOp

    def __init__(self) -> None:
        self.events: list[tuple[str, int]] = []

    def broadcast(self, tensor: Tensor, src: int) -> None:
        assert src == 0

    def all_reduce(self, tensor: Tensor, *, async_op: bool) -> Wire.Sum:
        assert async_op
        if not self.events:
            tensor.fill_(10)
        self.events.append(("sum begins", tensor.numel()))
        return Wire.Sum(self, tensor.numel())

    class Sum:
        def __init__(self, wire: Wire, size: int) -> None:
            self.wire, self.size = wire, size

        def wait(self) -> None:
            self.wire.events.append(("waited", self.size))


class Watched(worker.Keeping):
    """An optimizer that notes on the wire when it is asked for its moves, and when it moves."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    def moves(self, gradients):
        super().moves(gradients)
        return [lambda: self.wire.events.append(("update", 0))]


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    """A recorded wire, which notes the computation of gradients too."""
    wire, gradients = Wire(), Linear.gradients

    def noted(layer: Linear, *arguments: Any) -> Any:
        wire.events.append(("gradients", layer.weight.numel()))
        return gradients(layer, *arguments)

    monkeypatch.setattr(parallel, "dist", wire)
    monkeypatch.setattr(Linear, "gradients", noted)
    return wire


def test_a_layers_sum_begins_before_the_layer_below_is_computed(wire: Wire) -> None:
    engine = DataParallelEngine(worker.network(), Watched(wire), Processes(0, 2))
    engine.step(*worker.batch(4))
    upper, lower = 16 + 3, 40 + 5  # 3 x 5 and 5 x 7 weights in float64, up to a multiple of 8, and the biases
    assert wire.events == [
        ("sum begins", 1), ("waited", 1), ("sum begins", 1),
        ("gradients", 15), ("sum begins", upper),
        ("gradients", 35), ("sum begins", lower),
        ("waited", 1), ("waited", upper), ("waited", lower),
        ("update", 0),
    ]  # fmt: skip


@pytest.mark.parametrize(("loss", "weight"), [(name, 0.4 if name.endswith("mean") else 1) for name in worker.LOSSES])
def test_a_process_counts_by_its_rows(wire: Wire, loss: str, weight: float) -> None:
    """4 of 10 rows of a mean count 0.4; a sum counts whole."""
    network, optimizer = worker.network(worker.LOSSES[loss]), Watched(wire)
    x, t = worker.batch(4)
    got = DataParallelEngine(network, optimizer, Processes(0, 2)).step(x, t)
    trace = network.forward(x)
    assert_identical(got, network.loss(trace, t) * weight)
    for name, gradient in network.backward(trace).items():
        assert_identical(optimizer.kept[name], gradient * weight)


def test_the_values_of_a_step_are_named(wire: Wire) -> None:
    engine = DataParallelEngine(worker.network(), Watched(wire), Processes(0, 2))
    assert list(engine.values()) == []
    engine.step(*worker.batch(4))
    values, network = dict(engine.values()), engine.network
    assert values["∂L/∂W^2"].shape == (3, 5)
    assert {"x^0", "∂L/∂b^1"} <= values.keys()
    x, t = worker.batch(4)
    assert_identical(values["L"], network.loss(network.forward(x), t))
    wire.events.clear()
    engine.step(*(tensor[:0] for tensor in worker.batch(4)))
    values = dict(engine.values())
    assert "x^0" not in values
    assert values["∂L/∂W^1"].count_nonzero() == 0


def test_the_update_waits_for_whoever_calls_it(wire: Wire) -> None:
    """The four parts in a row are the step; the gradients are whole before the first of them is given."""
    engine = DataParallelEngine(worker.network(), Watched(wire), Processes(0, 2))
    with pytest.raises(ValueError, match=r"expects forward\(x\), then loss\(t\), then backward\(\)"):
        engine.loss(worker.batch(4)[1])
    x, t = worker.batch(4)
    engine.forward(x)
    engine.loss(t)
    (gradients,) = engine.backward()
    assert [event for event, _ in wire.events].count("waited") == 4
    assert wire.events[-1][0] == "waited"
    assert list(gradients) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    engine.update(gradients)
    assert wire.events[-1] == ("update", 0)


def test_goes_on_from_parameters_and_optimizer_state(wire: Wire) -> None:
    def engine(seed: int) -> DataParallelEngine:
        network = worker.network(seed=seed)
        return DataParallelEngine(network, GradientDescent(network, lr=0.1, momentum=0.9), Processes(0, 2))

    one, other = engine(0), engine(1)
    one.step(*worker.batch(4))
    other.load(one.parameters(), one.optimizer_state())
    for each in (one, other):
        each.step(*worker.batch(4))
    assert_identical(one.network.buffer, other.network.buffer)


def test_nobody_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of two processes waits for its timeout, no longer."""
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(worker.free_port()))
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    began = time.monotonic()
    with pytest.raises(ConnectionError, match="one of the processes that train together did not come: "):
        Processes(0, 2, timeout=1.0).__enter__()
    assert time.monotonic() - began < 10


def test_a_torch_without_torch_distributed_trains_in_one_process_and_says_so_in_two(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dist, "is_available", lambda: False)
    for name in ("torch.distributed.distributed_c10d", "torch.distributed.rendezvous"):
        monkeypatch.setitem(sys.modules, name, None)
    spec = importlib.util.spec_from_file_location("processes_alone", processes.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "processes_alone", module)  # where a dataclass looks up its annotations
    spec.loader.exec_module(module)
    with module.Processes() as alone:
        assert alone.any(True)
    with (
        pytest.raises(ValueError, match=r"built with torch.distributed to train in 2 processes"),
        module.Processes(0, 2),
    ):
        pass
