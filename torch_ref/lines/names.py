"""How people name gradients: dW1, d_W1, grad_W1, W1_grad, nabla_W1, delta_W1, dL_dW1, grads['W1'], self.dW."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from functools import lru_cache
from typing import NamedTuple

SHAPES = (
    r"(?:d|grad_?)(?:[LJEC]|loss|cost|out)_?(?:d|wrt)_?(?P<of>\w+)",
    r"d_?(?:loss|cost)_(?P<of>\w+)",
    r"(?:grads?|gradient|nabla|delta|error)_?(?:of_|wrt_)?(?P<of>\w+)",
    r"(?P<of>\w+?)_(?:grads?|gradient|delta|bar|error)",
    r"(?P<of>\w+?)grad",
    r"[dD]_?(?P<of>\w+)",
    r"g_?(?P<of>[A-Z]\w*|[a-z]\d*)",
)
"""How a gradient is named after the value it is of, the surest first."""

CONTAINERS = re.compile(
    r"(?:d|g|d_?params?|d_?parameters?|derivatives?|(?:grads?|gradient|nabla|delta)\w*|\w+_grads?|d_\w+|d[A-Z]\w*)$"
)
"""What holds gradients under the names of their values."""

BARE = re.compile(r"delta|grads?|gradient|error|err|d|g|dout|d_out|dnext|upstream|grad_out|grad_output|out_grad")
"""What the gradient of whatever comes next is called, again and again."""

RATE = re.compile(r"_*(?:learn(?:ing)?_?)?(?:rate|lr|eta|alpha|step(?:_?size)?)_*", re.IGNORECASE)
"""What a learning rate is called."""

WORDS = re.compile(
    r"(?i:delta|diffs?|differences?|dists?|distances?|denom|denominators?|deriv|derivatives?|data|drop|dropout|decay|dot"
    r"|double|depth|directions?|density|domain|duration|degrees?|damping|discount)_?\d*"
)
"""Names that begin with a d of their own: diff is no gradient of iff."""

MOST_KEPT = 4096
"""Names and places whose parts are kept: the same few are asked for again and again."""

LONG = {"w": ("weights", "weight", "W"), "b": ("biases", "bias", "B")}
"""Longer names for short ones, as nabla_w for weights."""


class Path(NamedTuple):
    """A place in parts: of ``self.layers[2].dW`` the name is dW, before it stands self.layers[2], behind it nothing."""

    before: str
    name: str
    behind: str


@lru_cache(MOST_KEPT)
def path_of(place: str) -> Path:
    """Return a place in parts; a key that is a text counts as a name, an index does not."""
    keys = re.sub(r"\['([\w.]+)'\]", r".\1", place)  # a key is a name, and may be one in parts: 'fc1.weight'
    parts = re.findall(r"\[[^\]]*\]|\.?\w+", keys)
    last = max((i for i, part in enumerate(parts) if not _is_index(part)), default=0)
    name = parts[last].strip(".[]'\"") if parts else ""
    return Path("".join(parts[:last]), name, "".join(parts[last + 1 :]))


def _is_index(part: str) -> bool:
    return part.startswith("[") and not part.startswith(("['", '["'))


def named_after(name: str) -> Iterator[str]:
    """Yield the names of the values that something may be the gradient of, the surest first."""
    return iter(_named_after(name))


@lru_cache(MOST_KEPT)
def _named_after(name: str) -> tuple[str, ...]:
    if BARE.fullmatch(name):
        return (name[1:],) if name == "dout" else ()
    if WORDS.fullmatch(name):
        return ()
    found = [match["of"].strip("_") for shape in SHAPES if (match := re.fullmatch(shape, name))]
    return tuple(dict.fromkeys(filter(None, found)))


def values_of(place: str) -> Iterator[Path]:
    """Yield where the value may stand that a place is named after as its gradient, the surest first.

    An empty ``before`` means anywhere.
    """
    path = path_of(place)
    for of in named_after(path.name):
        yield Path(path.before, of, path.behind)
        for longer in LONG.get(of.lower(), ()):
            yield Path("", longer, path.behind)
    holders = re.findall(r"[A-Za-z_]\w*", path.before)
    if any(one == "return" or CONTAINERS.match(one) for one in holders):
        yield path


def is_bare(place: str) -> bool:
    """Tell whether a variable is a gradient by its name, but does not say of what."""
    return BARE.fullmatch(place) is not None


def is_behind(place: str, others: Container[str]) -> bool:
    """Tell whether a gradient is that of what its namesake is made of, as l2_delta beside l2_error, behind a slope."""
    stem = path_of(place).name.removesuffix("_delta")
    return place.endswith("_delta") and place.removesuffix(f"{stem}_delta") + f"{stem}_error" in others


def is_numbered(place: str) -> bool:
    """Tell whether a variable is a gradient by its name, and has a number, but does not say of what: delta1."""
    return re.fullmatch(r"[dD]elta_?\d+", place) is not None
