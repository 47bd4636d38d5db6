"""Right programs of many kinds with mistakes that no catalogue knows: what the causes that are named are worth."""

from __future__ import annotations

from torch_ref.trial.unknown import (
    activations,
    algebra,
    attention,
    classes,
    convolution,
    directions,
    distances,
    gates,
    linear,
    lookups,
    networks,
    norms,
    recurrent,
    reductions,
)
from torch_ref.trial.unknown.program import Program

FILES = (
    activations,
    gates,
    linear,
    networks,
    norms,
    directions,
    classes,
    distances,
    attention,
    lookups,
    recurrent,
    convolution,
    algebra,
    reductions,
)
PROGRAMS: tuple[Program, ...] = tuple(one for file in FILES for one in file.PROGRAMS)
