"""The functions of `manual_bp` that compute its formulas, and in them the nodes and operands that do."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "manual_bp"

PROTOCOL = ("output", "forward", "backward", "gradients")
"""What a layer, a loss and a network compute: of every class with both directions, in whatever file, new ones too."""

BESIDES = {
    "linear.py": ("__post_init__", "sent_back"),
    "products.py": ("_by_torch", "_by_numpy", "_by_mkldnn", "_onednn"),
    "convolution.py": ("_weights", "_new", "_matrices"),
    "pooling.py": ("_new", "_pixels"),
    "norm.py": ("_new",),
    "recurrent.py": ("_go_back", "_summed", "_new"),
    "windows.py": ("counted", "places", "_under"),
    "dropout.py": ("draw", "filled"),
    "masks.py": ("draw_masks", "in_tests"),
    "loss.py": ("one_hot", "_softmax", "_samples", "_scale"),
    "structure.py": ("index_of_net", "index_of_x", "names"),
    "trace.py": ("begin", "value", "saved", "x"),
    "gradients.py": ("begin", "keep_error", "_placed", "keep_gradients", "_holds", "_holds_error", "complete"),
    "network.py": ("__post_init__", "loss", "backward_by_layer", "input_error"),
    "descent.py": ("_move_of", "_move"),
    "initial.py": ("mlp", "random_linear", "random_conv2d", "random_rnn"),
}
"""The other functions that compute, by file: of every class that has one of the name, or of none."""

NO_TENSORS = ("out", "room", "buffers", "d", "d_parameters", "trace", "gradients")


@dataclass(frozen=True)
class Function:
    """A function of the package, and what the operators have to know of it."""

    file: str
    name: str
    code: ast.FunctionDef

    def nodes(self) -> list[ast.AST]:
        """Return the nodes that compute, in the order of the source."""
        return [node for statement in self.code.body for node in computing(statement)]

    def another(self, operand: ast.expr, beside: list[ast.expr]) -> list[str]:
        """Return the operand beside this one, or else the formula's next that has a value here; at most one."""
        everywhere = [other for node in self.nodes() for other in operands(node)]
        for among in (beside, everywhere):
            at = next(i for i, other in enumerate(among) if other is operand)
            for other in among[at + 1 :] + among[:at]:
                if self.meaning(other) != self.meaning(operand) and self.is_bound(other, operand.lineno):
                    return [ast.unparse(other)]
        return []

    def meaning(self, operand: ast.expr) -> str:
        """Return what a name stands for that a tuple only renames: `net, t = x, ...`."""
        text = ast.unparse(operand)
        for node in self.nodes():
            match node:
                case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=given)):
                    renamed = dict(zip(map(ast.unparse, names), map(ast.unparse, given), strict=True))
                    text = renamed.get(text, text)
        return text

    def is_bound(self, operand: ast.expr, line: int) -> bool:
        """Tell whether the operand has a value above the line."""
        bound = {argument.arg for argument in self.code.args.args}
        for node in ast.walk(self.code):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.lineno < line:
                bound.add(node.id)
        return ast.unparse(operand).split(".")[0] in bound


def functions(file: str, source: str) -> list[Function]:
    """Return the functions and methods of a file that compute."""
    tree = ast.parse(source)
    found = [Function(file, code.name, code) for code in defined(tree) if code.name in BESIDES.get(file, ())]
    for owner in tree.body:
        if isinstance(owner, ast.ClassDef):
            computing = BESIDES.get(file, ()) + (PROTOCOL if has_both_directions(owner) else ())
            own = [code for code in defined(owner) if code.name in computing]
            found += [Function(file, f"{owner.name}.{code.name}", code) for code in own]
    return found


def has_both_directions(owner: ast.ClassDef) -> bool:
    """Tell whether a class is a layer, a loss or a network."""
    return {"forward", "backward"} <= {code.name for code in defined(owner)}


def defined(owner: ast.Module | ast.ClassDef) -> list[ast.FunctionDef]:
    """Return the functions defined in a file or class, but for those of a protocol, which have a docstring only."""
    return [code for code in owner.body if isinstance(code, ast.FunctionDef) and len(code.body) > 1]


def computing(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the node and what is in it, but for what only checks, explains or annotates."""
    if isinstance(node, (ast.Raise, ast.JoinedStr)) or is_check(node):
        return
    yield node
    for name, field in ast.iter_fields(node):
        if name not in ("annotation", "returns", "decorator_list"):
            for child in field if isinstance(field, list) else [field]:
                if isinstance(child, ast.AST):
                    yield from computing(child)


def is_check(node: ast.AST) -> bool:
    """Tell whether the node only checks: a call, an `if` that raises; or is a docstring."""
    if isinstance(node, ast.Expr):
        return is_check(node.value) or isinstance(node.value, ast.Constant)
    if isinstance(node, ast.If):
        return any(isinstance(statement, ast.Raise) for statement in node.body)
    return isinstance(node, ast.Call) and ast.unparse(node.func).strip("_").startswith("check")


def operands(node: ast.AST) -> list[ast.expr]:
    """Return the tensors, by name, that a call computes with, that a tuple hands on or that are returned."""
    given: list[ast.expr] = []
    if isinstance(node, ast.Call) and is_operation(node):
        given = node.args
    elif isinstance(node, (ast.Assign, ast.Return)) and isinstance(node.value, ast.Tuple):
        given = node.value.elts
    elif isinstance(node, ast.Return) and isinstance(node.value, ast.Name):
        given = [node.value]
    known = [one for one in given if isinstance(one, (ast.Name, ast.Attribute))]
    return [one for one in known if ast.unparse(one) not in NO_TENSORS]


def is_operation(call: ast.Call) -> bool:
    """Tell whether a call computes with tensors: one of torch's, one in place, a layer's, or what makes one of them."""
    if isinstance(call.func, ast.Attribute):
        of_torch = ast.unparse(call.func.value) == "torch" and call.func.attr != "empty_like"  # it reads no numbers
        return of_torch or is_in_place(call) or call.func.attr in ("forward", "backward", "gradients")
    return isinstance(call.func, ast.Name) and call.func.id.startswith(("Saved", "random_linear"))


def is_in_place(call: ast.Call) -> bool:
    """Tell whether a call is one of torch's methods that end in an underscore."""
    return isinstance(call.func, ast.Attribute) and call.func.attr.endswith("_") and not call.func.attr.endswith("__")


FILES = [path.name for path in sorted(PACKAGE.glob("*.py")) if functions(path.name, path.read_text(encoding="utf-8"))]
"""The files of the package that compute."""
