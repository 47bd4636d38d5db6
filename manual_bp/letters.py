"""Letters that an output cannot encode, written in those that it can: delta^1 for δ^1 where there is only ASCII."""

from __future__ import annotations

import codecs
import io
import sys
from typing import TextIO

# fmt: off
IN_ASCII = {
    "δ": "delta", "∂": "d", "σ": "sigma", "Σ": "sum", "η": "eta", "ε": "eps", "β": "beta", "γ": "gamma",
    "λ": "lambda", "μ": "mu", "µ": "mu", "θ": "theta", "π": "pi", "φ": "phi", "τ": "tau", "Δ": "Delta",
    "′": "'", "−": "-", "·": "*", "×": "x", "±": "+/-", "√": "sqrt", "∞": "inf", "≤": "<=", "≥": ">=", "≈": "~",
    "→": "->", "←": "<-", "²": "^2", "³": "^3", "½": "1/2", "ᵀ": "^T", "‖": "||", "⊙": "*", "∑": "sum",
    "…": "...", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "✗": "x", "✓": "ok", "▶": ">",
    "█": "#", "▀": "#", "▄": "#", "─": "-", "━": "-", "│": "|", "╸": "-", "╺": "-", "•": "*",
}
# fmt: on
"""What is written for a letter; any other is written as a code, \\u20ac."""

SPELT = "manual_bp.spelt"
"""The name of the codec error handler, for ``errors=``."""


def _spelt(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(IN_ASCII.get(c) or c.encode("ascii", "backslashreplace").decode() for c in letters), error.end


codecs.register_error(SPELT, _spelt)


def takes(text: str, stream: TextIO | None) -> bool:
    """Tell whether a stream's encoding has every letter of a text; one without an encoding takes everything."""
    encoding = getattr(stream, "encoding", None)
    try:
        text.encode(encoding or "utf-8", "surrogatepass" if not encoding else "strict")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def codes_in_json(stream: TextIO | None) -> bool:
    """Tell whether JSON for a stream has to write δ and the like as codes."""
    return not takes("δ∂σ", stream)


def spelt(text: str, stream: TextIO | None) -> str:
    """Return a text as a stream can write it."""
    if takes(text, stream):
        return text
    encoding = getattr(stream, "encoding", None) or "ascii"
    try:
        return text.encode(encoding, SPELT).decode(encoding)
    except LookupError:  # an encoding that Python does not know
        return text.encode("ascii", SPELT).decode("ascii")


def spell_output() -> None:
    """Let what this program prints never fail for a letter that the terminal or pipe does not have."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=SPELT)
