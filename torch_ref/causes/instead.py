"""Another tensor in place of an operand: turned, of another step, or another value; and gradients that are turned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from torch_ref.causes.otherwise import ALONG
from torch_ref.causes.rewrites import Codes, Mistake, Site, argument, carried, passing, with_argument
from torch_ref.causes.tape import same
from torch_ref.steps.program import Call, Rewrite, Slot, parts_of, replaced

Change = Callable[[Tensor], Tensor]

PRODUCTS = ("mul", "div", "matmul", "einsum", "linear", "square", "pow")
CONVOLUTIONS = ("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "einsum", "tensordot")
LAYOUTS = ("reshape", "view", "permute", "transpose", "t", "swapaxes", "movedim", "flatten")
MOST_OTHERS = 12

INVERSES: dict[str, Change] = {"sigmoid": torch.logit, "tanh": torch.atanh, "exp": torch.log, "sqrt": torch.square}


def of_turned(site: Site) -> Iterator[Mistake]:
    """Yield that an operand is transposed, turned round, or without its conjugate or sign."""
    if site.out is None or site.call.is_in_place:
        return
    floats = [(path, t) for path, t in site.operands if t.is_floating_point() or t.is_complex()]
    for path, t in floats if len(floats) > 1 or site.name in ("pow", "square") else ():
        for code, text, change in (*_turns(site, path, t), *_parts_of(site, path, t), *_constant_turns(site, t)):
            yield Mistake(Codes.all(code), text, site.everywhere(_with(path, change)))
    for path, t in floats:
        for code, text, change in _turned_gradients(site, t):
            only = Codes("", code, "")
            yield Mistake(only, text, site.everywhere(_passed(path, change)))
        for code, text, change in _turned_for_one(site, t) if len(floats) > 1 else ():
            only = Codes("", code, "")
            yield Mistake(only, text, site.everywhere(_for_one(path, change)))
    if site.name in ("cat", "stack") and len(floats) == 2 and floats[0][1].shape == floats[1][1].shape:
        text = f"the two parts of a {site.name} are exchanged"
        yield Mistake(Codes.all("swapped"), text, site.everywhere(_exchanged))


def _turns(site: Site, path: tuple[int, ...], t: Tensor) -> Iterator[tuple[str, str, Change]]:
    if t.is_complex() and site.name in ("mul", "matmul", "einsum", "div"):
        yield "conjugate-missing", f"in the {site.name} a factor is not conjugated", torch.conj
    if site.name in (*CONVOLUTIONS, "matmul", "linear") and t.ndim > 1:
        if t.shape[-1] == t.shape[-2] and site.name not in CONVOLUTIONS[:-2]:
            yield "transposed-weights", f"an operand of the {site.name} is transposed", lambda v: v.mT
        yield "weights-without-sign", f"an operand of the {site.name} is without its signs", torch.abs
    if site.name in CONVOLUTIONS:
        for d in ((-1, -2), (-1,), (-2,)):
            if t.ndim > max(2, len(d)) and t.shape[-1] > 1:
                text = f"the kernel of the {site.name} is turned round"
                yield "transposed-weights", text, _flipped(d)
        yield from _sums_of(site, t)
    if site.name in ("matmul", "linear"):
        yield from _of_unrolled(site, t)
    if t.ndim and t.shape[0] > 1 and site.name in (*CONVOLUTIONS, "mul", "matmul", "div", "add", "sub"):
        for text, change in (
            ("the one before", lambda v: v.roll(1, 0)),
            ("the one after", lambda v: v.roll(-1, 0)),
            ("in reverse order", lambda v: v.flip(0)),
        ):
            if _has_samples(site, path, t):
                yield "wrong-sample", f"in the {site.name} pairs the wrong sample ({text})", change
            else:
                yield "shifted", f"the rows of an operand of the {site.name} are exchanged ({text})", change


def _has_samples(site: Site, path: tuple[int, ...], t: Tensor) -> bool:
    """Tell whether the rows of an operand can be samples: those of a kernel, or of a second factor, are none."""
    is_second = path != (0,) and site.name in (*CONVOLUTIONS, "matmul")
    return not is_second and site.out is not None and site.out.shape[:1] == t.shape[:1]


def _flipped(dims: tuple[int, ...], shape: torch.Size | None = None) -> Change:
    """Return that a kernel is turned round, perhaps one that is laid out otherwise."""
    return lambda v: v.flip(dims) if shape is None else v.reshape(shape).flip(dims).reshape(v.shape)


def _spread(part: Tensor) -> Change:
    return lambda v: part.detach().expand(v.shape)


def _rolled(by: int, d: int) -> Change:
    return lambda v: v.roll(by, d)


def _summed(d: int, *, mean: bool) -> Change:
    return lambda v: (v.mean(d, True) if mean else v.sum(d, True)).expand(v.shape)


def _constant(value: Tensor) -> Change:
    return lambda v: value


def _of_unrolled(site: Site, t: Tensor) -> Iterator[tuple[str, str, Change]]:
    """Yield that a kernel that is laid out as a matrix is turned round."""
    slot = site.program.slot_of(t)
    for maker in site.program.makers(slot) if slot is not None else ():
        first = next((site.program.values[s.at] for s in parts_of(maker.args[:1], Slot)), None)
        if maker.name in ("reshape", "view", "flatten") and first is not None and first.ndim > 2 and t.ndim == 2:
            for d in ((-1,), (-2, -1)):
                text = "the kernel is turned round"
                yield "transposed-weights", text, _flipped(d, first.shape)


def _parts_of(site: Site, path: tuple[int, ...], t: Tensor) -> Iterator[tuple[str, str, Change]]:
    """Yield that of a sum, product, ... that an operand is, one part alone stands there."""
    slot = site.program.slot_of(t)
    for maker in site.program.makers(slot) if slot is not None else ():
        if maker.name not in ("add", "sub", "mul", "div") or site.name not in PRODUCTS:
            continue
        for part in (site.program.values[s.at] for s in parts_of(maker.args, Slot)):
            if part.is_floating_point() and part.ndim <= t.ndim and len(site.indices) == 1:
                text = f"in the {site.name} a part stands for the whole of what is {maker.name}"
                yield "term-missing", text, _spread(part)


def _constant_turns(site: Site, t: Tensor) -> Iterator[tuple[str, str, Change]]:
    """Yield that a constant operand, a mask perhaps, lies one place beside; and that a factor has another power."""
    if site.name not in PRODUCTS:
        return
    is_mask = bool(((t == 0) | (t == 1)).all())
    if not t.requires_grad and t.ndim > 1:
        for d in range(t.ndim):
            for k in (1, -1):
                code = "wrong-mask" if is_mask else "shifted"
                yield code, "a constant lies one place beside", _rolled(k, d)
    if not is_mask and t.ndim and not t.is_complex() and site.name == "mul":
        yield "wrong-power", "a factor is squared", torch.square
        if bool((t >= 0).all()):
            yield "wrong-power", "the root of a factor stands for it", torch.sqrt


def _sums_of(site: Site, t: Tensor) -> Iterator[tuple[str, str, Change]]:
    text = f"in the {site.name} a product of sums stands for the sum of products"
    for d in range(t.ndim):
        for divided in (False, True):
            yield (
                "broadcast-over-batch",
                text,
                _summed(d, mean=divided),
            )


def _turned_gradients(site: Site, t: Tensor) -> Iterator[tuple[str, str, Change]]:
    name = site.name
    if t.is_complex():
        yield "conjugate-missing", f"the gradient that the {name} hands on is conjugated", torch.conj
    if name in ("matmul", "einsum", "linear", "solve", "inverse") and t.ndim > 1 and t.shape[-1] == t.shape[-2]:
        yield "swapped", f"the gradient that the {name} hands on is transposed", lambda v: v.mT
    if name in CONVOLUTIONS and t.ndim > 2:
        text = f"the gradient that the {name} hands on is turned round"
        yield "transposed-weights", text, lambda v: v.flip(-1) if v.ndim == 3 else v.flip((-1, -2))


def _turned_for_one(site: Site, t: Tensor) -> Iterator[tuple[str, str, Change]]:
    """Yield what may be wrong with what comes from above in the gradient of one operand alone."""
    out = site.out
    if out is None or site.name not in ("mul", "matmul", "einsum", "linear", "div"):
        return
    if out.is_complex():
        text = f"what comes from above is conjugated at the {site.name}"
        yield "conjugate-missing", text, torch.conj
    if out.ndim > 1 and out.shape[-1] == out.shape[-2] and site.name != "mul":
        text = f"what comes from above is transposed at the {site.name}, for one of its operands"
        yield "transposed", text, lambda v: v.mT


def _for_one(path: tuple[int, ...], change: Change) -> Rewrite:
    """Return an operation whose gradient is changed on its way to one of the operands."""

    def rewrite(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        made = call.function(*args, **kwargs)
        others = call.function(*with_argument(args, path, argument(args, path).detach()), **kwargs)
        fixed = replaced(args, Tensor, torch.detach)
        one = call.function(*with_argument(fixed, path, argument(args, path)), **kwargs)
        return carried(made, passing(one, change) + others)

    return rewrite


def _with(path: tuple[int, ...], change: Change) -> Rewrite:
    """Return an operation with an operand changed, which still gets its own gradient."""

    def rewrite(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        own = argument(args, path)
        other = change(own.detach())
        return call.function(*with_argument(args, path, carried(other, own)), **kwargs)

    return rewrite


def _passed(path: tuple[int, ...], change: Change) -> Rewrite:
    def rewrite(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        return call.function(*with_argument(args, path, passing(argument(args, path), change)), **kwargs)

    return rewrite


def _exchanged(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    return call.function([*args[0]][::-1], *args[1:], **kwargs)


def of_layout(site: Site) -> Iterator[Mistake]:
    """Yield that a change of layout is not undone, that pieces are exchanged, or that an index is another."""
    out, only = site.out, Codes("", "transposed", "")
    if out is None or site.call.is_in_place or not site.operands:
        return
    if site.name in LAYOUTS and len(site.operands) == 1:
        text = f"the {site.name} is not undone on the way back: the numbers are laid out as they come"
        yield Mistake(only, text, site.everywhere(_not_undone))
    if site.name in ("chunk", "split", "unbind", "tensor_split") and len(site.call.makes) > 1:
        text = f"the parts of a {site.name} are exchanged"
        yield Mistake(Codes("", "swapped", ""), text, site.everywhere(_pieces_exchanged))
    indices = [(path, t) for path, t in site.operands if t.dtype in (torch.int64, torch.int32) and t.ndim]
    for path, t in indices:
        for other in _other_indices(site, t):
            text = f"other indices stand for those of the {site.name}"
            rewrite = _with_argument(path, other)
            yield Mistake(Codes("another-tensor", "another-tensor", "another-tensor"), text, site.everywhere(rewrite))
        text = f"the indices of the {site.name} are in reverse order"
        yield Mistake(Codes.all("wrong-sample"), text, site.everywhere(_with_argument(path, t.flip(0))))
    if site.name == "getitem" and len(site.indices) == 1:
        yield from _of_places(site)
    if out.ndim and out.requires_grad and site.name not in LAYOUTS:
        for v in _leaves_like(site, out):
            text = f"one of the inputs stands for what comes from above at the {site.name}"
            yield Mistake(Codes("", "another-tensor", ""), text, site.everywhere(_from_above(_constant(v))))
        text = f"what comes from above is missing at the {site.name}"
        yield Mistake(Codes("", "upstream-missing", ""), text, site.everywhere(_from_above(torch.ones_like)))


def _leaves_like(site: Site, t: Tensor) -> list[Tensor]:
    values = site.program.values
    return [v.detach() for v in values if v.is_leaf and v.requires_grad and v.shape == t.shape and v is not t]


def _not_undone(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    made = call.function(*args, **kwargs)
    return carried(made, args[0].reshape(made.shape))


def _pieces_exchanged(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    made = call.function(*args, **kwargs)
    return tuple(carried(t, other) for t, other in zip(made, [*made][::-1], strict=True))


def _from_above(change: Change) -> Rewrite:
    def rewrite(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        made = call.function(*args, **kwargs)
        return passing(made, change) if isinstance(made, Tensor) else (passing(made[0], change), *made[1:])

    return rewrite


def _with_argument(path: tuple[int, ...], value: Any) -> Rewrite:
    return lambda call, args, kwargs: call.function(*with_argument(args, path, value), **kwargs)


def _other_indices(site: Site, t: Tensor) -> Iterator[Tensor]:
    found: list[Tensor] = []
    for v in site.program.values:
        if v.dtype == t.dtype and v.shape == t.shape and not any(torch.equal(v, other) for other in (t, *found)):
            found.append(v)
    yield from found[:MOST_OTHERS]


def _of_places(site: Site) -> Iterator[Mistake]:
    """Yield that a slice begins and ends one place beside."""
    index = site.call.args[1] if len(site.call.args) > 1 else None
    several = index if isinstance(index, tuple) else (index,)
    for i, one in enumerate(several):
        for k in (1, -1):
            moved = _moved(one, k)
            if moved is not None:
                new = (*several[:i], moved, *several[i + 1 :])
                text = "a slice or an index lies one place beside"
                rewrite = _with_argument((1,), new if isinstance(index, tuple) else moved)
                yield Mistake(Codes.all("shifted"), text, site.everywhere(rewrite))


def _moved(index: object, k: int) -> object | None:
    if isinstance(index, int) and not isinstance(index, bool):
        return index + k
    if not isinstance(index, slice) or index.step not in (None, 1) or (index.start is None and index.stop is None):
        return None
    start, stop = index.start or 0, index.stop
    if not isinstance(start, int) or not isinstance(stop, int | None):
        return None
    stop = (stop or 0) + k
    return slice(start + k, None if stop == 0 else stop) if start + k >= 0 or start < 0 else None


def of_other_values(site: Site) -> Iterator[Mistake]:
    """Yield that another value of the same shape stands for an operand, or for what came out."""
    out = site.out
    if out is None or site.call.is_in_place:
        return
    floats = [(path, t) for path, t in site.operands if t.is_floating_point() and t.ndim]
    for path, t in floats:
        tried: list[Tensor] = []
        for text, at in _values_like(site, t, tried):
            code = "wrong-mask" if site.name in ("relu", "leaky_relu", "clamp") else "another-tensor"
            if any(p != path and u is v for p, u in floats for v in at.values()):
                continue  # then a product is a square, and a quotient 1
            changes = {i: _of_value(path, v, ()) for i, v in at.items()}
            yield Mistake(Codes(code, code, ""), f"{text} stands for an operand of the {site.name}", changes)
            if len(floats) == 1 and site.name in INVERSES:
                changes = {i: _of_value(path, v, (INVERSES[site.name],)) for i, v in at.items()}
                said = f"the derivative of the {site.name} is taken at {text}"
                yield Mistake(Codes(code, "", ""), said, changes)
    if out.ndim and out.requires_grad and (site.name not in ALONG or len(site.indices) > 1):
        for text, at in _values_like(site, out, [t for _, t in floats]):
            changes = {i: _made(v) for i, v in at.items()}
            yield Mistake(Codes("", "", "another-tensor"), f"{text} stands for what the {site.name} gives", changes)


def _of_value(path: tuple[int, ...], value: Tensor, changes: tuple[Change, ...]) -> Rewrite:
    other = value.detach()
    for change in changes:
        other = change(other)
    return _with(path, lambda own: other)


def _made(value: Tensor) -> Rewrite:
    return lambda call, args, kwargs: value.detach()


def _values_like(site: Site, t: Tensor, tried: list[Tensor]) -> Iterator[tuple[str, dict[int, Tensor]]]:
    """Yield other values of the same shape, of a loop that of each step, at most so many."""
    program, steps = site.program, len(site.indices)
    count = 0
    for slot, v in enumerate(program.values):
        if v.shape != t.shape or v.dtype != t.dtype or any(same(v.detach(), u.detach()) for u in (t, *tried)):
            continue
        of_steps = [program.values[k] for k in program.alongside(slot)]
        tried.append(v)
        count += 1
        if count > MOST_OTHERS:
            return
        if len(of_steps) == steps:
            if slot in program.alongside(slot)[:1]:
                yield _called(v), dict(zip(site.indices, of_steps, strict=True))
                yield (
                    f"{_called(v)} of the step before",
                    dict(zip(site.indices[1:], of_steps[:-1], strict=True)),
                )
        elif steps == 1 or v.is_leaf:
            yield _called(v), dict.fromkeys(site.indices, v)


def _called(v: Tensor) -> str:
    return f"another tensor of shape {' x '.join(map(str, v.shape))}"
