"""A table of translations: from a function of numpy to one that takes its parameters in their order, with tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Translation = Callable[..., Any]


class Table(dict[Any, Translation]):
    """Translations by function."""

    def of(self, *functions: Any) -> Callable[[Translation], Translation]:
        """Register a translation of one function, or of several names for one."""

        def register(translation: Translation) -> Translation:
            self.update(dict.fromkeys(functions, translation))
            return translation

        return register
