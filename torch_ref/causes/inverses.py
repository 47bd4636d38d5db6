"""What may be wrong in the derivative of an inverse, of a solution, of a determinant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from torch_ref.causes.rewrites import Codes, Mistake, Site
from torch_ref.steps.program import Call, Rewrite


def of_inverse(site: Site) -> Iterator[Mistake]:
    """Yield that a matrix is not transposed, not inverted, or another one."""
    only = Codes("transposed-weights", "", "")
    missing, other = only._replace(derivative="weights-missing"), only._replace(derivative="another-tensor")
    if site.name == "inverse":
        for left, right, text in ((1, 0, "the first"), (0, 1, "the second"), (1, 1, "neither")):
            said = f"−Aᵀ⁻¹ d Aᵀ⁻¹ is the derivative of an inverse: {text} of the two is transposed"
            yield Mistake(only, said, site.everywhere(_inverse(left, right)))
    if site.name == "solve":
        for codes, text, function in (
            (only, "the matrix is not transposed where the solution goes back", _solve(transposed=False)),
            (only, "the solution is not transposed in the gradient of the matrix", _solve(x_of=lambda a, b, x: x.mT)),
            (other, "the right side stands for the solution", _solve(x_of=lambda a, b, x: b)),
            (missing, "what came from above stands for what came through the matrix", _solve(through=False)),
        ):
            yield Mistake(codes, text, site.everywhere(function))
    if site.name in ("logdet", "det", "linalg_det"):
        for codes, text, slope in (
            (only, "the inverse is not transposed", lambda a: a.inverse()),
            (missing, "the matrix stands for its inverse", lambda a: a),
            (missing, "the inverse is missing", lambda a: torch.eye(a.shape[-1], dtype=a.dtype).expand(a.shape)),
        ):
            yield Mistake(codes, text, site.everywhere(_determinant(slope)))


def _inverse(left: int, right: int) -> Rewrite:
    def rewrite(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        a, x = args[0], args[0].detach().inverse()
        return -((x.mT if left else x) @ a @ (x.mT if right else x))

    return rewrite


def _solve(
    *, transposed: bool = True, through: bool = True, x_of: Callable[..., Tensor] = lambda a, b, x: x
) -> Rewrite:
    def rewrite(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        a, b = args[:2]
        fixed = a.detach() if transposed else a.detach().mT
        x = x_of(a, b, torch.linalg.solve(a, b)).detach()
        return torch.linalg.solve(fixed, b) - (torch.linalg.solve(fixed, a @ x) if through else a @ x)

    return rewrite


def _determinant(slope: Callable[[Tensor], Tensor]) -> Rewrite:
    def rewrite(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        found = (slope(args[0].detach()) * args[0]).sum((-2, -1))
        return found if call.name == "logdet" else found * call.function(*args).detach()

    return rewrite
