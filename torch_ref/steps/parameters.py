"""Which parameter and buffer of one module is which of another: by a mapping, by name, by shape and order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from torch_ref.numbers.witness import Tensors

Names = dict[str, str]
"""Of what is in the first module, the name in the reference."""


def held(module: nn.Module) -> Tensors:
    """Return the parameters by name, a shared one under each of its names."""
    return dict(module.named_parameters(remove_duplicate=False))


def first_names(module: nn.Module) -> Names:
    """Return the first name of every parameter: that of a shared one for each of its names."""
    first: dict[int, str] = {}
    return {name: first.setdefault(id(p), name) for name, p in held(module).items()}


def check_initialised(module: nn.Module) -> None:
    """Raise ValueError for a module whose parameters have no numbers yet."""
    lazy = [name for name, p in held(module).items() if is_lazy(p)]
    if lazy:
        raise ValueError(
            f"check_module expects parameters with numbers, got {', '.join(lazy)} of a lazy {type(module).__name__}: "
            "call it once first"
        )


@dataclass(frozen=True)
class Parameters:
    """Which parameter is which."""

    names: Names
    is_doubtful: bool = False
    """Whether some were known by their shapes alone, and two of these are alike."""


def parameters_of(mine: nn.Module, reference: nn.Module, mapping: Mapping[str, str]) -> Parameters:
    """Return which parameter of ``mine`` is which of the reference's.

    Raises ValueError where one is left over, or where dtype, device or shape differ.
    """
    ours, theirs = held(mine), held(reference)
    names = _mapped(ours, theirs, mapping, (mine, reference))
    left, right = ([n for n in found if n not in taken] for found, taken in ((ours, names), (theirs, names.values())))
    by_shape: list[str] = []
    if set(left) == set(right):
        names |= {name: name for name in left}
    elif [ours[n].shape for n in left] == [theirs[n].shape for n in right]:
        names |= dict(zip(left, right, strict=True))
        by_shape = left
    else:
        both = [n for n in left if n in right and ours[n].shape == theirs[n].shape]
        names |= {name: name for name in both}
        right = [n for n in right if n not in both]
        for name in (n for n in left if n not in both):
            other = next((n for n in right if theirs[n].shape == ours[name].shape), None)
            if other is not None:
                names[name] = other
                by_shape.append(name)
                right.remove(other)
    _check_all(ours, theirs, names, (mine, reference))
    shapes = [ours[name].shape for name in by_shape]
    return Parameters({name: names[name] for name in ours}, len(set(shapes)) < len(shapes))


def _mapped(ours: Tensors, theirs: Tensors, mapping: Mapping[str, str], modules: tuple[nn.Module, nn.Module]) -> Names:
    """Return the parameters that a mapping names, itself or by the submodule that they lie in."""
    names: Names = {}
    for name, other in mapping.items():
        for whose, wanted, module, found in zip(
            ("", "reference's "), (name, other), modules, (ours, theirs), strict=True
        ):
            known = {*found, *dict(module.named_buffers()), *dict(module.named_modules(remove_duplicate=False))}
            if wanted not in known:
                raise ValueError(
                    f"check_module expects a mapping {{mine: reference}} of names that there are, got {wanted!r}: the "
                    f"{whose}parameters are {', '.join(found) or 'none'}"
                )
        if name in ours:
            names[name] = other
            continue
        inside = ((n, f"{other}{n.removeprefix(name)}") for n in ours if n.startswith(f"{name}."))
        names |= {n: there for n, there in inside if there in theirs}
    return names


def _check_all(ours: Tensors, theirs: Tensors, names: Names, modules: tuple[nn.Module, nn.Module]) -> None:
    """Raise ValueError where parameters are left over, or do not fit."""
    without = [f"{n} {tuple(ours[n].shape)}" for n in ours if n not in names]
    unused = [f"{n} {tuple(theirs[n].shape)}" for n in theirs if n not in names.values()]
    if without or unused:
        first, second = (type(module).__name__ for module in modules)
        raise ValueError(
            f"check_module expects each parameter of {first} to be one of the reference, {second}. Left over are "
            f"{', '.join(without) or 'none'} of {first} and {', '.join(unused) or 'none'} of {second}: say which is "
            "which by mapping={'mine': 'reference'}"
        )
    for name, other in names.items():
        one, two = ours[name], theirs[other]
        for what, a, b in (
            ("shape", tuple(one.shape), tuple(two.shape)),
            ("dtype", one.dtype, two.dtype),
            ("device", one.device, two.device),
        ):
            if a != b:
                raise ValueError(
                    f"check_module expects {name} and the reference's {other} to have the same {what}, got {a} and {b}"
                )
    _check_ties(modules, names)


def _check_ties(modules: tuple[nn.Module, nn.Module], names: Names) -> None:
    """Raise ValueError where the reference shares one parameter and the first module has two for it."""
    mine, theirs = map(first_names, modules)
    by_theirs: Names = {}
    for name, other in names.items():
        one = by_theirs.setdefault(theirs[other], name)
        if mine[one] != mine[name]:
            raise ValueError(
                f"check_module expects {one} and {name} to be one shared parameter, as in the reference, got two"
            )


@dataclass(frozen=True)
class Buffers:
    """Which buffer is which."""

    names: Names
    tensors: Tensors
    """The reference's, with the numbers of the first module where one of its buffers corresponds."""

    @property
    def alone(self) -> list[str]:
        """Return those of the reference without a counterpart, but for counters."""
        taken = self.names.values()
        return [n for n, b in self.tensors.items() if n not in taken and (b.numel() > 1 or b.is_floating_point())]


def buffers_of(mine: nn.Module, reference: nn.Module, mapping: Mapping[str, str]) -> Buffers:
    """Return which buffer is which, by the mapping or by name; they have to have the same shape, dtype and device."""
    ours, theirs = dict(mine.named_buffers()), dict(reference.named_buffers())
    named = {name: _renamed(name, mapping) for name in ours}
    alike = {name: other for name, other in named.items() if other in theirs and _fit(ours[name], theirs[other])}
    back = {other: ours[name] for name, other in alike.items()}
    return Buffers(alike, {name: back.get(name, b).detach().clone() for name, b in theirs.items()})


def _renamed(name: str, mapping: Mapping[str, str]) -> str:
    """Return the reference's name for one in the first module, by the longest beginning that a mapping knows."""
    parts = name.split(".")
    beginnings = (".".join(parts[:i]) for i in range(len(parts), 0, -1))
    known = next((beginning for beginning in beginnings if beginning in mapping), None)
    return name if known is None else f"{mapping[known]}{name.removeprefix(known)}"


def _fit(one: Tensor, other: Tensor) -> bool:
    return (one.shape, one.dtype, one.device) == (other.shape, other.dtype, other.device)
