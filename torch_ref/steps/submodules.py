"""Which submodule of one module is which of another: by a mapping, by path, by parameters, by the order of calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from torch import nn

from torch_ref.steps.parameters import Names


def submodules(module: nn.Module) -> dict[str, nn.Module]:
    """Return what lies inside by path, but for what makes one parameter from others, and for lists of modules."""
    return {
        path: inner
        for path, inner in module.named_modules()
        if path and "parametrizations" not in path.split(".") and not isinstance(inner, nn.ModuleList | nn.ModuleDict)
    }


def is_innermost(module: nn.Module) -> bool:
    """Tell whether a module has nothing inside."""
    return not submodules(module)


def submodules_of(
    mine: nn.Module,
    reference: nn.Module,
    parameters: Names,
    mapping: Mapping[str, str],
    order: tuple[Iterable[str], Iterable[str]],
) -> Names:
    """Return which submodule of ``mine`` is which of the reference's: by the mapping, path, parameters, order.

    ``order`` has the paths on both sides in the order in which they are called first.
    """
    ours, theirs = submodules(mine), submodules(reference)
    names: Names = {}
    for name, other in mapping.items():
        inside = {n: f"{other}{n.removeprefix(name)}" for n in ours if n == name or n.startswith(f"{name}.")}
        names |= {n: there for n, there in inside.items() if there in theirs}
    for path in ours:
        if path not in names and path in theirs and _share_parameters(path, path, parameters):
            names[path] = path
    names |= dict(_by_parameters(ours, theirs, parameters, names))
    return names | dict(_by_order(ours, theirs, names, order))


def _inside(path: str, names: Iterable[str]) -> set[str]:
    return {name for name in names if name.startswith(f"{path}.")}


def _share_parameters(path: str, other: str, parameters: Names) -> bool:
    """Tell whether two submodules have the same parameters, which may be none."""
    return {parameters[n] for n in _inside(path, parameters)} == _inside(other, parameters.values())


def _by_parameters(
    ours: Mapping[str, nn.Module], theirs: Mapping[str, nn.Module], parameters: Names, names: Names
) -> Iterator[tuple[str, str]]:
    """Yield the submodules that are known by their parameters, the innermost to the innermost."""
    taken = set(names.values())
    for path, module in ours.items():
        if path in names or not _inside(path, parameters):
            continue
        alike = [
            other
            for other in theirs
            if other not in taken
            and is_innermost(theirs[other]) == is_innermost(module)
            and _share_parameters(path, other, parameters)
        ]
        if len(alike) == 1:
            taken.add(alike[0])
            yield path, alike[0]


def _by_order(
    ours: Mapping[str, nn.Module],
    theirs: Mapping[str, nn.Module],
    names: Names,
    order: tuple[Iterable[str], Iterable[str]],
) -> Iterator[tuple[str, str]]:
    """Yield the innermost without parameters that are called in the same order, where the types allow it."""
    left, right = (
        [p for p in called if p in found and p not in taken and is_innermost(found[p]) and not has_parameters(found[p])]
        for called, found, taken in zip(order, (ours, theirs), (names, names.values()), strict=True)
    )
    if len(left) == len(right) and all(_may_be(ours[a], theirs[b]) for a, b in zip(left, right, strict=True)):
        yield from zip(left, right, strict=True)


def has_parameters(module: nn.Module) -> bool:
    """Tell whether a module has parameters."""
    return any(True for _ in module.parameters())


def _may_be(one: nn.Module, other: nn.Module) -> bool:
    """Tell whether the types do not contradict: two modules of torch have to be of one type."""
    of_torch = all(type(module).__module__.startswith("torch.nn") for module in (one, other))
    return type(one) is type(other) or not of_torch
