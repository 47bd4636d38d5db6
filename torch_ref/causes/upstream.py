"""Mistakes with the gradient from above: it is ignored, squared, of other samples, or some of it is left out."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from torch_ref.causes.tape import Tape

LEFT_OUT = frozenset({"sample-missing", "step-missing", "one-sample"})


def of_upstream(tape: Tape) -> Iterator[tuple[str, str, Tensor]]:
    """Yield a code, a sentence, and the gradient for what may be wrong above."""
    (d, *more) = tape.upstream
    if more or tape.stops:
        return
    for code, text, changed in _changes(d, tape):
        found = tape.gradient([changed])
        if found is not None and not (code in LEFT_OUT and _leaves_zeros(found, tape.total)):
            yield code, text, found


def _leaves_zeros(found: Tensor, right: Tensor) -> bool:
    """Tell whether some rows, columns, ... are all zeros then, which is a matter of place."""
    for k in range(found.ndim):
        zeros, before = ((t == 0).movedim(k, 0).reshape(t.shape[k], -1).all(1) for t in (found, right))
        if bool((zeros & ~before).any()):
            return True
    return False


def _changes(d: Tensor, tape: Tape) -> Iterator[tuple[str, str, Tensor]]:
    yield "upstream-ignored", "the upstream gradient is ignored", torch.ones_like(d)
    yield "upstream-twice", "the upstream gradient is multiplied in twice", d * d
    yield "sign-alone", "only the sign of the upstream gradient is used", d.sign()
    for k in range(d.ndim):
        n = d.shape[k]
        if n < 2:
            continue
        place = torch.arange(n).reshape([-1 if j == k else 1 for j in range(d.ndim)])
        is_step = k in tape.steps or (k and d.ndim > 2)
        what, left = ("step", "step-missing") if is_step else ("sample", "sample-missing")
        one = "step-missing" if is_step else "one-sample"
        yield left, f"the last {what} is left out", d * (place < n - 1)
        yield left, f"the first {what} is left out", d * (place > 0)
        yield one, f"only the first {what} is used", d * (place == 0)
        yield one, f"only the last {what} is used", d * (place == n - 1)
        for text, moved in (
            ("the one before", d.roll(1, k)),
            ("the one after", d.roll(-1, k)),
            ("in reverse order", d.flip(k)),
        ):
            code = "wrong-sample" if k == 0 else "shifted"
            yield code, f"what comes from above is that of another {what} ({text})", moved
        for text, spread in (
            ("sum", d.sum(k, keepdim=True)),
            ("mean", d.mean(k, keepdim=True)),
            ("first", d.narrow(k, 0, 1)),
        ):
            said = f"the {text} of what comes from above, along dimension {k}, stands for each of it"
            yield "broadcast-over-batch", said, spread.expand_as(d)
