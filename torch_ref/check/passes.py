"""Two modules at the same parameters, what corresponds in them, and one pass of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from torch_ref.numbers.witness import Tensors
from torch_ref.steps.arguments import Arguments
from torch_ref.steps.kept import copy_of
from torch_ref.steps.modules import Bound, Side, Visit, bound_to, tensors_in, tensors_of
from torch_ref.steps.pairs import Pair, by_place, paired, passed
from torch_ref.steps.parameters import buffers_of, first_names, held, parameters_of
from torch_ref.steps.step import Outputs, can_flow, plain
from torch_ref.steps.submodules import is_innermost, submodules, submodules_of
from torch_ref.steps.upstream import drawn


@dataclass(frozen=True)
class Subject:
    """Two modules, copied, at the parameters of the first."""

    mine: Side
    theirs: Side
    bound: tuple[Bound, Bound]
    """The inputs, as each of them takes them."""
    parameters: Tensors
    required: frozenset[str]
    """The inputs and parameters that require a gradient."""
    paths: dict[str, str]
    """Of the submodules that correspond, the reference's path."""
    buffers: dict[str, str]
    """Of the buffers that correspond, the reference's name."""
    remarks: tuple[str, ...]
    not_compared: dict[str, str]
    """Submodules of the first, each with the reason."""

    @classmethod
    def of(cls, module: nn.Module, reference: nn.Module, inputs: Any, mapping: Mapping[str, str]) -> Subject:
        """Return two modules with what corresponds in them; raise where that cannot be said."""
        found = parameters_of(module, reference, mapping)
        bound = _bound(module, inputs), _bound(reference, inputs)
        buffers = buffers_of(module, reference, mapping)
        first, second = first_names(module), first_names(reference)
        copies = copy_of(module), copy_of(reference)
        given = {other: first[name] for name, other in found.names.items()}
        own = {name: b.detach().clone() for name, b in module.named_buffers()}
        mine = Side(copies[0], first, own)
        theirs = Side(copies[1], {name: given[name] for name in second}, buffers.tensors)
        both = set(tensors_of(bound[0])) & set(held(module))
        if both:
            raise ValueError(
                "check_module expects arguments of forward with other names than the parameters, got "
                f"{', '.join(sorted(both))} as both"
            )
        parameters = {name: plain(p) for name, p in held(module).items() if first[name] == name}
        required = {name for name, p in held(module).items() if p.requires_grad}
        required |= {path for path, t in tensors_of(bound[0]).items() if t.requires_grad}
        remarks = []
        if found.is_doubtful:
            named = ", ".join(f"{n} with {o}" for n, o in found.names.items() if n != o)
            remarks.append(f"the parameters are paired by their shapes, in order: {named}")
        if buffers.alone:
            remarks.append(f"buffers of the reference that keep their own numbers: {', '.join(buffers.alone)}")
        subject = cls(mine, theirs, bound, parameters, frozenset(required), {}, buffers.names, tuple(remarks), {})
        return subject._with_submodules(found.names, mapping)

    def _with_submodules(self, parameters: dict[str, str], mapping: Mapping[str, str]) -> Subject:
        """Return the subject with the submodules that correspond."""
        mine, theirs = self.mine.module, self.theirs.module
        order = tuple(
            self._order(side, bound) for side, bound in zip((self.mine, self.theirs), self.bound, strict=True)
        )
        found = submodules_of(mine, theirs, parameters, mapping, order)  # type: ignore[arg-type]
        without = [path for path in submodules(mine) if path not in found]
        topmost = [path for path in without if not any(path.startswith(f"{other}.") for other in without)]
        why = (
            "no submodule of the reference corresponds to it"
            if submodules(theirs)
            else "the reference has no submodules"
        )
        return replace(self, paths=found, not_compared=dict.fromkeys(topmost, why))

    def _order(self, side: Side, bound: Bound) -> list[str]:
        """Return the innermost submodules in the order of their first calls, or as registered."""
        paths = [path for path, inner in submodules(side.module).items() if is_innermost(inner)]
        given = self.parameters | tensors_of(bound)
        try:
            visit, _ = passed(side, {path: path for path in paths}, bound, given, ())
        except Exception:  # of somebody's forward: what it raises is said later, and the order here has to do
            return paths
        return [*dict.fromkeys(one.path for one in visit.inside)]

    def without(self, dropped: Mapping[str, str]) -> Subject:
        """Return the subject without some of the submodules, which it names with the reasons."""
        paths = {path: other for path, other in self.paths.items() if path not in dropped}
        return replace(self, paths=paths, not_compared=self.not_compared | dict(dropped))

    @property
    def by_path(self) -> tuple[dict[str, str], dict[str, str]]:
        """Return the names of the submodules that correspond, which are those of the first, by each side's path."""
        return {path: path for path in self.paths}, {other: path for path, other in self.paths.items()}


def _bound(module: nn.Module, inputs: Any) -> Bound:
    """Return the inputs under the names that a module gives them; raise TypeError where they are none."""
    inputs = [inputs] if isinstance(inputs, Tensor) else inputs
    Arguments.of(module.forward, inputs)  # it raises what they are wrong about
    if isinstance(inputs, Mapping):
        return bound_to(module, (), inputs)
    return bound_to(module, tuple(inputs), {})


# ------------------------------------------------------------------------------ passes


