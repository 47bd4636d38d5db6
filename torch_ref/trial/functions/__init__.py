"""Functions that the checker has never seen: right ones of many kinds, and the faults that are planted in them."""

from torch_ref.trial.functions import (
    activations,
    algebra,
    attention,
    complexes,
    convolution,
    distances,
    habits,
    indexing,
    kernels,
    losses,
    norms,
    recurrent,
    softmax,
    sums,
)
from torch_ref.trial.functions.kind import Draw, Fault, Kind

FAMILIES = (
    norms,
    softmax,
    losses,
    activations,
    indexing,
    convolution,
    attention,
    sums,
    recurrent,
    distances,
    algebra,
    complexes,
    kernels,
    habits,
)
KINDS: dict[str, Kind] = {kind.name: kind for family in FAMILIES for kind in family.KINDS}

__all__ = ["KINDS", "Draw", "Fault", "Kind"]
