"""Where following ends: never silently, always with the operation."""

from __future__ import annotations


class CannotFollow(Exception):  # noqa: N818 - it is what happened, and no mistake of anybody's
    """An operation on a followed array whose result would no longer know where it comes from.

    ``operation`` is what was called: 'np.median', 'float()', 'scipy.special.softmax'.
    """

    def __init__(self, operation: str, why: str) -> None:
        """Take the operation and the rest of the sentence."""
        super().__init__(f"{operation} cannot be followed: {why}")
        self.operation, self.why = operation, why
