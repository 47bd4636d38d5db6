"""Everything that a file or a cell has to check, each with inputs of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from torch_ref.files.find import find
from torch_ref.files.found import Found, NotCheckedError, Settings
from torch_ref.files.inputs import MissingInputsError, NoInputsError, Offered
from torch_ref.files.outcome import Outcome, Outcomes
from torch_ref.files.program import raised


class NothingToCheckError(Exception):
    """There is nothing to check, nothing of a name, or an input that nothing takes."""


@dataclass(frozen=True)
class Source:
    """Names of a file or a notebook, and those that are its own."""

    namespace: Mapping[str, Any]
    own: Collection[str]
    files: Collection[str]
    """Where its code stands: a line of these is named where it raises."""
    explain: Callable[[Found, MissingInputsError], str]
    """Says what to type for inputs that are missing."""


def check(source: Source, names: Sequence[str], offered: Offered, settings: Settings) -> Outcomes:
    """Check what a source has, or what is called by these names; raise NothingToCheckError where that is nothing."""
    own = {*source.own, *(name for name in names if name in source.namespace)}
    found = find(source.namespace, own)
    _check_names(found, names)
    chosen = [one for one in found if not names or {one.name, *one.members} & set(names)]
    _check_inputs(chosen, [*offered.shapes, *offered.values])
    return Outcomes(tuple(_outcome(one, source, offered, settings) for one in chosen))


EXPECTED = (
    "functions NAME_forward and NAME_backward, forward and backward, NAME and d_NAME or NAME_grad, a subclass of "
    "torch.autograd.Function, or a class or object with forward and backward"
)


def _check_names(found: Collection[Found], names: Collection[str]) -> None:
    if not found:
        raise NothingToCheckError(f"nothing to check: expected {EXPECTED}")
    known = {name for one in found for name in (one.name, *one.members)}
    if unknown := [name for name in names if name not in known]:
        has = ", ".join(dict.fromkeys(one.name for one in found))
        raise NothingToCheckError(f"nothing to check that is called {', '.join(unknown)}: there is {has}")


def _check_inputs(found: Collection[Found], given: Collection[str]) -> None:
    """Raise NothingToCheckError for an input that nothing takes: it would be ignored."""
    takes: list[str] = []
    for one in found:
        try:
            takes += (known for name in one.wanted.names for known in (name, f"{one.name}.{name}"))
        except NotCheckedError:
            continue  # whatever it takes, it is not checked
    unknown = [name for name in given if name not in takes]
    if unknown and takes:
        names = ", ".join(dict.fromkeys(name for name in takes if "." not in name))
        raise NothingToCheckError(f"nothing that is checked takes an input {unknown[0]}: the inputs are {names}")


def _outcome(one: Found, source: Source, offered: Offered, settings: Settings) -> Outcome:
    head, inputs = (one.name, one.title, one.place), dict[str, Any]()
    try:
        inputs = offered.inputs(one.name, one.members, one.wanted)
        return Outcome(*head, _shown(inputs), one.check(inputs, settings))
    except MissingInputsError as error:
        return Outcome(*head, {}, None, str(error), source.explain(one, error))
    except (NotCheckedError, NoInputsError) as error:
        return Outcome(*head, _shown(inputs), None, str(error))
    except (Exception, SystemExit) as error:  # whatever somebody's code raises
        return Outcome(*head, _shown(inputs), None, raised(error, source.files))


def _shown(inputs: Mapping[str, Any]) -> dict[str, str]:
    return {name: _of_one(value) for name, value in inputs.items()}


def _of_one(value: Any) -> str:
    """Say what an input is: '4 x 5', '4 x 5 of int64', a number as it is, or its type."""
    if isinstance(value, Tensor | np.ndarray):
        sizes: Sequence[int] = tuple(value.shape)
        kind, usual = str(value.dtype).removeprefix("torch."), "float32" if isinstance(value, Tensor) else "float64"
        return f"{' x '.join(map(str, sizes)) or 'number'}{'' if kind == usual else f' of {kind}'}"
    if isinstance(value, int | float | str | None):
        return f"= {value!r}"
    return type(value).__name__
