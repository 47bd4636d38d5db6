"""A loss that reads its parameters, and their gradients, however they were computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from manual_bp.layer import described
from torch_ref.check.loss import OWNER, ReadLoss, requiring
from torch_ref.check.parameters import Array, Matched, as_tensor, matched, numbers_as_arrays
from torch_ref.check.reading import check_no_autocast
from torch_ref.numbers.agreement import Tolerance, check_tolerance
from torch_ref.numbers.given import as_gradient
from torch_ref.steps.beside import moved
from torch_ref.steps.chain import Chain, Claim
from torch_ref.steps.following import cannot_follow_in
from torch_ref.steps.graph import Graph, place_of
from torch_ref.steps.step import Failure
from torch_ref.verdict.chain import judged_of, power_of_all, rows_of_chain
from torch_ref.verdict.measured import Measured, rows_of_measured
from torch_ref.verdict.report import Report
from torch_ref.verdict.row import Row

SAME = {torch.float64: 1e-9, torch.float32: 1e-4}
"""How near, of its size, the loss has to come when it is followed."""

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
    with attributes, an ``nn.Module``, one array or tensor; numbers are arrays too. ``gradients`` are +∂L/∂parameter,
    however they were computed, in a container of the same names (``W1`` or ``dW1``, ``grad_W1``, ``W1_grad``), or in
    the same order.

    Code of numpy is followed by autograd as it is. Where it cannot be followed, as where an array is written into
    ``np.zeros``, central differences of the loss take its place, of some hundred entries at random of large
    arrays; a remark says so. The report has a row 'gradient of W1' for each parameter that has a gradient; what has
    none is in ``not_compared``. Where inside a backward pass the mistake is, ``check_chain`` and ``check_lines`` say.

    ``tolerance``, ``strict`` and ``power`` are those of ``check_function``. The parameters come out as they went in.

    Raises TypeError where ``loss`` cannot be called or returns no number, or there are no parameters or gradients;
    ValueError where names and order of the two do not fit, the loss changes its parameters, draws random numbers or is
    not finite; RuntimeError under autocast. What ``loss`` raises is raised as it is.
    """
    check_tolerance(tolerance)
    check_no_autocast()
    if not callable(loss):
        raise TypeError(f"{OWNER} expects a loss that can be called without arguments, got {described(loss)}")
    with numbers_as_arrays(parameters, gradients), torch.inference_mode(mode=False):
        given = matched(OWNER, parameters, gradients)
        read = ReadLoss(loss, parameters, given.parameters)
        return Asked(read, given, read.checked()).report(tolerance, strict=strict, power=power)


@dataclass
class Asked:
    """A loss, its parameters, and what was found out about them."""

    loss: ReadLoss
    given: Matched
    value: float
    """Of the loss."""
    why: str = ""
    """Why autograd cannot follow; '' where it can."""

    @property
    def parameters(self) -> Mapping[str, Array]:
        """Return the parameters by name."""
        return self.given.parameters

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
            root, leaves = self.loss.root({})
        except Exception as error:  # of somebody's code, inside of which CannotFollow may have become another error
            raised = f"followed by autograd it raises {type(error).__name__}: {error}"
            self.why = str(cannot_follow_in(error) or raised)
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
            """Return the same with the parameters moved a little: all up, all down, each alone, then at random."""
            generator = torch.Generator().manual_seed(draw)
            alone = list(leaves)[(draw - 2) // 2 : draw // 2] if draw > 1 else []
            chosen = [name for name in leaves if name in (alone or leaves)]
            there, other = self.loss.root({n: moved(leaves[n], draw % 2 if alone else draw, generator) for n in chosen})
            claims = [replace(claim, places=(place_of(other[claim.name]),)) for claim in reached]
            return Chain([(there, torch.ones_like(there))], claims, strict=strict)

        return Chain([(root, torch.ones_like(root))], reached, tolerance=tolerance, strict=strict, nearby=nearby)

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
        """Tell whether the slope of the loss speaks against what autograd gave."""
        name = row.quantity.removeprefix(PREFIX)
        return self.loss.speaks_against(name, chain.alone[name][0].witness.exact)

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
        found = self.loss.differences(name, most)
        indices, values, uncertainties = map(torch.as_tensor, (found.indices, found.values, found.uncertainties))
        return Measured(name, like, by_hand, failure, indices, values, uncertainties)

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