@dataclass(frozen=True)
class Passes:
    """One pass of each module, and what corresponds in them."""

    subject: Subject
    pair: Pair
    required: frozenset[str]
    draws_alike: bool

    @property
    def buffers(self) -> dict[str, str]:
        """Return the buffers that one of the passes wrote into, by the names of both sides."""
        mine, theirs, before = self.pair.mine.buffers, self.pair.theirs.buffers, self.subject.mine.buffers

        def is_changed(name: str, other: str) -> bool:
            found = mine.get(name), theirs.get(other)
            return all(b is not None for b in found) and any(not _same(b, before[name]) for b in found)

        return {name: other for name, other in self.subject.buffers.items() if is_changed(name, other)}

    @classmethod
    def of(cls, subject: Subject, upstream: Outputs | None) -> Passes:
        """Return the passes; of the submodules those are left out that are called in another way."""
        while True:
            reasons: dict[str, str] = {}
            theirs, state = _reference_pass(subject, upstream)
            mine, own_state = _pass_by_hand(subject)
            pair = paired(theirs, mine or _imitated(theirs, subject.mine.module), reasons)
            if not reasons:
                break
            subject = subject.without(reasons)
        _check_outputs(pair)
        alike = own_state is None or torch.equal(state, own_state)
        return cls(subject, pair, frozenset(_required(subject, pair)), alike)


def _same(after: Tensor | None, before: Tensor) -> bool:
    return after is not None and after.shape == before.shape and torch.equal(after, before)


def _check_outputs(pair: Pair) -> None:
    """Raise ValueError where the modules return another number of tensors, or nothing but empty ones."""
    mine, theirs = ([*tensors_in(visit.output)] for visit in (pair.mine, pair.theirs))
    if by_place(mine, theirs) is None:
        raise ValueError(
            f"check_module expects the two modules to return the same number of tensors, got {len(mine)} and "
            f"{len(theirs)}: wrap one of them in a module that returns what the other does"
        )
    if not any(y.numel() for y in tensors_in(pair.theirs.output).values()):
        raise ValueError("check_module expects inputs with at least one row, got some for which nothing comes out")


def _reference_pass(subject: Subject, upstream: Outputs | None) -> tuple[Visit, Tensor]:
    """Return the pass of the reference; raise what it raises, and say where a dtype or device does not fit."""
    side, bound, inputs = subject.theirs, subject.bound[1], tensors_of(subject.bound[1])
    flowing = {name for name, t in (inputs | subject.parameters).items() if can_flow(t)}
    kinds = {(t.device, t.dtype) for t in [*inputs.values(), *subject.parameters.values()] if can_flow(t)}

    def errors(outputs: Tensors) -> Tensors:
        if upstream is None:
            return dict(zip(outputs, drawn(tuple(outputs.values())), strict=True))
        if [d.shape for d in upstream] != [y.shape for y in outputs.values()]:
            expected, got = ([tuple(t.shape) for t in ts] for ts in (outputs.values(), upstream))
            raise ValueError(f"check_module expects upstream gradients of the outputs' shapes {expected}, got {got}")
        return {path: -plain(d).to(y.dtype) for (path, y), d in zip(outputs.items(), upstream, strict=True)}

    try:
        return passed(side, subject.by_path[1], bound, inputs | subject.parameters, flowing, errors)
    except RuntimeError as error:
        if len(kinds) > 1:
            named = " and ".join(sorted(f"{dtype} on {device}" for device, dtype in kinds))
            raise ValueError(
                f"check_module expects inputs and parameters of one dtype on one device, got {named}: {error}"
            ) from error
        raise


def _pass_by_hand(subject: Subject) -> tuple[Visit | None, Tensor | None]:
    """Return the handwritten pass; None where it breaks off."""
    given = tensors_of(subject.bound[0]) | subject.parameters
    flowing = {name for name, t in given.items() if can_flow(t)}
    try:
        return passed(subject.mine, subject.by_path[0], subject.bound[0], given, flowing)
    except (Exception, SystemExit):  # of somebody's forward: its step says so
        return None, None


def _imitated(visit: Visit, module: nn.Module) -> Visit:
    """Return how a module would be called that breaks off: as the reference is."""
    try:
        bound = bound_to(module.get_submodule(visit.path), visit.bound.args, visit.bound.kwargs)
    except TypeError:  # it takes other arguments: calling it says so
        bound = visit.bound
    return replace(visit, bound=bound, inside=[_imitated(one, module) for one in visit.inside])


def _required(subject: Subject, pair: Pair) -> set[str]:
    """Return the names of what requires a gradient where inputs and parameters do only if they say so."""
    inputs = tensors_of(subject.bound[1])
    names = {other: path for path, other in pair.inputs.items()}
    asked = {other for other in inputs if names.get(other, other) in subject.required}
    flowing = asked | (subject.parameters.keys() & subject.required)
    honest, _ = passed(subject.theirs, subject.by_path[1], subject.bound[1], inputs | subject.parameters, flowing)
    visits = {(visit.path, visit.number): visit for visit in honest.walk()}
    found = set(subject.required)
    for one in pair.walk():
        visit = visits[one.theirs.path, one.theirs.number]
        found |= {one.shown_input(path) for path, other in one.inputs.items() if other in visit.flowing}
        found |= {one.shown_output(path) for path, other in one.outputs.items() if other in visit.flowing_out}
    return found
