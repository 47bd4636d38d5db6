"""The file to fill in, for torch as ``template`` has it, and the same for numpy."""

from __future__ import annotations

from pathlib import Path

from torch_ref.grade import template

IN_NUMPY = (
    ("import torch\nfrom torch import Tensor\n", "import numpy as np\n"),
    (
        "plain tensor operations (@, *, sums, torch.exp, torch.where, ...). No autograd, no torch.nn, no\n"
        "*_backward function of torch, no import of somebody else's formulas.",
        "plain array operations (@, *, sums, np.exp, np.where, ...), and no import of somebody else's formulas.",
    ),
    ("float32 and float64, large numbers", "large numbers"),
    ("Results have the dtype of x. Change", "All arrays are float64. Change"),
    ("a tensor without dimensions", "a number"),
    ("torch.tensor(", "np.array("),
    ("Tensor", "np.ndarray"),
)  # fmt: skip
"""What another library changes: words of the template, and what stands for them."""


def text(kind: str) -> str:
    """Return the template for torch or numpy."""
    found = Path(template.__file__).read_text(encoding="utf-8")
    for words, others in IN_NUMPY if kind == "numpy" else ():
        found = found.replace(words, others)
    return found
