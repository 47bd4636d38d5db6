"""The likely cause of a wrong formula, read from the numbers that it gave.

Every known mistake is a formula of its own: with the inputs at hand it says what *would* come out. The one that
gives just the numbers seen is the likely cause. Where none does, the pattern of the difference is described, and
where there is no pattern, nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from manual_bp import Linear, ReLU, Sigmoid, SoftmaxCrossEntropy, SquaredError, Tanh
from torch_ref.known.causes import activation, linear, loss
from torch_ref.known.causes.general import additions, factor_of, misplaced, plain, share_of
from torch_ref.known.causes.place import NO_PATTERN, described
from torch_ref.known.causes.scene import Candidate, Scene

__all__ = ["NO_PATTERN", "Scene", "likely_cause"]

SPECIAL: dict[tuple[type, str], Callable[[Scene], Iterator[Candidate]]] = {
    (Linear, "forward"): linear.of_forward,
    (Linear, "error"): linear.of_error,
    (Linear, "weight"): linear.of_weight,
    (Linear, "bias"): linear.of_bias,
    (Sigmoid, "forward"): activation.of_forward,
    (Sigmoid, "error"): activation.of_error,
    (Tanh, "forward"): activation.of_forward,
    (Tanh, "error"): activation.of_error,
    (ReLU, "forward"): activation.of_forward,
    (ReLU, "error"): activation.of_error,
    (SquaredError, "forward"): loss.of_squared_error,
    (SquaredError, "error"): loss.of_error,
    (SoftmaxCrossEntropy, "forward"): loss.of_cross_entropy,
    (SoftmaxCrossEntropy, "output"): loss.of_softmax,
    (SoftmaxCrossEntropy, "error"): loss.of_error,
}


def likely_cause(scene: Scene) -> str:
    """Return the cause in a few words."""
    special = list(_special(scene))
    for name, candidate in [*plain(scene), *special, *misplaced(scene)]:
        if scene.fits(candidate):
            return name
    for name, direction in additions(scene):
        if (share := share_of(scene, direction)) is not None:
            return name.format(share=share)
    if (factor := factor_of(scene, scene.right)) is not None:
        return f"a constant factor of {factor:.6g}"
    for name, candidate in special:
        if (factor := factor_of(scene, candidate)) is not None:
            sign = ", and the sign is wrong" if factor == -1 else f", and a factor of {factor:.6g}"
            return name + sign
    return described(scene)


def _special(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes of the formula's own kind; somebody's own function gets those of an activation."""
    kinds = [kind for (kind, makes) in SPECIAL if isinstance(s.owner, kind) and makes == s.makes]
    for kind in kinds:
        yield from SPECIAL[kind, s.makes](s)
    lecture = (Linear, Sigmoid, Tanh, ReLU, SquaredError, SoftmaxCrossEntropy)
    if not kinds and not isinstance(s.owner, lecture) and s.makes not in ("forward", "output"):
        yield from activation.of_unknown_error(s)
