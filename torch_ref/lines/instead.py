"""Other values in place of an expression of somebody's backward, while it runs.

Every expression is wrapped once, ``f(x)`` becomes ``__instead__(f(x), __variables__())``, and the function is compiled
once for each. What may stand for its value is then computed from the variables that it has there: another one of the
same shape, the value times another, or its square.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch_ref.lines.expressions import Known, Mend, Place, Suspected, parsed, places_of
from torch_ref.lines.remade import remade
from torch_ref.lines.source import Scope

INSTEAD, VARIABLES = "__instead__", "__variables__"


@dataclass(slots=True)
class Hook:
    """Is called with the value of one expression, and the variables there. It is no data: nobody looks into it."""

    globals: Mapping[str, Any]
    change: Change | None = None
    value: Any = None
    """The first one, of an expression in a loop."""
    variables: dict[str, Any] = field(default_factory=dict)

    def __deepcopy__(self, memo: dict[int, Any]) -> Hook:
        """Return itself: a copy of the function asks the same."""
        return self

    def __call__(self, value: Any, variables: dict[str, Any]) -> Any:
        """Return the value, or what stands for it."""
        if self.value is None:
            self.value, self.variables = value, {**variables}  # the other is filled up as the function goes on
        return value if self.change is None else self.change(value, self.globals, variables)


Change = Callable[[Any, Mapping[str, Any], Mapping[str, Any]], Any]


class Other(NamedTuple):
    """What may be meant in place of a value."""

    code: str
    text: str
    change: Change


AS_ARGUMENT = {"factor": "wrong-argument", "part-missing": "term-missing", "wrong-sign": "wrong-argument"}
"""What a mistake is in the argument of a function."""


@dataclass(frozen=True)
class Wrapped:
    """A function in which one expression has a hook."""

    place: Place
    function: Callable[..., Any]
    hook: Hook
    known: Known

    def mend(self, other: Other) -> Mend:
        """Return a change in words."""
        place, code = self.place, other.code
        if place.is_compared and not place.is_in_index:
            code = "wrong-mask"
        elif place.is_argument:
            code = AS_ARGUMENT.get(code, code)
        return Mend(code, *place.texts(parsed(other.text)))


def wrapped(function: Callable[..., Any], scope: Scope, known: Known, suspected: Suspected) -> Iterator[Wrapped]:
    """Yield a function with a hook in each of its expressions in turn."""
    names = getattr(getattr(function, "__func__", function), "__globals__", {})
    for place in places_of(scope):
        if not place.is_within(suspected) or not _may_be_another(place):
            continue
        hook = Hook(names)
        new = ast.Call(_name(INSTEAD), [place.node, ast.Call(_name(VARIABLES), [], [])], [])
        ast.copy_location(new, place.node)
        ast.fix_missing_locations(new)
        place.put(new)
        try:
            found = remade(function, scope, {INSTEAD: hook, VARIABLES: builtins.locals})
        except (SyntaxError, ValueError):
            found = None
        finally:
            place.put(place.node)
        if found is not None:
            yield Wrapped(place, found, hook, known)


def _name(text: str) -> ast.Name:
    return ast.Name(text, ast.Load())


def _may_be_another(place: Place) -> bool:
    node, holder = place.node, place.holder
    if isinstance(node, ast.Constant | ast.Slice | ast.Tuple | ast.List | ast.Starred):
        return False
    if place.is_axis or (isinstance(holder, ast.Call) and place.name == "func"):
        return False
    return not (isinstance(holder, ast.Attribute) and holder.attr in ("dtype", "device"))
