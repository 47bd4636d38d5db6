"""The protocol of a contender."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from benchmarks.cases import Array, Problem


class Steps(Protocol):
    """Someone who trains a network, always on the same batch. ``scope`` is entered once around many steps."""

    @property
    def scope(self) -> Callable[[], AbstractContextManager[Any]]:
        """Return what to enter around the steps."""

    def step(self) -> Any:
        """Compute forward, loss, backward and update, all finished on return; return the loss."""

    def parameters(self) -> list[Array]:
        """Return W^1, b^1, W^2, ... as they are now."""


class Contender(Steps, Protocol):
    """Someone who trains the network of a problem.

    Where ``exact`` is true, ``equality`` demands the parameters that manual_bp has after the same steps.
    """

    @property
    def exact(self) -> bool:
        """Return whether the parameters must agree with those of all others."""


Maker = Callable[[Problem], Contender]
