"""Text that came from a student, as every file can hold it."""

from __future__ import annotations

import re

UNWRITABLE = re.compile("[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no place for, and with it control characters and halves of letters, which UTF-8 has none for."""


def plain(text: str) -> str:
    """Return a text with � in the place of every character that XML or UTF-8 cannot hold."""
    return UNWRITABLE.sub("\ufffd", text.replace("\r\n", "\n"))
