"""The processes that train one network together: how they meet, and what they say to each other.

``torchrun`` starts them and tells each its rank; ``torch.distributed`` carries. How they share a step is in
``parallel``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import torch
import torch.distributed as dist

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

Value = TypeVar("Value")

TIMEOUT = 60.0  # seconds without an answer after which the others are taken for lost


class ToldElsewhereError(Exception):
    """Another of the processes failed, with the error that is the cause, and says so."""


@dataclass(frozen=True)
class Processes:
    """The processes that train together, inside ``with``: this one's rank, and how many there are."""

    rank: int = 0
    count: int = 1
    device: str = "cpu"
    timeout: float = TIMEOUT

    @classmethod
    def from_environment(cls, device: str, timeout: float = TIMEOUT) -> Processes:
        """Return what ``torchrun`` says, or one process alone. Each takes a GPU of its own where ``device`` is cuda."""
        if "WORLD_SIZE" not in os.environ:
            return cls(device=device)
        rank, count, local = (_number(name) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
        if not 0 <= rank < count:
            raise ValueError(f"expected a RANK from 0 to below the WORLD_SIZE {count}, got {rank}")
        return cls(rank, count, f"cuda:{local}" if device == "cuda" else device, timeout)

    @property
    def is_main(self) -> bool:
        """Return whether this is the process that logs and saves."""
        return self.rank == 0

    def __enter__(self) -> Self:
        """Meet the others. Raises ValueError where torch was built without what carries between processes."""
        if self.count > 1:
            check_distributed(self.count)
            backend = "nccl" if self.device.startswith("cuda") else "gloo"
            if backend == "nccl":
                torch.cuda.set_device(self.device)
            timeout = timedelta(seconds=self.timeout)
            with answered("did not come"):
                dist.init_process_group(
                    backend, store=self._meeting(timeout), rank=self.rank, world_size=self.count, timeout=timeout
                )
        return self

    def _meeting(self, timeout: timedelta) -> Store:
        """Return where the processes leave their addresses for each other.

        torchrun keeps this store when it starts them anew after the death of one: by a name of its own for each start
        they do not find the addresses of those who are gone.
        """
        from torch.distributed.distributed_c10d import PrefixStore  # not in every torch
        from torch.distributed.rendezvous import rendezvous

        store, _, _ = next(rendezvous("env://", self.rank, self.count, timeout=timeout))
        return PrefixStore(f"start {os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Part from the others."""
        if self.count > 1:
            dist.destroy_process_group()

    def any(self, flag: bool) -> bool:
        """Return whether the flag is raised in any process."""
        if self.count == 1:
            return flag
        raised = torch.tensor([float(flag)], device=self.device)
        with answered():
            dist.all_reduce(raised, op=dist.ReduceOp.MAX)
        return bool(raised.item())

    def from_main(self, make: Callable[[], Value]) -> Value:
        """Return in every process what ``make`` returns in the first.

        Where it raises, the first raises that, and the others ``ToldElsewhereError`` from it.
        """
        if self.count == 1:
            return make()
        answer: list[Any] = [None, None]
        if self.is_main:
            try:
                answer[0] = make()
            except Exception as error:  # every process has to hear of it, or it would wait
                answer[1] = error
        with answered():
            dist.broadcast_object_list(answer, device=torch.device(self.device))
        if answer[1] is not None:
            if self.is_main:
                raise answer[1]
            raise ToldElsewhereError from answer[1]
        value: Value = answer[0]
        return value

    def all_or_none(self, make: Callable[[], Value]) -> Value:
        """Return what ``make`` returns in this process, where it raises in none of them.

        Else the first that failed raises its error, and the others ``ToldElsewhereError``: one fault, one message.
        """
        if self.count == 1:
            return make()
        value, own = None, None
        try:
            value = make()
        except Exception as error:  # every process has to hear of it, or it would wait
            own = error
        failures: list[Any] = [None] * self.count
        with answered():
            dist.all_gather_object(failures, own)
        first = next((rank for rank, error in enumerate(failures) if error is not None), None)
        if first == self.rank and own is not None:
            raise own
        if first is not None:
            raise ToldElsewhereError from failures[first]
        return cast("Value", value)


def check_distributed(count: int) -> None:
    """Raise ValueError where torch was built without torch.distributed."""
    if not dist.is_available():
        raise ValueError(
            f"expected a torch that was built with torch.distributed to train in {count} processes, and this one "
            "was not: start train.py without torchrun, or install another torch"
        )


def _number(name: str) -> int:
    text = os.environ.get(name, "")
    if not text.isdecimal():
        raise ValueError(f"expected a number in the environment variable {name}, which torchrun sets, got {text!r}")
    return int(text)


@contextmanager
def answered(failure: str = "does not answer") -> Iterator[None]:
    """Say in one line that a process is gone, where torch.distributed raises."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise ConnectionError(f"one of the processes that train together {failure}: {reason}") from error
