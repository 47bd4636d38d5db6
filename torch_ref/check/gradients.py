"""A loss that reads its parameters, and their gradients, however they were computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from manual_bp.layer import described
from torch_ref.check.parameters import Array, Matched, as_tensor, matched
from torch_ref.check.reading import check_no_autocast
from torch_ref.followed.array import Followed, FollowedArray
from torch_ref.followed.cannot import CannotFollow
from torch_ref.followed.differences import Differences, differences
from torch_ref.followed.dtypes import is_followed_dtype
from torch_ref.followed.follow import leaf_of
from torch_ref.followed.swapped import swapped
from torch_ref.numbers.agreement import Tolerance, check_tolerance
from torch_ref.numbers.differences import slope
from torch_ref.numbers.given import as_gradient
from torch_ref.steps.chain import Chain, Claim
from torch_ref.steps.graph import Graph, place_of
from torch_ref.steps.guarded import as_it_was
from torch_ref.steps.step import Failure
from torch_ref.verdict.chain import judged_of, power_of_all, rows_of_chain
from torch_ref.verdict.measured import Measured, rows_of_measured
from torch_ref.verdict.report import Report
from torch_ref.verdict.row import Row

SAME = {torch.float64: 1e-9, torch.float32: 1e-4}
"""How near, of its size, the loss has to come when it is followed."""

OWNER = "check_gradients"

PREFIX = "gradient of "

MOST, LEAST = 400, 25
"""How many entries of all parameters together, and at least of each, are compared with central differences."""

WHERE = "check_lines and check_chain find where in the backward pass the mistake is"

NOT_SURE = "central differences of the loss are not sure enough here"


def check_gradients(
    loss: Callable[[], Any],
    parameters: Any,
    gradients: Any,
    *,
    tolerance: Tolerance | None = None,
    strict: bool = False,
    power: bool = True,
) -> Report:
    """Compare gradients by hand with those of a loss that reads its parameters, of numpy or torch.

        check_gradients(lambda: cross_entropy(network(x), t), network.params, network.grads)

    ``loss()`` returns one number, or a tuple that begins with one. It reads the parameters: a dict, a list, an object
    with attributes, an ``nn.Module``, one array or tensor. ``gradients`` are +∂L/∂parameter, in a container of the same
    names (``W1`` or ``dW1``, ``grad_W1``, ``W1_grad``), or in the same order; however they were computed.

    Code of numpy is followed by autograd as it is. Where it cannot be followed, as where an array is written into
    ``np.zeros``, central differences of the loss take its place, of some hundred entries at random of large
    arrays; a remark says so. The report has a row 'gradient of W1' for each parameter that has a gradient; what has
    none is in ``not_compared``. Where inside a backward pass the mistake is, ``check_chain`` and ``check_lines`` say.

    ``tolerance``, ``strict`` and ``power`` are those of ``check_function``. The parameters come out as they went in.

    Raises TypeError where ``loss`` cannot be called or returns no number, or there are no parameters or gradients;
    ValueError where names and order of the two do not fit, the loss changes its parameters, draws random numbers or is
    not finite, or depends on none of them; RuntimeError under autocast. What ``loss`` raises is raised as it is.
    """
    check_tolerance(tolerance)
    check_no_autocast()
    if not callable(loss):
        raise TypeError(f"{OWNER} expects a loss that can be called without arguments, got {described(loss)}")
    given = matched(OWNER, parameters, gradients)
    asked = Asked(loss, parameters, given)
    asked.check()
    with torch.inference_mode(mode=False):
        return asked.report(tolerance, strict=strict, power=power)


@dataclass
class Asked:
    """A loss, its parameters, and what was found out about them."""

    loss: Callable[[], Any]
    container: Any
    given: Matched
    value: float = 0.0
    why: str = ""
    """Why autograd cannot follow; '' where it can."""

    @property
    def parameters(self) -> Mapping[str, Array]:
        """Return the parameters by name."""
        return self.given.parameters

    def check(self) -> None:
        """Call the loss twice; raise where it is no number, or another one at the second call, or changes something."""
        before = {name: as_tensor(p) for name, p in self.parameters.items()}
        with as_it_was(seed=0):
            self.value = number(self.loss())
        try:
            changed = [n for n, p in self.parameters.items() if not torch.equal(as_tensor(p), before[n])]
            if changed:
                raise ValueError(
                    f"{OWNER} expects a loss that only reads its parameters, got one that changes {changed[0]}"
                )
            with as_it_was(seed=1):
                again = number(self.loss())
        finally:
            for name, p in self.parameters.items():
                put(p, before[name])
        if again != self.value:
            raise ValueError(
                f"{OWNER} expects a loss that is the same at every call, got {self.value:.8g} and {again:.8g}: it "
                "draws random numbers, or keeps something. Draw them once, outside"
            )
        if not np.isfinite(self.value):
            raise ValueError(f"{OWNER} expects a loss that is finite, got {self.value}")

    def report(self, tolerance: Tolerance | None, *, strict: bool, power: bool) -> Report:
        """Return the report: by autograd what it can follow, by differences the rest."""
        with requiring(self.parameters.values()):
            chain = self.followed(tolerance, strict=strict)
            judged = judged_of(chain) if chain else {}
            rows = rows_of_chain(chain, judged, whole=False) if chain else []
        doubted = [row for row in rows if row.blame and self._is_doubted(chain, row)] if chain else []
        if doubted:
            self.why = "finite differences of the loss say otherwise"
        rows = [row for row in rows if row not in doubted]
        names = [row.quantity.removeprefix(PREFIX) for row in rows]
        measured = self.measured([name for name in self.parameters if name not in names])
        more, arrived = rows_of_measured(measured, tolerance or {}, strict=strict)
        order = [f"{PREFIX}{name}" for name in self.parameters]
        rows = sorted([*rows, *more], key=lambda row: order.index(row.quantity))
        kept = {row.quantity for row in rows}
        told = [one for one in measured if f"{PREFIX}{one.name}" in kept]
        arrived += [judged[name][0] for name in names]
        is_right = all(row.status != "wrong" for row in rows)
        first = as_tensor(next(iter(self.parameters.values())))
        return Report(
            tuple(rows),
            1,
            first.dtype,
            first.device,
            remarks=(*self._of_differences(told), *[WHERE] * (sum(bool(row.blame) for row in rows) > 1)),
            not_compared=(*((name, NOT_SURE) for name in order if name not in kept), *self.given.left),
            alone="given the values of the forward pass",
            power=power_of_all(arrived, tolerance or {}, strict=strict) if power and is_right and rows else None,
        )

    # ------------------------------------------------------------------------------ by autograd

    def followed(self, tolerance: Tolerance | None, *, strict: bool) -> Chain | None:
        """Return the gradients beside those of autograd, as far as it can follow; None and ``why`` where it cannot."""
        try:
            root, leaves = self._root({})
        except CannotFollow as error:
            self.why = str(error)
            return None
        except Exception as error:  # of somebody's code, which is made for arrays
            self.why = f"followed by autograd it raises {type(error).__name__}: {error}"
            return None
        graph = Graph.of([root])
        claims = [self._claim(name, leaf) for name, leaf in leaves.items()]
        reached = [claim for claim in claims if graph.reaches(claim.places[0])]
        off = abs(float(root.detach()) - self.value)
        if not reached or off > SAME.get(root.dtype, 1e-2) * (abs(self.value) + abs(float(root.detach()))):
            self.why = "followed by autograd the loss is another" if reached else "it is not found how it is read"
            return None
        self.why = "it is not found how the loss reads it"

        def nearby(draw: int) -> Chain:
            """Return the same with the parameters moved a little: all up, all down, then at random."""
            generator = torch.Generator().manual_seed(draw)
            moved, other = self._root({name: _moved(leaf, draw, generator) for name, leaf in leaves.items()})
            claims = [replace(claim, places=(place_of(other[claim.name]),)) for claim in reached]
            return Chain([(moved, torch.ones_like(moved))], claims, strict=strict)

        return Chain([(root, torch.ones_like(root))], reached, tolerance=tolerance, strict=strict, nearby=nearby)

    def _root(self, numbers: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
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

            with swapped([self.container, self.loss], instead):
                returned = first_of(self.loss())
        root = returned.current if isinstance(returned, Followed) else returned
        if not isinstance(root, Tensor) or not root.requires_grad:
            raise CannotFollow("the loss", f"it returns {described(root)}, which does not know how it was computed")
        return root.reshape(()), leaves

    def _claim(self, name: str, leaf: Tensor) -> Claim:
        by_hand, failure = self._by_hand(name, leaf)
        return Claim(name, (place_of(leaf),), ((by_hand,) if by_hand is not None else (),), failure)

    def _by_hand(self, name: str, like: Tensor) -> tuple[Tensor | None, Failure | None]:
        gradient = self.given.gradients[name]
        found = as_gradient(gradient, like)
        if found is None:
            text = f"is {described(gradient)}, where an array of shape {tuple(like.shape)} is expected"
            return None, Failure("wrong-return", text)
        return found, None

    def _is_doubted(self, chain: Chain, row: Row) -> bool:
        """Tell whether the slope of the loss speaks against what autograd gave, in float64."""
        name = row.quantity.removeprefix(PREFIX)
        p = self.parameters[name]
        right = chain.alone[name][0].witness.exact
        if as_tensor(p).dtype != torch.float64:
            return False
        before = as_tensor(p)

        def outputs(q: Tensor) -> list[Tensor]:
            put(p, q)
            return [torch.tensor(number(self.loss()), dtype=torch.float64)]

        try:
            with as_it_was(), torch.no_grad():
                return slope(outputs, before, [torch.ones((), dtype=torch.float64)], right).agrees(right) is False
        finally:
            put(p, before)

    # ------------------------------------------------------------------------------ by differences

    def measured(self, names: list[str]) -> list[Measured]:
        """Return the central differences by some parameters, as far as there can be any."""
        total = sum(as_tensor(self.parameters[name]).numel() for name in names)
        found = [self._measured(name, total) for name in names]
        return [one for one in found if one is not None]

    def _measured(self, name: str, total: int) -> Measured | None:
        p = self.parameters[name]
        like = as_tensor(p)
        if like.is_complex() or like.device.type != "cpu":
            return None
        most = max(LEAST, MOST * like.numel() // total)
        by_hand, failure = self._by_hand(name, like)
        try:
            found = self._in_float64(name, most)
        except Exception:  # of somebody's code, which may be for one dtype only
            found = self._differences(p.detach().numpy() if isinstance(p, Tensor) else p, most)
        indices, values, uncertainties = map(torch.as_tensor, (found.indices, found.values, found.uncertainties))
        return Measured(name, like, by_hand, failure, indices, values, uncertainties)

    def _in_float64(self, name: str, most: int) -> Differences:
        """Return the differences of a loss in which every array of floating-point numbers is one of float64."""
        known: dict[int, Any] = {}

        def instead(value: Any) -> Any:
            if not isinstance(value, np.ndarray | Tensor) or not _is_narrow(value):
                return value
            if id(value) not in known:
                wide = as_tensor(value).double()
                known[id(value)] = wide if isinstance(value, Tensor) else wide.numpy()
            return known[id(value)]

        p = self.parameters[name]
        if not _is_narrow(p):
            return self._differences(p.detach().numpy() if isinstance(p, Tensor) else p, most)
        with swapped([self.container, self.loss], instead) as found:
            if id(p) not in found:
                raise CannotFollow("the loss", "it is not found how it reads the parameter")
            wide = known[id(p)]
            return self._differences(wide.numpy() if isinstance(wide, Tensor) else wide, most)

    def _differences(self, array: Any, most: int) -> Differences:
        with as_it_was(), torch.no_grad():
            return differences(lambda: number(self.loss()), array, most=most)

    def _of_differences(self, measured: list[Measured]) -> Iterator[str]:
        """Yield what a reader should know of what was compared with differences."""
        if measured:
            of_some = [
                f"{one.name} at {len(one.indices)} of {one.parameter.numel():,} entries"
                for one in measured
                if len(one.indices) < one.parameter.numel()
            ]
            names = ", ".join(one.name for one in measured)
            shown = f" ({', '.join(of_some)})" if of_some else ""
            yield f"{names}: compared with central differences of the loss{shown}, since {self.why}"


def _is_narrow(value: Array) -> bool:
    """Tell whether an array or tensor has floating-point numbers of less than 64 bits."""
    if isinstance(value, Tensor):
        return value.dtype in (torch.float16, torch.bfloat16, torch.float32)
    return value.dtype in (np.float16, np.float32)


def leaf_for(p: Array) -> Tensor:
    """Return what autograd differentiates by: a tensor itself, or one with the numbers of an array."""
    return p if isinstance(p, Tensor) else leaf_of(p)


def _moved(leaf: Tensor, draw: int, generator: torch.Generator) -> Tensor:
    """Return a parameter moved a little: all of it up, all of it down, then each number up or down at random."""
    size = float(leaf.detach().double().norm()) / max(leaf.numel(), 1) ** 0.5 or 1.0
    steps = 0.5 + torch.rand(leaf.shape, generator=generator, dtype=torch.float64)
    signs = torch.randint(0, 2, leaf.shape, generator=generator) * 2 - 1 if draw > 1 else (-1) ** draw
    near = max(1e-8, 8 * torch.finfo(leaf.dtype).eps)
    return leaf.detach() + (near * size * signs * steps).to(leaf.device, leaf.dtype)


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
