"""Which names a function mentions, and the functions that it calls: variables, attributes, and keys of dicts."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from typing import Any

from torch_ref.lines.places import NOT_THEIRS
from torch_ref.lines.trace import code_of


def names_in(function: Callable[..., Any]) -> set[str]:
    """Return the names in the code of a function, and in that of the functions of the same author that it names."""
    scopes = _scopes(function)
    found, waiting = set[str](), [code_of(function)]
    seen = set[types.CodeType]()
    while waiting:
        code = waiting.pop()
        if code in seen:
            continue
        seen.add(code)
        mine = {*code.co_varnames, *code.co_names, *code.co_freevars, *_texts(code.co_consts)}
        found |= mine
        waiting += [one for one in code.co_consts if isinstance(one, types.CodeType)]
        called = [scope[name] for name in mine for scope in scopes if name in scope]
        waiting += [other.__code__ for other in called if _is_theirs(other)]
    return found


def _scopes(function: Any) -> list[dict[str, Any]]:
    """Return where the names in a function may be found: in its global variables, and in the class of its object."""
    owner = type(getattr(function, "__self__", function))
    methods = {name: part for one in reversed(owner.__mro__) for name, part in vars(one).items()}
    return [getattr(function, "variables", {}), getattr(function, "__globals__", {}), methods]


def _texts(constants: Any) -> Iterator[str]:
    """Yield the texts among constants, of which the keys of a dict may be a tuple."""
    for constant in constants:
        if isinstance(constant, str) and constant.isidentifier():
            yield constant
        elif isinstance(constant, tuple):
            yield from _texts(constant)


def _is_theirs(value: Any) -> bool:
    return isinstance(value, types.FunctionType) and (value.__module__ or "").split(".")[0] not in NOT_THEIRS
