"""Learning-rate schedules: η of E9 as a function of the step alone, so a run that is resumed goes on as if never left.

    constant    η = lr
    cosine      η = lr ½ (1 + cos π p)                  falls to 0, slowly at both ends
    linear      η = lr (1 − p)                          falls to 0
    step        η = lr / drop_factor^⌊k / drop_every⌋   falls at once, every drop_every steps

Step k counts from 0, p is the share of the steps after the warm-up that are done. During the first ``warmup`` steps
η = lr (k + 1) / (warmup + 1): it climbs in equal steps from above 0, and is lr in the step after them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

DECAYS: dict[str, Callable[[float], float]] = {
    "constant": lambda p: 1.0,
    "cosine": lambda p: 0.5 * (1 + math.cos(math.pi * p)),
    "linear": lambda p: 1 - p,
}
SCHEDULES = (*DECAYS, "step")


def learning_rate(
    schedule: str,
    lr: float,
    step: int,
    steps: int,
    *,
    warmup: int = 0,
    drop_every: int | None = None,
    drop_factor: float = 10.0,
) -> float:
    """Return η for ``step``, from 0 to steps - 1; at ``steps`` it is what the schedule ends with.

    ``warmup`` and ``drop_every`` are numbers of steps; drops are counted from step 0, as ``torch``'s StepLR counts
    them. Raises ValueError for an unknown schedule and for a number out of its range.
    """
    _check(schedule, step, steps, warmup, drop_every, drop_factor)
    if step < warmup:
        return lr * (step + 1) / (warmup + 1)
    if drop_every is not None:
        return lr * drop_factor ** -(step // drop_every)
    return lr * DECAYS[schedule]((step - warmup) / (steps - warmup))


def _check(schedule: str, step: int, steps: int, warmup: int, drop_every: int | None, drop_factor: float) -> None:
    if schedule not in SCHEDULES:
        raise ValueError(f"learning_rate expects one of the schedules {', '.join(SCHEDULES)}, got {schedule!r}")
    if not 0 <= step <= steps:
        raise ValueError(f"learning_rate expects a step from 0 to {steps}, the number of steps, got {step}")
    if not 0 <= warmup < steps:
        raise ValueError(f"learning_rate expects a warm-up from 0 to below all {steps} steps, got {warmup}")
    if (schedule == "step") != (drop_every is not None):
        raise ValueError(
            f"learning_rate expects drop_every for the schedule step alone, got {drop_every} for {schedule}"
        )
    if drop_every is not None and drop_every < 1:
        raise ValueError(f"learning_rate expects drop_every of at least 1 step, got {drop_every}")
    if not drop_factor > 0:
        raise ValueError(f"learning_rate expects a drop_factor above 0, got {drop_factor}")
