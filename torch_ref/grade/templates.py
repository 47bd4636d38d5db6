"""The file to fill in for a chapter, in torch as the files ``template…`` have it, and the same in numpy."""

from __future__ import annotations

from pathlib import Path

from torch_ref.grade import template_of_network
from torch_ref.grade.whole_network import read

FILES = {
    "lecture": "template.py",
    "convolution": "template_convolution.py",
    "norm": "template_norm.py",
    "recurrent": "template_recurrent.py",
}

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


def text(kind: str, chapter: str = "lecture", network: Path | None = None) -> str:
    """Return the template of a chapter for torch or numpy; that of a whole network for a lecturer's file."""
    if chapter == "network":
        found = template_of_network.text(read(network))
    else:
        found = (Path(__file__).parent / FILES[chapter]).read_text(encoding="utf-8")
    for words, others in IN_NUMPY if kind == "numpy" else ():
        found = found.replace(words, others)
    return found


def every() -> list[str]:
    """Return all of them but those of a lecturer's own networks."""
    return [text(kind, chapter) for chapter in (*FILES, "network") for kind in ("torch", "numpy")]
