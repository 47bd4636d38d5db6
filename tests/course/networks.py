"""A whole network as students write it, in words that torch and numpy share, and mistakes in its lines."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import indent

FORWARD = {
    "net1": "x @ W1.T + b1",
    "x1": "1 / (1 + xp.exp(-net1))",
    "net2": "x1 @ W2.T + b2",
    "s": "xp.exp(net2 - xp.amax(net2, 1, keepdims=True))",
    "y": "s / s.sum(1, keepdims=True)",
    "L": "-(t * xp.log(y)).sum() / len(x)",
}
BACKWARD = {
    "dnet2": "(y - t) / len(x)",
    "dW2": "dnet2.T @ x1",
    "db2": "dnet2.sum(0)",
    "dx1": "dnet2 @ W2",
    "dnet1": "dx1 * x1 * (1 - x1)",
    "dW1": "dnet1.T @ x",
    "db1": "dnet1.sum(0)",
}
ORDERS = (
    {},
    {"dnet1": "dx1 * (x1 - x1 ** 2)", "dW1": "(x.T @ dnet1).T", "net1": "(W1 @ x.T).T + b1"},
    {"dnet2": "y / len(x) - t / len(x)", "x1": "0.5 * (1 + xp.tanh(net1 / 2))", "db1": "xp.einsum('ij->j', dnet1)"},
    {"dx1": "(W2.T @ dnet2.T).T", "L": "-(t / len(x) * xp.log(y)).sum()", "dW2": "xp.einsum('ni,nj->ij', dnet2, x1)"},
    {"dnet1": "(1 - x1) * (x1 * dx1)", "net2": "b2 + x1 @ W2.T", "db2": "(dnet2 * 1).sum(0)"},
)
"""Some lines in another order of operations."""

BEHIND = {
    "dnet2": ("W1", "b1", "W2", "b2"), "dx1": ("W1", "b1"), "dnet1": ("W1", "b1"),
    "dW1": ("W1",), "db1": ("b1",), "dW2": ("W2",), "db2": ("b2",),
}  # fmt: skip
"""The gradients that a line of backward spoils."""

MISTAKES = (
    ("dnet2", "y - t"), ("dnet2", "(t - y) / len(x)"), ("dnet2", "y / len(x)"),
    ("dnet2", "(y - t) / len(x) * y * (1 - y)"),
    ("dW2", "dnet2.T @ x1 / len(x)"), ("dW2", "-dnet2.T @ x1"), ("dW2", "dnet2.T @ net1"), ("db2", "dnet2.mean(0)"),
    ("dx1", "2 * (dnet2 @ W2)"), ("dx1", "-dnet2 @ W2"), ("dnet1", "dx1 * x1"), ("dnet1", "dx1 * 1"),
    ("dnet1", "dx1 * (1 - x1 ** 2)"), ("dnet1", "dx1 * net1 * (1 - net1)"), ("dW1", "2 * (dnet1.T @ x)"),
    ("dW1", "dnet1.T @ xp.roll(x, 1, 0)"), ("db1", "dnet1[0]"), ("db1", "dnet1.sum(0) + 0.01 * b1"),
    ("net1", "x @ W1.T"), ("x1", "xp.tanh(net1)"), ("net2", "x1 @ W2.T - b2"), ("L", "-(t * xp.log(y)).sum()"),
)  # fmt: skip
"""Lines, and what stands there by mistake."""

NAMES = (
    {},
    {"net1": "z1", "x1": "h", "net2": "z2", "dnet1": "dz1", "dnet2": "dz2", "dx1": "dh"},
    {"net1": "a1", "net2": "a2", "dnet1": "grad_a1", "dnet2": "grad_a2", "dx1": "grad_x1", "dW1": "grad_W1"},
    {"dnet2": "d_net2", "dnet1": "d_net1", "dx1": "d_x1"},
    {"dnet2": "delta2", "dnet1": "delta1"},
)  # fmt: skip


def _renamed(text: str, names: Mapping[str, str]) -> str:
    import re

    return re.sub(r"\b[A-Za-z]\w*\b", lambda m: names.get(m[0], m[0]), text)


def source(style: int, library: str, wrong: tuple[str, str] | None = None) -> tuple[str, int | None]:
    """Return a student's file in the style of that number, and the line of the mistake."""
    names = NAMES[style % len(NAMES)]
    lines = FORWARD | BACKWARD | ORDERS[(style // 2) % len(ORDERS)] | ({wrong[0]: wrong[1]} if wrong else {})

    def said(which: Mapping[str, str]) -> str:
        return "\n".join(_renamed(f"{name} = {lines[name]}", names) for name in which)

    kept = _renamed("x, t, net1, x1, y, W1, b1, W2, b2", names)
    given = _renamed('{"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}', names)
    if style % 3 == 0:
        ways = ("def forward(x, t, W1, b1, W2, b2):", said(FORWARD), f"return L, ({kept})"), (
            "def backward(saved):", f"{kept} = saved", said(BACKWARD), f"return {given}",
        )  # fmt: skip
        text = "\n\n".join(f"{head}\n{indent(chr(10).join(body), ' ' * 4)}" for head, *body in ways)
    elif style % 3 == 1:
        take = 'W1, b1, W2, b2 = (p_[name] for name in ("W1", "b1", "W2", "b2"))'
        ways = ("def forward(x, t, p_):", take, said(FORWARD), f'return L, {{"all": [{kept}]}}'), (
            "def backward(cache):", f"{kept} = cache['all']", said(BACKWARD), f"return {given}",
        )  # fmt: skip
        text = "\n\n".join(f"{head}\n{indent(chr(10).join(body), ' ' * 4)}" for head, *body in ways)
    else:
        body = (
            "def __init__(self, W1, b1, W2, b2):\n    self.W = W1, b1, W2, b2",
            "def forward(self, x, t):\n"
            + indent(f"W1, b1, W2, b2 = self.W\n{said(FORWARD)}\nself.saved = ({kept})\nreturn L", " " * 4),
            "def backward(self):\n" + indent(f"{kept} = self.saved\n{said(BACKWARD)}\nreturn {given}", " " * 4),
        )
        text = "class Network:\n" + indent("\n\n".join(body), " " * 4)
    whole = f"import {library} as xp\n\n\n{text}\n"
    if wrong is None:
        return whole, None
    mark = _renamed(f"{wrong[0]} = {wrong[1]}", names)
    return whole, 1 + next(i for i, line in enumerate(whole.splitlines()) if line.strip() == mark)
