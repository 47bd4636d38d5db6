"""Pairs as a chain, after all that is known of how people write."""

from __future__ import annotations

from torch_ref.lines.bare import with_bare, without_wrong_guess
from torch_ref.lines.chained import Chained
from torch_ref.lines.handed_on import with_handed_on
from torch_ref.lines.left_out import with_left_out
from torch_ref.lines.order import with_order
from torch_ref.lines.pairing import Backward, Pairing
from torch_ref.lines.scale import scaled
from torch_ref.lines.shifted import with_shifted
from torch_ref.lines.subject import Read
from torch_ref.numbers.agreement import Tolerance


def judged(seen: Read, found: Backward, pairing: Pairing, *, tolerance: Tolerance | None, strict: bool) -> Chained:
    """Return the pairs of a forward and a backward, each to be judged by those behind it."""
    chained = Chained(seen.roots, seen.values, found, pairing.pairs, tolerance, strict, beside=seen.beside)
    chained = scaled(with_order(without_wrong_guess(with_bare(chained))))
    return with_left_out(with_shifted(with_handed_on(chained)).without_misnamed())
