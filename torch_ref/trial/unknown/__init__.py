"""Right programs of many kinds with mistakes that no catalogue knows: what the causes that are named are worth."""

from __future__ import annotations

from torch_ref.trial.unknown import (
    activations,
    algebra,
    alignments,
    attention,
    cameras,
    cells,
    channels,
    classes,
    contrasts,
    convolution,
    coursework,
    densities,
    directions,
    distances,
    dynamics,
    filters,
    gates,
    gatherings,
    geometry,
    heads,
    linear,
    lookups,
    mixers,
    networks,
    norms,
    numerics,
    objectives,
    physics,
    pools,
    rankings,
    recurrent,
    reductions,
    scalers,
    signals,
    splats,
    tables,
    unrolled,
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
NEW_FILES = (
    objectives,
    alignments,
    channels,
    cells,
    heads,
    filters,
    pools,
    geometry,
    densities,
    dynamics,
    signals,
)
"""Written later, without a look at how causes are found; none of their mistakes is shown."""
NEWEST_FILES = (
    cameras,
    splats,
    contrasts,
    rankings,
    mixers,
    scalers,
    coursework,
    unrolled,
    tables,
    gatherings,
    physics,
    numerics,
)
"""Written later still, in the same way."""

NEW: tuple[Program, ...] = tuple(one for file in NEW_FILES for one in file.PROGRAMS)
NEWEST: tuple[Program, ...] = tuple(one for file in NEWEST_FILES for one in file.PROGRAMS)
PROGRAMS: tuple[Program, ...] = (*(one for file in FILES for one in file.PROGRAMS), *NEW, *NEWEST)
