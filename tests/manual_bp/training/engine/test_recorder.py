"""What a Recorder notes, what it need not note, and what it refuses."""

import numpy as np
import pytest
import torch
from cases import assert_identical

from manual_bp.training.engine.recorder import Recorder, same

ONE = torch.tensor(1)


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
        ("sum", lambda x: bool(x.sum() > 0)),
        ("__bool__", lambda x: bool(x[0, 0])),
        ("__float__", lambda x: float(x[0, 0])),
        ("tolist", lambda x: x.tolist()),
        ("equal", lambda x: torch.equal(x, x)),
        ("numpy", lambda x: np.negative(x.numpy())),
        ("__getitem__", lambda x: x[:, ONE]),
        ("narrow", lambda x: torch.narrow(x, 1, ONE, 1)),
        ("data_ptr", lambda x: x.data_ptr()),
        ("__array__", lambda x: np.asarray(x)),
        ("__setitem__", lambda x: x.__setitem__(0, 1.0)),
        ("clone", lambda x: x.clone()),
        ("_foreach_add_", lambda x: torch._foreach_add_([x], 1)),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_what_a_repetition_would_miss_is_an_obstacle(name: str, run) -> None:
    x = torch.rand(2, 3)
    with Recorder() as recorder:
        run(x)
    assert recorder.obstacle == name


def test_two_records_are_the_same_only_with_the_same_operations_memory_and_numbers() -> None:
    x, y = torch.rand(2, 3), torch.rand(2, 3)

    def record(run) -> Recorder:
        with Recorder() as recorder:
            run()
        return recorder

    first = record(lambda: torch.mul(x.t(), 2, out=y.t()))
    assert same(first.calls, record(lambda: torch.mul(x.t(), 2, out=y.t())).calls)
    for other in (
        lambda: torch.add(x.t(), 2, out=y.t()),
        lambda: torch.mul(x.t(), 3, out=y.t()),
        lambda: torch.mul(y.t(), 2, out=y.t()),
        lambda: torch.mul(x, 2, out=y),
        lambda: (torch.mul(x.t(), 2, out=y.t()), y.neg_()),
        lambda: None,
    ):
        assert not same(first.calls, record(other).calls)
