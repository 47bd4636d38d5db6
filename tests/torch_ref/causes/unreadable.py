"""Functions whose source nobody can read: what they do wrong has to be found in the numbers alone."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any


def unreadable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the same function without its source."""
    assert isinstance(function, FunctionType)
    function.__code__ = function.__code__.replace(co_filename="<nowhere>")
    return function
