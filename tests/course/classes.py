"""Right classes as students write them, in words that torch and numpy share: ``xp`` stands for either.

A class has a formula for each thing that it makes, in several orders of operations. Around them the file is written in
one of several ways: by the template's protocol, with everything kept on ``self``, with a base class, ...
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from textwrap import indent

from course.helpers import HELPERS

NUMBER = "n = len(x) if self.reduction == 'mean' else 1"


@dataclass(frozen=True)
class Written:
    """A layer or loss: what its constructor takes, how names begin in its methods, and its formulas."""

    name: str
    takes: str
    """The arguments of the constructor."""
    begins: str
    """What stands first in forward and in backward."""
    back: str
    """What stands besides in backward, where ``x``, ``y`` and the error ``e`` are known."""
    formulas: Mapping[str, tuple[str, ...]]
    """By what is made: the right formula in several orders of operations."""
    letters: Mapping[str, str]
    """Short names of the parameters."""
    needs: tuple[str, ...] = ()
    """The helpers that it calls."""

    @property
    def is_loss(self) -> bool:
        """Tell whether it is a loss."""
        return "output" in self.formulas


def _activation(name: str, forward: tuple[str, ...], error: tuple[str, ...], needs: tuple[str, ...] = ()) -> Written:
    return Written(name, "", "", "", {"forward": forward, "error": error}, {}, needs)


WITH_B = "w = self.weight\nb = 0 if self.bias is None else self.bias"

CONV = """w, s, p = self.weight, self.stride, self.padding
b = xp.zeros_like(w[:, 0, 0, 0]) if self.bias is None else self.bias
cols = columns(x, w.shape[2:], s, p)"""

POOL = "k, s = self.kernel, self.stride\nboxes = columns(x, (k, k), s, 0)"

NORM = """w, b = self.weight, self.bias
c = x - x.mean(1, keepdims=True)
v = (c * c).mean(1, keepdims=True)
r = 1 / xp.sqrt(v + self.epsilon)
h = c * r"""

STEPS = "W, V, b, c = self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0"

CLASSES = {
    one.name: one
    for one in (
        Written(
            "Linear", "weight, bias=None", WITH_B, "",
            {
                "forward": ("x @ w.T + b", "(w @ x.T).T + b", "xp.einsum('ij,kj->ik', x, w) + b"),
                "error": ("e @ w", "(w.T @ e.T).T", "xp.einsum('ij,jk->ik', e, w)"),
                "weight": ("-e.T @ x", "-(x.T @ e).T", "-sum(e[i][:, None] * x[i] for i in range(len(x)))"),
                "bias": ("-e.sum(0)", "(-e).sum(0)", "sum(-row for row in e)"),
            },
            {"weight": "W", "bias": "b"},
        ),
        _activation(
            "Sigmoid",
            ("1 / (1 + xp.exp(-x))", "0.5 * (xp.tanh(0.5 * x) + 1)", "sigmoid(x)"),
            ("e * y * (1 - y)", "e * (y - y * y)", "y * e - y * y * e", "(1 - y) * (y * e)"),
            ("sigmoid",),
        ),
        _activation(
            "Tanh",
            ("xp.tanh(x)", "2 / (1 + xp.exp(-2 * x)) - 1", "2 * sigmoid(2 * x) - 1"),
            ("e * (1 - y * y)", "e - e * y ** 2", "(1 - y) * (1 + y) * e"),
            ("sigmoid",),
        ),
        _activation(
            "ReLU",
            ("xp.where(x > 0, x, 0 * x)", "x * (x > 0)", "(x + xp.abs(x)) / 2"),
            ("e * (x > 0)", "xp.where(x > 0, e, 0 * e)", "xp.sign(xp.where(x > 0, x, 0 * x)) * e"),
        ),
        Written(
            "SquaredError", "reduction='mean'", NUMBER, "",
            {
                "output": ("x", "x + 0", "1 * x"),
                "forward": ("((t - x) ** 2).sum() / (2 * n)", "0.5 * ((x - t) * (x - t) / n).sum()",
                            "((x * x).sum() - 2 * (x * t).sum() + (t * t).sum()) / n / 2"),
                "error": ("(t - x) / n", "t / n - x / n", "-(x - t) * (1 / n)"),
            },
            {},
        ),
        Written(
            "SoftmaxCrossEntropy", "reduction='mean'", NUMBER, "",
            {
                "output": ("softmax(x)", "xp.exp(log_softmax(x))", "softmax(x, 1)"),
                "forward": ("-(t * log_softmax(x)).sum() / n", "-(t / n * log_softmax(x)).sum()",
                            "(xp.log(xp.exp(x - top(x)).sum(1)) - ((x - top(x)) * t).sum(1)).sum() / n"),
                "error": ("(t - y) / n", "t / n - y / n", "-(y - t) * (1 / n)"),
            },
            {},
            ("top", "softmax", "log_softmax", "sigmoid"),
        ),
        Written(
            "Conv2d", "weight, bias=None, stride=1, padding=0", CONV, "d = e",
            {
                "forward": ("xp.einsum('cdij,ndijpq->ncpq', w, cols) + b[:, None, None]",
                            "(rows(w) @ flat(cols)).reshape(shape_of(cols, len(w))) + b[:, None, None]",
                            "slid(x, w, b, s, p)"),
                "error": ("folded(xp.einsum('cdij,ncpq->ndijpq', w, d), x, s, p)", "sent_back(d, w, x, s, p)",
                          "folded(xp.einsum('ncpq,cdij->ndijpq', d, w), x, s, p)"),
                "weight": ("-xp.einsum('ncpq,ndijpq->cdij', d, cols)",
                           "-xp.einsum('ndijpq,ncpq->ncdij', cols, d).sum(0)",
                           "-(d.reshape(len(d), len(w), -1) @ xp.einsum('nkp->npk', flat(cols))).sum(0)"
                           ".reshape(w.shape)"),
                "bias": ("-d.sum((0, 2, 3))", "-d.sum(0).sum(1).sum(1)", "(-d).sum((2, 3)).sum(0)"),
            },
            {"weight": "W", "bias": "b"},
            ("pad", "columns", "folded", "rows", "flat", "shape_of", "slid", "sent_back", "counts"),
        ),
        Written(
            "MaxPool2d", "kernel, stride", POOL, "",
            {
                "forward": ("xp.amax(boxes, (2, 3))", "xp.amax(xp.amax(boxes, 2), 2)", "largest(x, k, s)"),
                "error": ("folded(first(boxes) * e[:, :, None, None], x, s, 0)", "to_winners(e, x, k, s)",
                          "folded(e[:, :, None, None] * first(boxes), x, s, 0)"),
            },
            {},
            ("pad", "columns", "folded", "first", "largest", "to_winners"),
        ),
        Written(
            "AvgPool2d", "kernel, stride", POOL, "",
            {
                "forward": ("boxes.mean((2, 3))", "boxes.sum((2, 3)) / k ** 2", "boxes.sum(2).sum(2) / (k * k)"),
                "error": ("folded(xp.ones_like(boxes) * e[:, :, None, None] / k ** 2, x, s, 0)",
                          "folded(xp.ones_like(boxes) * e[:, :, None, None], x, s, 0) / (k * k)",
                          "to_all(e / (k * k), x, k, s)"),
            },
            {},
            ("pad", "columns", "folded", "to_all", "first"),
        ),
        _activation("Flatten", ("x.reshape(len(x), -1)", "x.reshape(x.shape[0], x[0].reshape(-1).shape[0])"),
                    ("e.reshape(x.shape)", "(1 * e).reshape(*x.shape)")),
        Written(
            "LayerNorm", "weight, bias, epsilon=1e-5", NORM, "g = e * w\nn = x.shape[1]",
            {
                "forward": ("w * h + b", "w * (x - x.mean(1, keepdims=True)) * r + b", "b + c * (r * w)"),
                "error": ("r * (g - g.mean(1, keepdims=True) - h * (g * h).mean(1, keepdims=True))",
                          "by_paths(g, c, r, n)",
                          "r / n * (n * g - g.sum(1, keepdims=True) - h * (g * h).sum(1, keepdims=True))"),
                "weight": ("-(e * h).sum(0)", "-xp.einsum('ij,ij->j', e, h)", "-(e * r * c).sum(0)"),
                "bias": ("-e.sum(0)", "(-e).sum(0)", "-xp.einsum('ij->j', e)"),
            },
            {"weight": "w", "bias": "b"},
            ("by_paths",),
        ),
        Written(
            "RNN", "weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0", STEPS, "deltas = went_back(e, y, V)",
            {
                "forward": ("outputs(x, W, V, b + c)", "outputs(x, W, V, c + b)", "outputs_by_list(x, W, V, b, c)"),
                "error": ("deltas @ W", "xp.einsum('nti,ij->ntj', deltas, W)",
                          "xp.stack([deltas[:, t] @ W for t in range(x.shape[1])], 1)"),
                "weight_ih_l0": ("-xp.einsum('nti,ntj->ij', deltas, x)",
                                 "-sum(deltas[:, t].T @ x[:, t] for t in range(x.shape[1]))",
                                 "-deltas.reshape(-1, len(W)).T @ x.reshape(-1, W.shape[1])"),
                "weight_hh_l0": ("-xp.einsum('nti,ntj->ij', deltas, before(y))",
                                 "-sum((deltas[:, t].T @ y[:, t - 1] for t in range(1, x.shape[1])), 0 * V)",
                                 "-xp.einsum('nti,ntj->tij', deltas, before(y)).sum(0)"),
                "bias_ih_l0": ("-deltas.sum((0, 1))", "-deltas.sum(0).sum(0)", "-deltas.sum(1).sum(0)"),
                "bias_hh_l0": ("-deltas.sum((0, 1))", "-deltas.sum(1).sum(0)", "-deltas.sum(0).sum(0)"),
            },
            {"weight_ih_l0": "Wx", "weight_hh_l0": "Wh", "bias_ih_l0": "bx", "bias_hh_l0": "bh"},
            ("before", "outputs", "outputs_by_list", "went_back"),
        ),
    )
}  # fmt: skip


# ----------------------------------------------------------------------------------------------- the ways of writing


def _lines(*texts: str) -> str:
    return "\n".join(text for text in texts if text)


def _method(head: str, *texts: str) -> str:
    return f"    def {head}:\n" + indent(_lines(*texts), " " * 8) + "\n"


def _init(one: Written) -> str:
    names = [argument.partition("=")[0] for argument in one.takes.split(", ")] if one.takes else []
    return _method(f"__init__(self, {one.takes})", *(f"self.{n} = {n}" for n in names)) if names else ""


def _gradients(one: Written, f: Mapping[str, str], put: Callable[[str, str], str]) -> str:
    made = [name for name in f if name not in ("forward", "error", "output")]
    optional = "bias=None" in one.takes
    return _lines(
        *(
            f"if self.bias is not None:\n    {put(name, f[name])}"
            if optional and name == "bias"
            else put(name, f[name])
            for name in made
        )
    )


def by_protocol(one: Written, f: Mapping[str, str], keep: str = "(x, y)", take: str = "x, y = saved") -> str:
    """Write a layer as the template does; ``keep`` is what forward saves."""
    gradients = _gradients(one, f, lambda name, formula: f'gradients["{name}"] = {formula}')
    return (
        _init(one)
        + _method("forward(self, x)", one.begins, f"y = {f['forward']}", f"return y, {keep}")
        + _method(
            "backward(self, e, saved)", take, one.begins, one.back, "gradients = {}", gradients,
            f"error = {f['error']}", "return error, gradients",
        )
    )  # fmt: skip


def in_a_dict(one: Written, f: Mapping[str, str]) -> str:
    """Write a layer that saves a dict."""
    return by_protocol(one, f, '{"in": x, "out": y}', 'x, y = saved["in"], saved["out"]')


def in_a_list(one: Written, f: Mapping[str, str]) -> str:
    """Write a layer that saves a list, and y in a tuple in it."""
    return by_protocol(one, f, "[x, (y, 1)]", "x, (y, _) = saved")


def on_itself(one: Written, f: Mapping[str, str]) -> str:
    """Write a layer that keeps everything on itself, and gradients as self.dW."""
    gradients = _gradients(one, f, lambda name, formula: f"self.d{one.letters[name]} = {formula}")
    return (
        _init(one)
        + _method("forward(self, x)", one.begins, f"self.x, self.y = x, {f['forward']}", "return self.y")
        + _method("backward(self, e)", "x, y = self.x, self.y", one.begins, one.back, gradients, f"return {f['error']}")
    )


def in_grads(one: Written, f: Mapping[str, str]) -> str:
    """Write a layer with dicts of parameters and gradients under the same names."""
    kept = "{" + ", ".join(f'"{letter}": self.{name}' for name, letter in one.letters.items()) + "}"
    gradients = _gradients(one, f, lambda name, formula: f'self.grads["{one.letters[name]}"] = {formula}')
    return (
        _init(one)
        + _method(
            "forward(self, x)", one.begins, f"self.params, self.grads = {kept}, {{}}", f"y = {f['forward']}",
            "self.cache = (x, y)", "return y",
        )
        + _method("backward(self, e)", "x, y = self.cache", one.begins, one.back, gradients, f"return {f['error']}")
    )  # fmt: skip


LAYERS = (by_protocol, on_itself, in_a_dict, in_grads, in_a_list)


def a_loss(one: Written, f: Mapping[str, str]) -> str:
    """Write a loss as the template does."""
    return (
        _init(one)
        + _method("output(self, x)", f"return {f['output']}")
        + _method("forward(self, x, t)", one.begins, f"return {f['forward']}, (x, {f['output']}, t)")
        + _method("backward(self, saved)", "x, y, t = saved", one.begins, f"return {f['error']}")
    )


def a_loss_on_itself(one: Written, f: Mapping[str, str]) -> str:
    """Write a loss that keeps everything on itself."""
    return (
        _init(one)
        + _method("output(self, x)", f"return {f['output']}")
        + _method("forward(self, x, t)", one.begins, "self.x, self.t = x, t", f"self.y = {f['output']}",
                  f"return {f['forward']}")
        + _method("backward(self)", "x, y, t = self.x, self.y, self.t", one.begins, f"return {f['error']}")
    )  # fmt: skip


LOSSES = (a_loss, a_loss_on_itself)


def source(name: str, style: int, wrong: Mapping[str, str] | None = None) -> str:
    """Return a class in the style of that number, its formulas in that order; ``wrong`` ones in their place."""
    one = CLASSES[name]
    chosen = {makes: orders[(style + i) % len(orders)] for i, (makes, orders) in enumerate(one.formulas.items())}
    ways = LOSSES if one.is_loss else LAYERS
    return f"class {name}:\n" + ways[style % len(ways)](one, chosen | dict(wrong or {})) + "\n"


def file(names: list[str], style: int, library: str, wrong: Mapping[str, Mapping[str, str]] | None = None) -> str:
    """Return a student's file of these classes for torch or numpy."""
    short = {"torch": "torch", "numpy": "np"}[library]
    needed = dict.fromkeys(helper for name in names for helper in CLASSES[name].needs)
    parts = [f"import {library}{' as np' if library == 'numpy' else ''}\n"]
    parts += [HELPERS[helper] for helper in HELPERS if helper in needed]
    parts += [source(name, style, (wrong or {}).get(name)) for name in names]
    return "\n\n".join(parts).replace("xp.", f"{short}.")
