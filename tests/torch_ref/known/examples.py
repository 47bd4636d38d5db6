"""Small functions in which the examples of ``docs/causes.md`` are run: right statements, of which one is replaced.

A setting has names for what a backward has at hand (x, w, d, error, delta, ...). The example stands in the place of the
right statement that assigns the same name, or after it where it changes that.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

import torch_ref
from torch_ref import Report


class Setting(NamedTuple):
    """A function with its backward, statement by statement."""

    forward: Callable[..., Tensor]
    backward: str
    """In the names of the inputs, and d for what comes from above; an example replaces the statement of its name."""
    returns: str
    shapes: Mapping[str, Sequence[int]]

    def report(self, example: str) -> Report:
        """Return the report on the backward with an example in it."""
        inputs = {name: torch.randn(*shape).double() for name, shape in self.shapes.items()}
        code = compile(self._with(example), "example", "exec")

        def backward(d: Tensor, *given: Tensor) -> Any:
            names: dict[str, Any] = {"torch": torch, "F": torch.nn.functional, "d": d} | dict(
                zip(inputs, given, strict=True)
            )
            exec(code, names)  # of the documentation
            return names["found"]

        return torch_ref.check_function(self.forward, backward, [*inputs.values()], power=False)

    def _with(self, example: str) -> str:
        """Return the statements with those of the example in the place of what it assigns, or after what it changes."""
        right, wrong = ast.parse(self.backward).body, ast.parse(example).body
        names = {name for one in wrong for name in assigned(one)}
        places = [i for i, one in enumerate(right) if assigned(one) & names] or [len(right)]
        is_changed = any(read(one) & assigned(one) - {"w"} for one in wrong)
        body = [*right[: places[-1] + 1], *wrong] if is_changed else [*right[: places[0]], *wrong]
        rest = right[places[-1] + 1 :] if is_changed else right[places[0] + 1 :]
        return ast.unparse(ast.Module([*body, *rest], [])) + f"\nfound = {self.returns}"


def assigned(one: ast.stmt) -> set[str]:
    """Return the names that a statement assigns, or into which it writes."""
    targets = one.targets if isinstance(one, ast.Assign) else [one.target] if isinstance(one, ast.AugAssign) else []
    return {node.id for t in targets for node in ast.walk(t) if isinstance(node, ast.Name)}


def read(one: ast.stmt) -> set[str]:
    """Return the names that a statement reads, or of which it changes a part."""
    inside = (
        [one.target]
        if isinstance(one, ast.AugAssign)
        else [t for t in getattr(one, "targets", ()) if isinstance(t, ast.Subscript)]
    )
    found = {node.id for node in ast.walk(one) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return found | {node.id for t in inside for node in ast.walk(t) if isinstance(node, ast.Name)}


LINEAR = """
delta = -d
d_w = -(delta.t() @ x)
d_b = -delta.sum(0)
error = delta @ w
d_x = -error
"""
WIDE, SQUARE = {"x": (6, 5), "w": (4, 5), "b": (4,)}, {"x": (5, 5), "w": (5, 5), "b": (5,)}

ENTRYWISE = """
x = torch.{name}(net)
error = d
d_sigmoid = lambda at: torch.sigmoid(at) * (1 - torch.sigmoid(at))
slope = {slope}
delta = error * slope
"""

T = torch.eye(5).double()[[0, 1, 2, 3, 4, 0]]


def entrywise(name: str, slope: str) -> Setting:
    return Setting(getattr(torch, name), ENTRYWISE.format(name=name, slope=slope), "delta", {"net": (6, 5)})


SETTINGS = {
    "linear": Setting(lambda x, w, b: x @ w.t() + b, LINEAR, "(d_x, d_w, d_b)", WIDE),
    "square": Setting(
        lambda x, w, b: x @ w.t() + b, "y = x @ w.t() + b\nlr = 0.1\n" + LINEAR, "(d_x, d_w, d_b)", SQUARE
    ),
    "sigmoid": entrywise("sigmoid", "x * (1 - x)"),
    "tanh": entrywise("tanh", "1 - x * x"),
    "relu": entrywise("relu", "x > 0"),
    "squared error": Setting(
        lambda y, t: (t - y).square().sum() / 2, "error = t - y", "(-d * error, d * error)", {"y": (6, 5), "t": (6, 5)}
    ),
    "softmax and cross-entropy": Setting(
        lambda net: -(T * torch.log_softmax(net, 1)).sum(),
        "t = torch.eye(5).double()[[0, 1, 2, 3, 4, 0]]\ny = torch.softmax(net, 1)\ndelta = t - y",
        "-d * delta",
        {"net": (6, 5)},
    ),
    "norm": Setting(
        lambda x: x / x.norm(), "r = x.norm()\ny = x / r\nd_x = (d - y * (d * y).sum()) / r", "d_x", {"x": (7,)}
    ),
    "two uses": Setting(
        lambda h, w2, w3: torch.tanh(h @ w2) + h @ w3,
        """
dz, dy = d, d * (1 - torch.tanh(h @ w2) ** 2)
dh = dy @ w2.t() + dz @ w3.t()
""",
        "(dh, h.t() @ dy, h.t() @ dz)",
        {"h": (6, 5), "w2": (5, 4), "w3": (5, 4)},
    ),
    "lookup": Setting(
        lambda table: table[torch.tensor([0, 2, 2, 1])],
        "ids = torch.tensor([0, 2, 2, 1])\nd_table = torch.zeros_like(table).index_add(0, ids, d)",
        "d_table",
        {"table": (4, 3)},
    ),
    "steps": Setting(
        lambda x, w: torch.stack([torch.tanh(step @ w) for step in x]),
        """
T, y = len(x), torch.tanh(x @ w)
dz = d * (1 - y * y)
d_w = sum(x[t].t() @ dz[t] for t in range(T))
""",
        "(dz @ w.t(), d_w)",
        {"x": (4, 6, 5), "w": (5, 3)},
    ),
}
