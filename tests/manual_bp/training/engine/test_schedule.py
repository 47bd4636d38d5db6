"""Learning rates against torch's own schedulers, step by step."""

import math
from typing import Any

import pytest
import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR, StepLR

from manual_bp.training.engine.schedule import SCHEDULES, learning_rate

STEPS, LR = 40, 0.3


def sgd() -> SGD:
    return SGD([torch.zeros(1)], lr=LR)


def torchs(optimizer: SGD, schedule: str, steps: int, drop_every: int, drop_factor: float) -> LRScheduler:
    if schedule == "cosine":
        return CosineAnnealingLR(optimizer, T_max=steps)
    if schedule == "linear":
        return LinearLR(optimizer, start_factor=1.0, end_factor=0.0, total_iters=steps)
    if schedule == "step":
        return StepLR(optimizer, step_size=drop_every, gamma=1 / drop_factor)
    return ConstantLR(optimizer, factor=1.0)


def followed(optimizer: SGD, scheduler: LRScheduler, steps: int) -> list[float]:
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def close(ours: list[float], theirs: list[float]) -> None:
    """Torch multiplies from step to step: its rounding adds up."""
    assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-14 * LR)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("drop_every", "drop_factor"), [(15, 10.0), (1, 2.0)])
def test_every_schedule_is_torchs(schedule: str, drop_every: int, drop_factor: float) -> None:
    drops = {"drop_every": drop_every, "drop_factor": drop_factor} if schedule == "step" else {}
    ours = [learning_rate(schedule, LR, step, STEPS, **drops) for step in range(STEPS)]
    optimizer = sgd()
    close(ours, followed(optimizer, torchs(optimizer, schedule, STEPS, drop_every, drop_factor), STEPS))


@pytest.mark.parametrize("schedule", ["constant", "cosine", "linear"])
@pytest.mark.parametrize("warmup", [1, 7, STEPS - 1])
def test_a_decay_follows_a_warm_up_that_is_torchs_linear_one(schedule: str, warmup: int) -> None:
    optimizer = sgd()
    climb = LinearLR(optimizer, start_factor=1 / (warmup + 1), total_iters=warmup)
    decay = torchs(optimizer, schedule, STEPS - warmup, 1, 1.0)
    theirs = followed(optimizer, SequentialLR(optimizer, [climb, decay], milestones=[warmup]), STEPS)
    close([learning_rate(schedule, LR, step, STEPS, warmup=warmup) for step in range(STEPS)], theirs)


def test_drops_are_counted_from_step_0_also_with_a_warm_up() -> None:
    rates = [learning_rate("step", 1.0, step, 10, warmup=2, drop_every=4, drop_factor=2.0) for step in range(10)]
    assert rates == [1 / 3, 2 / 3, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_a_schedule_ends_where_its_formula_does() -> None:
    ends = {schedule: learning_rate(schedule, LR, STEPS, STEPS) for schedule in ("constant", "cosine", "linear")}
    assert ends == {"constant": LR, "cosine": 0.0, "linear": 0.0}


def test_the_cosine_is_its_formula_to_the_last_bit() -> None:
    for step in range(STEPS):
        assert learning_rate("cosine", LR, step, STEPS) == LR * 0.5 * (1 + math.cos(math.pi * (step / STEPS)))


def test_thousands_of_drops_end_at_0() -> None:
    assert learning_rate("step", LR, 5000, 5000, drop_every=1) == 0.0


@pytest.mark.parametrize(
    ("schedule", "step", "options", "message"),
    [
        ("cosin", 0, {}, "one of the schedules constant, cosine, linear, step, got 'cosin'"),
        ("linear", -1, {}, "a step from 0 to 40, the number of steps, got -1"),
        ("linear", 41, {}, "a step from 0 to 40, the number of steps, got 41"),
        ("linear", 0, {"warmup": -1}, "a warm-up from 0 to below all 40 steps, got -1"),
        ("linear", 0, {"warmup": 40}, "a warm-up from 0 to below all 40 steps, got 40"),
        ("step", 0, {}, "drop_every for the schedule step alone, got None for step"),
        ("cosine", 0, {"drop_every": 5}, "drop_every for the schedule step alone, got 5 for cosine"),
        ("step", 0, {"drop_every": 0}, "drop_every of at least 1 step, got 0"),
        ("step", 0, {"drop_every": 5, "drop_factor": 0.0}, "a drop_factor above 0, got 0.0"),
        ("step", 0, {"drop_every": 5, "drop_factor": math.nan}, "a drop_factor above 0, got nan"),
    ],
)
def test_what_is_out_of_range_is_named(schedule: str, step: int, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"learning_rate expects {message}"):
        learning_rate(schedule, LR, step, STEPS, **options)
