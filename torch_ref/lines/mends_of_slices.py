"""Slices and single entries as people get them wrong: the other end, one place beside, one entry for the sum."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torch_ref.lines.expressions import parsed


def of_subscript(node: ast.Subscript) -> Iterator[tuple[str, ast.expr]]:
    """Yield the sum in place of one entry of it, and a slice that leaves out the other end."""
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    for d, part in enumerate(parts):
        is_one = isinstance(part, ast.Constant) or (
            isinstance(part, ast.UnaryOp) and isinstance(part.operand, ast.Constant)
        )
        others = [p for p in parts if p is not part]
        if is_one and all(isinstance(p, ast.Slice) and p.lower is p.upper is None for p in others):
            yield "step-missing", parsed(f"({ast.unparse(node.value)}).sum({d})")
        if isinstance(part, ast.Slice) and part.step is None and (part.lower is None) != (part.upper is None):
            turned = _other_end(part)
            if turned is not None:
                slices = [turned if p is part else p for p in parts]
                new = ast.Tuple(slices, ast.Load()) if isinstance(node.slice, ast.Tuple) else turned
                yield "shifted", ast.Subscript(node.value, new, ast.Load())


def moved_together(node: ast.Subscript) -> Iterator[tuple[str, ast.expr]]:
    """Yield all slices of a subscript that have an end, moved by one place."""
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    for by in (1, -1):
        moved = [_slice_moved(part, by) if isinstance(part, ast.Slice) else part for part in parts]
        if any(part is None for part in moved) or moved == parts:
            continue
        found = [part for part in moved if part is not None]
        new = ast.Tuple(found, ast.Load()) if isinstance(node.slice, ast.Tuple) else found[0]
        yield "shifted", ast.Subscript(node.value, new, ast.Load())


def the_other_way(node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    """Yield a shift the other way: ``pad(x[1:], (0, 1))`` for ``pad(x[:-1], (1, 0))``, ``cat([x[1:], a])``."""
    if not node.args:
        return
    first, *others = node.args
    if isinstance(first, ast.Subscript) and others and (turned := _turned(others[0])) is not None:
        for code, other in of_subscript(first):
            if code == "shifted":
                yield code, ast.Call(node.func, [other, turned, *others[1:]], node.keywords)
    if isinstance(first, ast.List | ast.Tuple) and len(first.elts) == 2:
        for i, part in enumerate(first.elts):
            for code, other in of_subscript(part) if isinstance(part, ast.Subscript) else ():
                if code == "shifted":
                    joined = type(first)([other, first.elts[0]] if i else [first.elts[1], other], ast.Load())
                    yield code, ast.Call(node.func, [joined, *others], node.keywords)


def _turned(node: ast.expr) -> ast.expr | None:
    """Return (0, 1) for (1, 0), and ((0, 1), (0, 0)) for ((1, 0), (0, 0)); None for what is no such."""
    if not isinstance(node, ast.Tuple | ast.List) or not node.elts:
        return None
    if all(isinstance(part, ast.Tuple | ast.List) for part in node.elts):
        inner = [_turned(part) for part in node.elts]
        found = [part for part in inner if part is not None]
        return type(node)(found, ast.Load()) if len(found) == len(inner) else None
    pairs = [node.elts[i : i + 2][::-1] for i in range(0, len(node.elts), 2)]
    return type(node)([part for pair in pairs for part in pair], ast.Load())


def _slice_moved(part: ast.Slice, by: int) -> ast.expr | None:
    """Return a[1:n + 1] for a[:n]; None where it cannot be."""
    if part.lower is part.upper is None or part.step is not None:
        return part
    start, stop = ("" if end is None else ast.unparse(end) for end in (part.lower, part.upper))
    if not start and by < 0:
        return None
    lower, upper = _sum_of(start or "0", by), "" if stop in ("", str(-by)) else _sum_of(stop, by)
    subscript = ast.parse(f"x[{'' if lower == '0' else lower}:{upper}]", mode="eval").body
    return subscript.slice if isinstance(subscript, ast.Subscript) else None


def _sum_of(text: str, by: int) -> str:
    """Return the code of a sum: 2 for 1 and 1, n - 1 for n and −1."""
    try:
        return str(int(text) + by)
    except ValueError:
        return f"{text} {'-' if by < 0 else '+'} {abs(by)}"


def _other_end(part: ast.Slice) -> ast.Slice | None:
    """Return x[:-1] for x[1:], and the reverse."""
    if part.lower is not None:
        return ast.Slice(None, ast.UnaryOp(ast.USub(), part.lower), None)
    if isinstance(part.upper, ast.UnaryOp) and isinstance(part.upper.op, ast.USub):
        return ast.Slice(part.upper.operand, None, None)
    return None
