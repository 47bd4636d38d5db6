"""Which parameters of a backward are the gradients of forward's outputs, and of which output each is."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Container, Sequence
from typing import Any

import numpy as np

from torch_ref.lines.names import WORDS, is_bare, named_after
from torch_ref.lines.places import followed, is_array, is_value

UPSTREAM = re.compile(
    r"d_?(?:out|y|L|l|loss|J|next|a)|grad_?(?:out|outputs?)?|out(?:put)?_grad|upstream(?:_grad(?:ient)?)?|gradient|g|d|"
    r"delta|error|dL_?d_?(?:out|y)"
)
"""What the gradient of the output is called."""

CACHE = re.compile(r"caches?|ctx|context|saved|memory|tape|state|intermediates|activations|stored|memo|residuals")
"""What forward's values for backward are called."""

OUTPUT = ("loss", "L", "cost", "J", "total_loss", "out", "output", "y", "logits", "scores", "probs", "y_pred", "y_hat")
"""What the output of a forward pass is called, the surest first."""

OTHERS = re.compile(r"dims?|dilation|dtype|device|diag|diagonal|digits?|dead|debug|decoded|g[a-z]?\d*")
"""Names that look like those of a gradient, and are none."""

GENERAL = frozenset({"next", "new", "prev", "last", "now", "out", "output", "grad", "t", "n"})
"""Parts of names that say nothing of the value."""


def parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the parameters by which something can be given; none where a function does not say."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p for p in found if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def upstream_of(parameters: Sequence[inspect.Parameter], known: Container[str], outputs: int, arrays: int) -> list[str]:
    """Return the parameters that are gradients of outputs; ``known`` are the names of values.

    The gradient of something that nobody knows is one where there are ``arrays`` enough among the outputs.
    """
    sure = [p.name for p in parameters if _is_sure(p.name, known)]
    found = [p.name for p in parameters if p.name in sure or _may_be_one(p, known)]
    if len(found) <= arrays:
        return found
    usual = [name for name in sure if UPSTREAM.fullmatch(name)]
    return usual if len(sure) > outputs >= len(usual) > 0 else sure


def _is_sure(name: str, known: Container[str]) -> bool:
    if name in known:
        return False
    return UPSTREAM.fullmatch(name) is not None or any(of in known or of in OUTPUT for of in named_after(name))


def _may_be_one(p: inspect.Parameter, known: Container[str]) -> bool:
    if p.name in known or CACHE.fullmatch(p.name) or p.default not in (p.empty, None):
        return False
    first = p.name.split("_")[0]
    is_word = OTHERS.fullmatch(first) or (first != "delta" and WORDS.fullmatch(first))
    return not is_word and _is_gradient(p.name)


def _is_gradient(name: str) -> bool:
    return is_bare(name) or any(named_after(name))


def count_of_outputs(parts: Sequence[Any], names: Sequence[str]) -> int:
    """Return how many parts of what forward returned may be outputs: the arrays and numbers that it begins with.

    One that is named as a gradient is none.
    """
    ends = (i for i, part in enumerate(parts) if not is_value(part) or (i and _is_gradient(names[i])))
    return next(ends, len(parts))


def count_of_arrays(outputs: Sequence[Any]) -> int:
    """Return how many outputs there are up to the first that is no array; of a loss nothing after it counts."""
    ends = (i for i, part in enumerate(outputs) if i and not _is_output(part))
    return 1 if math.prod(np.shape(outputs[0])) == 1 else next(ends, len(outputs))


def _is_output(part: Any) -> bool:
    tensor = followed(part)
    return is_array(part if tensor is None else tensor)


def shared_out(names: Sequence[str], outputs: Sequence[str]) -> dict[str, int]:
    """Return of which output each gradient is: by its name, by one that is akin, the others in order."""
    exact = {name: outputs.index(of) for name in reversed(names) for of in named_after(name) if of in outputs}
    if len(exact) == len(names) or len(names) > len(outputs):
        return exact if len(exact) == len(names) else {}
    found = dict(exact)
    for name in (name for name in names if name not in found):
        akin = [n for n, output in enumerate(outputs) if n not in found.values() and _are_akin(name, output)]
        if len(akin) == 1:
            found[name] = akin[0]
    free = [n for n in range(len(outputs)) if n not in found.values()]
    return found | dict(zip([name for name in names if name not in found], free, strict=False))


def _are_akin(name: str, output: str) -> bool:
    """Tell whether a gradient may be that of an output: dc_next of next_c, dc of cell."""
    mine = {part for of in named_after(name) for part in of.split("_")} - GENERAL
    its = set(output.split("_")) - GENERAL
    return any(a.startswith(b) or b.startswith(a) for a in mine for b in its if a and b)
