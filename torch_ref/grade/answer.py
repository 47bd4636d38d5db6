"""What a student's formula gave at one point, as it was received: the grader reads numbers and words, nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from torch_ref.grade.inside.wire import Message
from torch_ref.grade.process import NO_ANSWER
from torch_ref.known.codes import CODES
from torch_ref.steps.step import Failure, Value

LONGEST = 400
"""Letters of a failure in words."""


@dataclass(frozen=True)
class Answer:
    """One value."""

    value: Value
    narrow: bool = False
    """Whether forward gave fewer digits than it was given, and backward had to read them."""

    @staticmethod
    def received(message: Message) -> Answer:
        """Return what a process sent; a failure where that is no answer, since anybody can write into a pipe."""
        array, failure = message.get("array"), message.get("failure")
        words = isinstance(failure, list) and len(failure) == 2 and all(isinstance(word, str) for word in failure)
        if failure is not None and not (words and failure[0] in CODES):
            return Answer(Value(None, None, NO_ANSWER))
        tensor = torch.from_numpy(array) if isinstance(array, np.ndarray) else None
        told = Failure(*(word[:LONGEST] for word in failure)) if failure else None
        if tensor is None and told is None:
            told = Failure("wrong-return", "gives nothing")
        return Answer(Value(tensor, None, told), message.get("narrow") is True)
