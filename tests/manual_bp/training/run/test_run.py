"""Where a run stands: counts, sums, history, and back from a checkpoint."""

import time
from dataclasses import replace

import pytest
import torch
from cases import assert_identical
from msgspec.structs import replace as changed
from test_checkpoint import made

from manual_bp import GradientDescent, ReLU, SoftmaxCrossEntropy, mlp
from manual_bp.training.engine.step import ManualEngine
from manual_bp.training.run.checkpoint import DataFacts
from manual_bp.training.run.run import Run

FACTS = DataFacts("toy", "00", 2, 1.5, 2.0, ["a", "b", "c"])


def engine() -> ManualEngine:
    network = mlp([4, 5, 3], activation=ReLU(), loss=SoftmaxCrossEntropy())
    return ManualEngine(network, GradientDescent(network, lr=0.1, momentum=0.9))


def test_counts_steps_and_epochs() -> None:
    run = Run(images=10, batch_size=4)
    seen = []
    for _ in range(7):
        seen.append((run.epoch, run.within, run.rows))
        run.add(1.0)
    assert run.batches == 3
    assert seen == [(1, 0, 4), (1, 1, 4), (1, 2, 2), (2, 0, 4), (2, 1, 4), (2, 2, 2), (3, 0, 4)]


def test_a_batch_larger_than_the_data_is_the_data() -> None:
    run = Run(images=10, batch_size=64)
    assert (run.batches, run.rows) == (1, 10)


def test_the_loss_of_an_epoch_is_the_mean_over_its_images() -> None:
    """Means 1, 2, 4 of 4, 4 and 2 images: (4 + 8 + 8) / 10."""
    run = Run(images=10, batch_size=4)
    for loss in (1.0, 2.0, 4.0):
        run.add(loss)
    run.finish_epoch({"test_accuracy": 0.5})
    assert run.history[0]["loss"] == 2.0
    assert run.loss_sum == 0.0


def test_the_first_of_equally_good_epochs_is_the_best() -> None:
    run = Run(images=4, batch_size=4)
    best = []
    for accuracy in (0.5, 0.4, 0.5, 0.6):
        run.add(1.0)
        best.append(run.finish_epoch({"test_accuracy": accuracy}))
    assert best == [True, False, False, True]
    assert [entry["epoch"] for entry in run.history] == [1, 2, 3, 4]
    assert run.best["epoch"] == 4
    assert [entry["step"] for entry in run.history] == [1, 2, 3, 4]


def test_the_epochs_since_the_best_one_are_counted() -> None:
    """By the held-out images where there are any, however good the test images are answered."""
    run = Run(images=4, batch_size=4)
    counted = [run.without_better]
    for held, test in ((0.5, 0.1), (0.5, 0.9), (0.4, 0.2), (0.6, 0.1), (0.6, 0.3)):
        run.add(1.0)
        run.finish_epoch({"validation_accuracy": held, "test_accuracy": test})
        counted.append(run.without_better)
    assert counted == [0, 0, 1, 2, 0, 1]


def test_the_clock_counts_what_is_inside_also_when_it_fails() -> None:
    run = Run(images=4, batch_size=4)
    with run.clock():
        time.sleep(0.02)
    with pytest.raises(ZeroDivisionError), run.clock():
        raise ZeroDivisionError
    assert 0.02 <= run.seconds < 5


def test_a_checkpoint_holds_copies_without_the_rest_of_the_buffer() -> None:
    trained, run = engine(), Run(images=10, batch_size=4)
    state = run.checkpoint(trained, {"seed": 7}, FACTS)
    weight = state.parameters["0.weight"]
    assert weight.untyped_storage().nbytes() == weight.numel() * weight.element_size()
    before = weight.clone()
    trained.network.buffer.add_(1)
    assert_identical(weight, before)
    assert (state.seed, state.data["name"], state.epoch, state.step) == (7, "toy", 0, 0)


def test_goes_on_where_a_checkpoint_stands() -> None:
    first, run = engine(), Run(images=10, batch_size=4)
    for _ in range(4):
        first.step(torch.randn(4, 4), torch.eye(3)[torch.randint(3, (4,))])
        run.add(0.1)
        if not run.within:
            run.finish_epoch({"test_accuracy": 0.5})
    state = run.checkpoint(first, {"seed": 7}, FACTS)
    drawn = torch.rand(3)
    second, again = engine(), Run(images=10, batch_size=4)
    again.go_on_from(state, [second])
    assert (again.step, again.loss_sum, again.seconds, again.history) == (4, run.loss_sum, run.seconds, run.history)
    assert_identical(second.network.buffer, first.network.buffer)
    assert_identical(second.descent.velocity["0.weight"], first.descent.velocity["0.weight"])
    assert_identical(torch.rand(3), drawn)


def test_the_history_of_a_checkpoint_is_its_own() -> None:
    trained, run = engine(), Run(images=4, batch_size=4)
    run.add(1.0)
    run.finish_epoch({"test_accuracy": 0.5})
    state = run.checkpoint(trained, {"seed": 7}, FACTS)
    run.history[0]["loss"] = 99.0
    assert state.history[0]["loss"] == 1.0


@pytest.mark.parametrize(
    "change",
    [
        {"parameters": {}},
        {"optimizer": {}, "parameters": {"0.weight": torch.zeros(5, 4)}},
        {"optimizer": {}},
        {"step": 17},
        {"generators": {}},
        {"generators": {"cpu": torch.zeros(3)}},
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(change: dict[str, object]) -> None:
    fits = replace(made(), step=6)
    Run(images=10, batch_size=4).go_on_from(fits, [engine()])
    with pytest.raises(ValueError, match="expected a checkpoint of this very run"):
        Run(images=10, batch_size=4).go_on_from(replace(fits, **change), [engine()])


def test_data_are_known_by_their_checksum() -> None:
    state = Run(images=4, batch_size=4).checkpoint(engine(), {"seed": 7}, FACTS)
    state.expect(changed(FACTS, name="the same under another name"))
    with pytest.raises(ValueError, match=r"trained on, toy with checksum 00\.\.\., got toy with checksum 01\.\.\."):
        state.expect(changed(FACTS, sha256="01"))


@pytest.mark.parametrize("change", [{"side": 3}, {"mean": 1.6}, {"deviation": 2.1}])
def test_what_is_said_of_the_data_is_compared(change: dict[str, object]) -> None:
    state = Run(images=4, batch_size=4).checkpoint(engine(), {"seed": 7}, FACTS)
    with pytest.raises(ValueError, match="describes its images as they are; it was tampered with"):
        state.expect(changed(FACTS, **change))


def test_classes_of_other_names_are_named() -> None:
    state = Run(images=4, batch_size=4).checkpoint(engine(), {"seed": 7}, FACTS)
    with pytest.raises(ValueError, match=r"the checkpoint's run, \['a', 'b', 'c'\], got \['a', 'b', 'd'\]"):
        state.expect(changed(FACTS, names=["a", "b", "d"]))
