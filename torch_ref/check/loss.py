"""A loss that reads its parameters from wherever they are kept: computed, followed by autograd, and moved."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from manual_bp.layer import described
from torch_ref.check.parameters import Array, as_tensor
from torch_ref.followed.array import Followed, FollowedArray
from torch_ref.followed.cannot import CannotFollow
from torch_ref.followed.differences import Differences, differences
from torch_ref.followed.dtypes import is_followed_dtype
from torch_ref.followed.follow import leaf_of
from torch_ref.followed.swapped import swapped
from torch_ref.numbers.differences import slope
from torch_ref.steps.guarded import as_it_was
from torch_ref.steps.reachable import reachable_kept

OWNER = "check_gradients"


@dataclass(frozen=True)
class ReadLoss:
    """A function without arguments that returns the loss, and the parameters that it reads."""

    loss: Callable[[], Any]
    container: Any
    """What holds the parameters."""
    parameters: Mapping[str, Array]

    def checked(self) -> float:
        """Return the loss; raise where it is no number, another one at a second call, or changes its parameters."""
        before = {name: as_tensor(p) for name, p in self.parameters.items()}
        value = number(self._returned(seed=0))
        changed = [name for name, p in self.parameters.items() if not torch.equal(as_tensor(p), before[name])]
        if changed:
            for name in changed:
                put(self.parameters[name], before[name])
            raise ValueError(
                f"{OWNER} expects a loss that only reads its parameters, got one that changes {changed[0]}"
            )
        if not np.isfinite(value):
            raise ValueError(
                f"{OWNER} expects a loss that is finite, got {value}: look at the numbers that it is given"
            )
        again = self._number(seed=1)
        if again != value:
            raise ValueError(
                f"{OWNER} expects a loss that is the same at every call, got {value:.8g} and {again:.8g}: it "
                "draws random numbers, or keeps something. Draw them once, outside"
            )
        return value

    def _returned(self, seed: int = 0) -> Any:
        with as_it_was(seed), reachable_kept(self.loss):
            return self.loss()

    def _number(self, seed: int = 0) -> float:
        """Return the loss once more; what it prints was seen the first time."""
        with redirect_stdout(io.StringIO()):
            return number(self._returned(seed))

    def root(self, numbers: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss with its graph, and the leaf of each parameter, which has other numbers where they are given.

        Raises CannotFollow where autograd does not know how it was computed, and what the loss raises.
        """
        able = {name: p for name, p in self.parameters.items() if can_follow(p)}
        with as_it_was(), torch.enable_grad():
            leaves = {
                name: numbers[name].clone().requires_grad_() if name in numbers else leaf_for(p)
                for name, p in able.items()
            }
            others = {
                id(p): leaves[name] if isinstance(p, Tensor) else FollowedArray(leaves[name].clone(), leaves[name])
                for name, p in able.items()
                if leaves[name] is not p
            }
            has_arrays = any(isinstance(p, np.ndarray) for p in able.values())

            def instead(value: Any) -> Any:
                """Return an array as one that is followed: X.dot(W) asks X, not W."""
                if id(value) in others:
                    return others[id(value)]
                if not has_arrays or type(value) is not np.ndarray or not is_followed_dtype(value.dtype):
                    return value
                return others.setdefault(id(value), FollowedArray(as_tensor(value)))

            silent = redirect_stdout(io.StringIO())
            with silent, reachable_kept(self.loss), swapped([self.container, self.loss], instead):
                returned = first_of(self.loss())
        root = returned.current if isinstance(returned, Followed) else returned
        if isinstance(returned, Followed) and not root.requires_grad:
            raise CannotFollow("the loss", "it is not found how it reads its parameters")
        if not isinstance(root, Tensor) or not root.requires_grad:
            raise CannotFollow("the loss", f"it returns {described(root)}, which does not know how it was computed")
        return root.reshape(()), leaves

    def speaks_against(self, name: str, right: Tensor) -> bool:
        """Tell whether the slope of the loss speaks against a gradient, in float64."""
        before = as_tensor(self.parameters[name])
        if before.dtype != torch.float64:
            return False
        with self._movable(name) as p, torch.no_grad():

            def outputs(q: Tensor) -> list[Tensor]:
                put(p, q)
                return [torch.tensor(self._number(), dtype=torch.float64)]

            try:
                return slope(outputs, before, [torch.ones((), dtype=torch.float64)], right).agrees(right) is False
            finally:
                put(p, before)

    def differences(self, name: str, most: int) -> Differences:
        """Return the central differences by a parameter: in float64 where the loss can compute in it."""
        try:
            with self._movable(name) as p:
                return self._differences(p, most)
        except Exception:  # of somebody's code, which may be for one dtype only
            return self._differences(self.parameters[name], most)

    @contextmanager
    def _movable(self, name: str) -> Iterator[Array]:
        """Give a copy of a parameter, in float64, which the loss reads in its place, in float64 too; or it itself."""
        known: dict[int, Any] = {}
        p = self.parameters[name]

        def instead(value: Any) -> Any:
            if value is not p and (not isinstance(value, np.ndarray | Tensor) or not _is_narrow(value)):
                return value
            if id(value) not in known:
                wide = as_tensor(value).double()
                known[id(value)] = wide if isinstance(value, Tensor) else wide.numpy()
            return known[id(value)]

        with swapped([self.container, self.loss], instead) as found:
            if id(p) not in found and _is_narrow(p):
                raise CannotFollow("the loss", "it is not found how it reads the parameter")
            yield known[id(p)] if id(p) in found else p

    def _differences(self, p: Array, most: int) -> Differences:
        with torch.no_grad():
            return differences(self._number, p.detach().numpy() if isinstance(p, Tensor) else p, most=most)


def _is_narrow(value: Array) -> bool:
    """Tell whether an array or tensor has floating-point numbers of less than 64 bits."""
    if isinstance(value, Tensor):
        return value.dtype in (torch.float16, torch.bfloat16, torch.float32)
    return value.dtype in (np.float16, np.float32)


def leaf_for(p: Array) -> Tensor:
    """Return what autograd differentiates by: a tensor itself, or one with the numbers of an array."""
    return p if isinstance(p, Tensor) else leaf_of(p)


def can_follow(p: Array) -> bool:
    """Tell whether autograd can differentiate by a parameter."""
    return isinstance(p, Tensor) or is_followed_dtype(p.dtype)


def first_of(returned: Any) -> Any:
    """Return the loss, where more is returned besides."""
    return returned[0] if isinstance(returned, tuple | list) and returned else returned


def number(returned: Any) -> float:
    """Return the loss as a number; raise TypeError where it is none."""
    value = first_of(returned)
    value = value.detach() if isinstance(value, Tensor) else value
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.size != 1:
        shape = f" of shape {tuple(value.shape)}" if hasattr(value, "shape") else ""
        raise TypeError(f"{OWNER} expects loss() to return one number, got {described(value)}{shape}")
    return float(array.reshape(()))


def put(p: Array, numbers: Tensor) -> None:
    """Write numbers into a parameter, in place."""
    if isinstance(p, Tensor):
        p.detach().copy_(numbers)
    else:
        p[...] = numbers.numpy()


@contextmanager
def requiring(parameters: Iterable[Array]) -> Iterator[None]:
    """Let tensors require a gradient inside, and be as they were outside."""
    asked = [p for p in parameters if isinstance(p, Tensor) and not p.requires_grad]
    for p in asked:
        p.requires_grad_()
    try:
        yield
    finally:
        for p in asked:
            p.requires_grad_(False)
