"""An operation that is left out, or one of its operands: a factor, a term, a constant, a mask, a way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from torch_ref.causes.entrywise import ENTRYWISE
from torch_ref.causes.rewrites import Codes, Mistake, Site, argument, with_argument
from torch_ref.steps.program import Call, Program, Rewrite

OF_ONE = {
    "softmax": Codes("softmax-not-differentiated", "softmax-missing", "softmax-missing"),
    "log_softmax": Codes("term-missing", "softmax-missing", "softmax-missing"),
    "relu": Codes("wrong-mask", "wrong-mask", "another-tensor"),
    "leaky_relu": Codes("wrong-mask", "wrong-mask", "another-tensor"),
    "clamp": Codes("wrong-mask", "wrong-mask", "another-tensor"),
    "hardtanh": Codes("wrong-mask", "wrong-mask", "another-tensor"),
    "sqrt": Codes("slope-missing", "wrong-power", "wrong-power"),
    "square": Codes("slope-missing", "wrong-power", "wrong-power"),
    "pow": Codes("slope-missing", "wrong-power", "wrong-power"),
    "log": Codes("slope-missing", "wrong-logarithm", "wrong-logarithm"),
    "log1p": Codes("slope-missing", "wrong-logarithm", "wrong-logarithm"),
    "neg": Codes.all("wrong-sign"),
    "cumsum": Codes.all("step-missing"),
    "cumprod": Codes.all("step-missing"),
    "flip": Codes.all("shifted"),
    "roll": Codes.all("shifted"),
    "tril": Codes.all("wrong-mask"),
    "triu": Codes.all("wrong-mask"),
}
"""By name; of others it is the derivative, a term, or another tensor."""

OTHERS = Codes("slope-missing", "term-missing", "another-tensor")

LAYOUT = frozenset({"clone", "detach", "contiguous", "view", "reshape", "to", "double", "float", "expand", "abs"})

NOT_ENTRYWISE = frozenset({"matmul", "einsum", "softmax", "log_softmax", "cumsum", "solve", "roll", "flip"})

CURVED = ENTRYWISE | {"pow", "div", "rdiv"}

SUMS, FACTORS, CHOICES = ("add", "sub", "rsub"), ("mul",), ("where", "masked_fill", "maximum", "minimum", "max", "min")


def of_left_out(site: Site) -> Iterator[Mistake]:
    """Yield that an operation is left out, or one of its operands."""
    out, operands = site.out, site.operands
    if out is None or site.call.is_in_place or "get" in site.name:
        return
    floats = [(path, t) for path, t in operands if t.is_floating_point() or t.is_complex()]
    if len(operands) == 1 and len(floats) == 1 and site.name not in (*SUMS, *FACTORS, "div", "rdiv", *CHOICES):
        (path, t) = floats[0]
        if t.shape == out.shape and site.name not in LAYOUT:
            codes, whole = OF_ONE.get(site.name, OTHERS), site.everywhere(_argument(path))
            only = Codes(codes.derivative, "", "")
            yield Mistake(only, f"the derivative of the {site.name} is missing", whole)
            yield Mistake(codes._replace(derivative=""), f"the {site.name} is left out", whole)
    if site.name == "abs":
        yield Mistake(Codes("", "term-missing", ""), "the abs is left out", site.everywhere(_argument(floats[0][0])))
    if site.name in SUMS or site.name in FACTORS or site.name in ("div", "matmul", *CHOICES):
        yield from _of_operands(site, out, floats)


def _of_operands(site: Site, out: Tensor, floats: list[tuple[tuple[int, ...], Tensor]]) -> Iterator[Mistake]:
    for path, t in floats:
        if path == (0,) and site.name == "rsub":
            continue
        if site.name == "div" and path != (0,):
            continue
        if site.name == "matmul" and t.shape != out.shape:
            continue
        others = [arg for i, arg in enumerate(site.call.args) if (i,) != path]
        other = next((v for p, v in floats if p != path), None)
        number = next((arg for arg in others if isinstance(arg, int | float)), None)
        codes, text = _said(site, other, number)
        if site.name in FACTORS and t.numel() < out.numel():  # the same number for all entries tells too little
            codes = codes._replace(value="")
        yield Mistake(codes, text, site.everywhere(_argument(path, out.shape)))


def _said(site: Site, other: Tensor | None, number: float | None) -> tuple[Codes, str]:
    """Return the codes and the sentence for the other operand, which is left out."""
    if site.name in CHOICES:
        return Codes.all("wrong-mask"), f"the mask of the {site.name} is missing"
    if site.name in SUMS:
        what = f"the constant {number:g}" if number is not None else _named(other)
        return Codes("part-missing", "term-missing", "term-missing"), f"of a sum {what} is left out"
    is_input = other is not None and other.is_leaf and other.requires_grad
    if number is not None or (other is not None and not other.ndim and not (is_input and other.is_complex())):
        shown = f"{number:g}" if number is not None else _named(other)
        codes = Codes("slope-miswritten" if _is_of_a_slope(site) else "factor", "wrong-argument", "wrong-argument")
        return codes, f"the factor {shown} of the {site.name} is left out"
    first, *rest = [t for _, t in site.operands]
    if len(rest) == 1 and rest[0] is first:
        return Codes("slope-missing", "wrong-power", "wrong-power"), "of a square the derivative is left out"
    text = f"of a {site.name} {_named(other)} is left out"
    missing = Codes.all("weights-missing" if is_input else "term-missing")
    return missing._replace(value="another-tensor") if site.name == "matmul" else missing, text


def _is_of_a_slope(site: Site) -> bool:
    """Tell whether an operation belongs to a function that works entry by entry and has a slope."""
    program, call = site.program, site.call
    sizes = {program.values[slot].numel() for one in program.calls for slot in one.makes} - {1}
    if len(sizes) == 1 and not any(one.name in NOT_ENTRYWISE for one in program.calls) and _is_curved(program):
        return True
    beside = [*program.readers(call.makes), *(c for slot in call.reads for c in program.makers(slot))]
    return any(other.name in ENTRYWISE for other in beside)


def _is_curved(program: Program) -> bool:
    """Tell whether anything but sums and multiples is computed: else there is no slope."""
    sites = [Site(program, [i]) for i in range(len(program.calls))]
    products = ([t for _, t in one.operands if t.requires_grad and t.numel() > 1] for one in sites if one.name == "mul")
    return any(one.name in CURVED for one in sites) or any(len(factors) > 1 for factors in products)


def _named(t: Tensor | None) -> str:
    if t is None:
        return "a part"
    return f"a value of shape {' x '.join(map(str, t.shape))}" if t.ndim else "a number"


def _argument(path: tuple[int, ...], shape: tuple[int, ...] | None = None) -> Rewrite:
    """Return that an operand stands for what comes out."""

    def rewrite(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        found = argument(args, path)
        return found if shape is None else found.expand(shape)

    return rewrite


REDUCTIONS = frozenset({"sum", "mean", "var", "std", "amax", "amin", "max", "min", "norm", "logsumexp", "prod"})


def of_ways(site: Site) -> Iterator[Mistake]:
    """Yield that a way back is left out: through one operand, or through everything that comes out."""
    out, nothing = site.out, Codes("", "", "")
    if out is None or not out.requires_grad or site.call.is_in_place:
        return
    ways = [(path, t) for path, t in site.operands if t.requires_grad]
    if len(ways) > 1:
        for path, t in ways:
            text = f"the way back through the {site.name} to {_named(t)} is left out"
            rewrite = _detached(path)
            yield Mistake(nothing._replace(function="part-missing"), text, site.everywhere(rewrite))
    text = f"what comes out of the {site.name} is taken as a constant"
    code = "projection-missing" if site.name in REDUCTIONS else "path-detached"
    yield Mistake(nothing._replace(function=code), text, site.everywhere(_constant))
    if len(site.indices) > 1:
        yield from _in_some_steps(site, ways)


def _in_some_steps(site: Site, ways: list[tuple[tuple[int, ...], Tensor]]) -> Iterator[Mistake]:
    nothing, (first, *_, last) = Codes("", "", ""), site.indices
    for path, _ in ways:
        rewrite = _detached(path)
        for code, text, steps in (
            ("step-missing", "only the last step is used", site.indices[:-1]),
            ("step-missing", "only the first step is used", site.indices[1:]),
            ("step-missing", "the last step is left out", [last]),
            ("step-missing", "the first step is left out", [first]),
        ):
            said = f"on the way back through the {site.name} of a loop {text}"
            yield Mistake(nothing._replace(function=code), said, dict.fromkeys(steps, rewrite))
    for i in site.indices[1:-1]:
        said = f"the way back ends at one of the steps, at its {site.name}"
        yield Mistake(nothing._replace(function="path-detached"), said, {i: _constant})


def _constant(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    made = call.function(*args, **kwargs)
    return made.detach() if isinstance(made, Tensor) else (made[0].detach(), *made[1:])


def _detached(path: tuple[int, ...]) -> Rewrite:
    def rewrite(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        return call.function(*with_argument(args, path, argument(args, path).detach()), **kwargs)

    return rewrite
