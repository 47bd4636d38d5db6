"""Student files: the right one, and pieces of it with one thing changed."""

from pathlib import Path

HEAD = """
import torch
from dataclasses import dataclass
"""

LINEAR = """
@dataclass(frozen=True)
class Linear:
    weight: torch.Tensor
    bias: torch.Tensor | None = None

    def forward(self, x):
        net = x @ self.weight.T
        return (net if self.bias is None else net + self.bias), x

    def backward(self, error, saved):
        gradients = {"weight": -error.T @ saved}
        if self.bias is not None:
            gradients["bias"] = -error.sum(0)
        return error @ self.weight, gradients
"""

SIGMOID = """
class Sigmoid:
    def forward(self, x):
        y = 1 / (1 + torch.exp(-x))
        return y, y

    def backward(self, error, saved):
        return saved * (1 - saved) * error, {}
"""

TANH = """
class Tanh:
    def forward(self, x):
        y = 2 / (1 + torch.exp(-2 * x)) - 1
        return y, (x, y)

    def backward(self, error, saved):
        x, y = saved
        return error - error * y * y, {}
"""

RELU = """
class ReLU:
    def forward(self, x):
        return torch.where(x > 0, x, 0.0), {"on": x > 0}

    def backward(self, error, saved):
        return torch.where(saved["on"], error, 0.0), {}
"""

SQUARED_ERROR = """
@dataclass(frozen=True)
class SquaredError:
    reduction: str = "mean"

    def output(self, x):
        return x

    def forward(self, x, t):
        n = len(x) if self.reduction == "mean" else 1
        return ((t - x) ** 2).sum() / (2 * n), (x, t, n)

    def backward(self, saved):
        y, t, n = saved
        return (t - y) / n
"""

SOFTMAX = """
@dataclass(frozen=True)
class SoftmaxCrossEntropy:
    reduction: str = "mean"

    def log_output(self, x):
        shifted = x - x.amax(1, keepdim=True)
        return shifted - torch.log(torch.exp(shifted).sum(1, keepdim=True))

    def output(self, x):
        return torch.exp(self.log_output(x))

    def forward(self, x, t):
        n = len(x) if self.reduction == "mean" else 1
        return -(t * self.log_output(x)).sum() / n, (self.output(x), t, n)

    def backward(self, saved):
        y, t, n = saved
        return t / n - y / n
"""

RIGHT = HEAD + LINEAR + SIGMOID + TANH + RELU + SQUARED_ERROR + SOFTMAX


def changed(source: str, *changes: tuple[str, str]) -> str:
    """Return the source with every piece replaced; each of them has to be there."""
    for old, new in changes:
        if old not in source:
            raise AssertionError(f"{old!r} is not in the file")
        source = source.replace(old, new)
    return source


MISSING_SLOPE = changed(RIGHT, ("saved * (1 - saved) * error", "error"))
TRANSPOSED = HEAD + changed(
    LINEAR, ("error @ self.weight,", "error @ self.weight.T,"), ("-error.T @ saved", "-saved.T @ error")
)
ZEROS = HEAD + changed(
    LINEAR + SIGMOID,
    ("        net = x @ self.weight.T\n", "        net = torch.zeros(len(x), len(self.weight), dtype=x.dtype)\n"),
    ("net + self.bias", "net"),
    ("-error.T @ saved", "torch.zeros_like(self.weight)"),
    ("-error.sum(0)", "torch.zeros_like(self.bias)"),
    ("error @ self.weight, gradients", "torch.zeros_like(saved), gradients"),
    ("1 / (1 + torch.exp(-x))", "torch.zeros_like(x)"),
    ("saved * (1 - saved) * error", "torch.zeros_like(error)"),
)
HANGING = HEAD + changed(TANH, ("        x, y = saved\n", "        while True:\n            pass\n")) + SIGMOID


def write(folder: Path, source: str) -> Path:
    """Write a student's file."""
    path = folder / "student.py"
    path.write_text(source, encoding="utf-8")
    return path


ACCIDENTS = (
    HEAD
    + "import os, signal, sys\n"
    + changed(LINEAR, ("        net = x @", '        raise ValueError("boom")\n        net = x @'))
    + changed(SIGMOID, ("        return saved *", "        os._exit(3)\n        return saved *"))
    + changed(
        TANH,
        ("        y = 2 /", '        print("y" * 1_000_000)\n        y = 2 /'),
        ("        x, y = saved", "        x, y = saved[0], torch.zeros(1 << 28)"),
    )
    + changed(
        RELU,
        ("torch.where(x > 0, x, 0.0), {", "torch.where(x > 0, x, 0.0).sum(1), {"),
        ("error, 0.0), {}", "error, 0.0).float(), {}"),
    )
    + changed(
        SQUARED_ERROR,
        ("return x\n", "return x.tolist()\n"),
        ("((t - x) ** 2)", "(x.sub_(t) ** 2)"),
        ("        return (t - y) / n", "        os.kill(os.getpid(), signal.SIGSEGV)"),
    )
    + changed(
        SOFTMAX,
        ("return torch.exp(self.log_output(x))", "return torch.full_like(x, 0.25)"),
        ("return -(t * self.log_output(x)).sum() / n,", "return torch.tensor(0.7314, dtype=x.dtype),"),
        ("return t / n - y / n", "sys.exit()"),
    )
)
"""Every formula but two goes wrong in a way of its own."""

FORMULAS = [
    "return (x @ self.weight.T if self.bias is None else x @ self.weight.T + self.bias), x",
    """gradients = {"weight": -error.T @ saved} | ({} if self.bias is None else {"bias": -error.sum(0)})
        return error @ self.weight, gradients""",
    "y = torch.sigmoid(x)\n        return y, y",
    "return (1 - saved) * error * saved, {}",
    "y = torch.tanh(x)\n        return y, y",
    "return (1 - saved * saved) * error, {}",
    "y = torch.clamp_min(x, 0)\n        return y, y",
    "return torch.sign(saved) * error, {}",
    "return x",
    "n = len(x) if self.reduction == 'mean' else 1\n        return ((t - x) ** 2).sum() / (2 * n), ((t - x), n)",
    "return saved[0] * (1 / saved[1])",
    "return torch.softmax(x, 1)",
    """n = len(x) if self.reduction == "mean" else 1
        shifted = x - x.amax(1, keepdim=True)
        y, log_sum = torch.softmax(x, 1), torch.exp(shifted).sum(1, keepdim=True).log()
        return (log_sum - (shifted * t).sum(1, keepdim=True)).sum() / n, (y, t, 1 / n)""",
    "return saved[1] * saved[2] - saved[0] * saved[2]",
]
"""For the template's TODOs, in their order: the formulas of ``manual_bp``."""


def filled(template: str) -> str:
    """Return the template with a formula in the place of every TODO."""
    first, *rest = template.split("raise NotImplementedError(")
    ends = [part.split(")\n", 1)[1] for part in rest]
    return first + "".join(f"{body}\n{end}" for body, end in zip(FORMULAS, ends, strict=True))
