"""An exercise that many do: a whole backward pass by hand, line by line, through a batch norm and a cross-entropy.

A network that predicts the next letter: an embedding, a linear layer, batch norm, tanh, a linear layer, softmax with
cross-entropy, each written out in elementary operations, so that there are some twenty values between the letters and
the loss. Every line of its backward pass is broken in five ways: exactly that line has to be found.
"""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

ROWS, LETTERS, WIDTH, UNITS = 12, 9, 3, 10
"""The batch, the alphabet, the size of a letter's embedding, and the hidden units; three letters are read."""

FORWARD = """\
def forward(letters, following, C, W1, b1, gain, shift, W2, b2):
    n = len(letters)
    emb = C[letters]
    joined = emb.reshape(n, -1)
    before = joined @ W1 + b1
    mean = before.sum(0, keepdim=True) / n
    diff = before - mean
    diff2 = diff**2
    var = diff2.sum(0, keepdim=True) / (n - 1)
    inv = (var + 1e-5) ** -0.5
    normed = diff * inv
    hpre = gain * normed + shift
    h = torch.tanh(hpre)
    logits = h @ W2 + b2
    maxima = logits.max(1, keepdim=True).values
    moved = logits - maxima
    counts = moved.exp()
    total = counts.sum(1, keepdim=True)
    inverse = total**-1
    probs = counts * inverse
    logprobs = probs.log()
    loss = -logprobs[torch.arange(n), following].mean()
    return loss
"""


class Line(NamedTuple):
    """One line of the backward pass, and five ways to get it wrong."""

    right: str
    wrong: tuple[str, str, str, str, str]


LINES = (
    Line("dlogprobs = torch.zeros_like(logprobs)", ("",) * 5),
    Line(
        "dlogprobs[torch.arange(n), following] = -1 / n",
        (
            "dlogprobs[torch.arange(n), following] = 1 / n",
            "dlogprobs[torch.arange(n), following] = -1.0",
            "dlogprobs[:, following] = -1 / n",
            "dlogprobs[torch.arange(n), following.flip(0)] = -1 / n",
            "dlogprobs[torch.arange(n - 1), following[1:]] = -1 / n",
        ),
    ),
    Line(
        "dprobs = dlogprobs / probs",
        (
            "dprobs = dlogprobs * probs",
            "dprobs = -dlogprobs / probs",
            "dprobs = dlogprobs / probs**2",
            "dprobs = dlogprobs / counts",
            "dprobs = dlogprobs",
        ),
    ),
    Line(
        "dinverse = (counts * dprobs).sum(1, keepdim=True)",
        (
            "dinverse = (counts * dprobs).mean(1, keepdim=True)",
            "dinverse = (probs * dprobs).sum(1, keepdim=True)",
            "dinverse = -(counts * dprobs).sum(1, keepdim=True)",
            "dinverse = (counts * dprobs).sum(0)[:, None].mean() * torch.ones_like(inverse)",
            "dinverse = (counts + dprobs).sum(1, keepdim=True)",
        ),
    ),
    Line(
        "dtotal = -(total**-2) * dinverse",
        (
            "dtotal = total**-2 * dinverse",
            "dtotal = -(total**-1) * dinverse",
            "dtotal = -dinverse",
            "dtotal = -(inverse**3) * dinverse",
            "dtotal = -2 * total**-2 * dinverse",
        ),
    ),
    Line(
        "dcounts = inverse * dprobs",
        (
            "dcounts = inverse * torch.ones_like(counts)",
            "dcounts = total * dprobs",
            "dcounts = inverse * dprobs * probs",
            "dcounts = -inverse * dprobs",
            "dcounts = inverse * dprobs / n",
        ),
    ),
    Line(
        "dcounts += torch.ones_like(counts) * dtotal",
        (
            "dcounts = torch.ones_like(counts) * dtotal",
            "dcounts -= torch.ones_like(counts) * dtotal",
            "dcounts += counts * dtotal",
            "dcounts += torch.ones_like(counts) * dtotal / 2",
            "dcounts += torch.ones_like(counts) * dtotal.flip(0)",
        ),
    ),
    Line(
        "dmoved = counts * dcounts",
        (
            "dmoved = dcounts",
            "dmoved = moved * dcounts",
            "dmoved = probs * dcounts",
            "dmoved = -counts * dcounts",
            "dmoved = counts * dcounts * 1.02",
        ),
    ),
    Line(
        "dmaxima = (-dmoved).sum(1, keepdim=True)",
        (
            "dmaxima = (-dmoved).max(1, keepdim=True).values",
            "dmaxima = -dmoved[:, :1]",
            "dmaxima = (-dcounts).sum(1, keepdim=True)",
            "dmaxima = (-dmoved).abs().sum(1, keepdim=True)",
            "dmaxima = torch.ones_like(maxima)",
        ),
    ),
    Line(
        "dlogits = dmoved.clone()",
        (
            "dlogits = -dmoved.clone()",
            "dlogits = dcounts.clone()",
            "dlogits = dmoved / n",
            "dlogits = dmoved.flip(0)",
            "dlogits = dmoved * probs",
        ),
    ),
    Line(
        "dlogits += (logits == maxima) * dmaxima",
        (
            "dlogits = (logits == maxima) * dmaxima",
            "dlogits += (logits == maxima) * 0.1",
            "dlogits += (logits == maxima) * dmoved",
            "dlogits *= (logits == maxima)",
            "dlogits += maxima * dmoved",
        ),
    ),
    Line(
        "dh = dlogits @ W2.T",
        (
            "dh = dlogits @ W2.T.flip(0)",
            "dh = dmoved @ W2.T * 1.02",
            "dh = -dlogits @ W2.T",
            "dh = dlogits @ (W2 * W2).T",
            "dh = (dlogits @ W2.T).mean(0).expand_as(h)",
        ),
    ),
    Line(
        "dW2 = h.T @ dlogits",
        (
            "dW2 = hpre.T @ dlogits",
            "dW2 = h.T @ dlogits / n",
            "dW2 = h.T @ probs",
            "dW2 = (dlogits.T @ h).flip(0).T",
            "dW2 = -h.T @ dlogits",
        ),
    ),
    Line(
        "db2 = dlogits.sum(0)",
        (
            "db2 = dlogits.mean(0)",
            "db2 = dlogits[0]",
            "db2 = dlogits.sum(1)[:9]",
            "db2 = dlogits[1:].sum(0)",
            "db2 = probs.sum(0)",
        ),
    ),
    Line(
        "dhpre = (1 - h**2) * dh",
        (
            "dhpre = (1 - h) * dh",
            "dhpre = h * (1 - h) * dh",
            "dhpre = (1 - hpre**2) * dh",
            "dhpre = dh",
            "dhpre = (1 - h**2) + dh",
        ),
    ),
    Line(
        "dgain = (normed * dhpre).sum(0, keepdim=True)",
        (
            "dgain = (normed * dhpre).mean(0, keepdim=True)",
            "dgain = (diff * dhpre).sum(0, keepdim=True)",
            "dgain = dhpre.sum(0, keepdim=True)",
            "dgain = (normed * dh).sum(0, keepdim=True)",
            "dgain = (normed * dhpre)[:-1].sum(0, keepdim=True)",
        ),
    ),
    Line(
        "dshift = dhpre.sum(0, keepdim=True)",
        (
            "dshift = dhpre.mean(0, keepdim=True)",
            "dshift = dh.sum(0, keepdim=True)",
            "dshift = -dhpre.sum(0, keepdim=True)",
            "dshift = dhpre[:1]",
            "dshift = dhpre[1:].sum(0, keepdim=True)",
        ),
    ),
    Line(
        "dnormed = gain * dhpre",
        (
            "dnormed = dhpre",
            "dnormed = gain * dh",
            "dnormed = dhpre / gain",
            "dnormed = gain * dhpre * normed",
            "dnormed = gain.flip(1) * dhpre",
        ),
    ),
    Line(
        "dinv = (diff * dnormed).sum(0, keepdim=True)",
        (
            "dinv = (diff * dnormed).mean(0, keepdim=True)",
            "dinv = (normed * dnormed).sum(0, keepdim=True)",
            "dinv = (before * dnormed).sum(0, keepdim=True)",
            "dinv = dnormed.sum(0, keepdim=True)",
            "dinv = -(diff * dnormed).sum(0, keepdim=True)",
        ),
    ),
    Line(
        "ddiff = inv * dnormed",
        (
            "ddiff = dnormed.clone()",
            "ddiff = inv**2 * dnormed",
            "ddiff = inv * dhpre",
            "ddiff = var * dnormed",
            "ddiff = -inv * dnormed",
        ),
    ),
    Line(
        "dvar = -0.5 * (var + 1e-5) ** -1.5 * dinv",
        (
            "dvar = 0.5 * (var + 1e-5) ** -1.5 * dinv",
            "dvar = -0.5 * (var + 1e-5) ** -0.5 * dinv",
            "dvar = -((var + 1e-5) ** -1.5) * dinv",
            "dvar = -0.5 * (var + 1e-2) ** -1.5 * dinv",
            "dvar = -0.5 * inv * dinv",
        ),
    ),
    Line(
        "ddiff2 = torch.ones_like(diff2) * dvar / (n - 1)",
        (
            "ddiff2 = torch.ones_like(diff2) * dvar / n",
            "ddiff2 = torch.ones_like(diff2) * dvar",
            "ddiff2 = diff * dvar / (n - 1)",
            "ddiff2 = -torch.ones_like(diff2) * dvar / (n - 1)",
            "ddiff2 = torch.ones_like(diff2) * dvar.mean() / (n - 1)",
        ),
    ),
    Line(
        "ddiff += 2 * diff * ddiff2",
        (
            "ddiff = 2 * diff * ddiff2",
            "ddiff += diff * ddiff2",
            "ddiff -= 2 * diff * ddiff2",
            "ddiff += 2 * before * ddiff2",
            "ddiff += 2 * ddiff2",
        ),
    ),
    Line(
        "dbefore = ddiff.clone()",
        (
            "dbefore = -ddiff.clone()",
            "dbefore = ddiff * inv",
            "dbefore = ddiff / n",
            "dbefore = dnormed.clone()",
            "dbefore = ddiff.flip(0)",
        ),
    ),
    Line(
        "dmean = -ddiff.sum(0, keepdim=True)",
        (
            "dmean = -ddiff.mean(0, keepdim=True)",
            "dmean = ddiff.sum(0, keepdim=True)",
            "dmean = -dnormed.sum(0, keepdim=True)",
            "dmean = -ddiff[:1]",
            "dmean = -ddiff[1:].sum(0, keepdim=True)",
        ),
    ),
    Line(
        "dbefore += torch.ones_like(before) * dmean / n",
        (
            "dbefore = torch.ones_like(before) * dmean / n",
            "dbefore += torch.ones_like(before) * dmean",
            "dbefore -= torch.ones_like(before) * dmean / n",
            "dbefore += before * dmean / n",
            "dbefore += torch.ones_like(before) * dmean / (n - 1)",
        ),
    ),
    Line(
        "djoined = dbefore @ W1.T",
        (
            "djoined = ddiff @ W1.T",
            "djoined = dbefore @ W1.T.flip(0)",
            "djoined = -dbefore @ W1.T",
            "djoined = dbefore @ W1.T / n",
            "djoined = dbefore @ W1.T.roll(1, 1)",
        ),
    ),
    Line(
        "dW1 = joined.T @ dbefore",
        (
            "dW1 = joined.T @ ddiff",
            "dW1 = joined.flip(0).T @ dbefore",
            "dW1 = joined.T @ dbefore / n",
            "dW1 = joined.T @ dhpre",
            "dW1 = joined[1:].T @ dbefore[1:]",
        ),
    ),
    Line(
        "db1 = dbefore.sum(0)",
        (
            "db1 = dbefore[0]",
            "db1 = ddiff.sum(0)",
            "db1 = dhpre.sum(0)",
            "db1 = dbefore[1:].sum(0)",
            "db1 = dbefore.abs().sum(0)",
        ),
    ),
    Line(
        "demb = djoined.reshape(emb.shape)",
        (
            "demb = djoined.reshape(emb.shape).flip(1)",
            "demb = djoined.reshape(emb.shape) / 3",
            "demb = djoined.reshape(emb.shape).mean(1, keepdim=True).expand_as(emb)",
            "demb = emb * djoined.reshape(emb.shape)",
            "demb = -djoined.reshape(emb.shape)",
        ),
    ),
    Line("dC = torch.zeros_like(C)", ("",) * 5),
    Line(
        "dC.index_add_(0, letters.flatten(), demb.reshape(-1, C.shape[1]))",
        (
            "dC[letters] = demb",
            "dC.index_add_(0, letters.T.flatten(), demb.reshape(-1, C.shape[1]))",
            "dC.index_add_(0, letters[:, 0], demb[:, 0])",
            "dC.index_add_(0, letters[1:].flatten(), demb[1:].reshape(-1, C.shape[1]))",
            "dC.index_add_(0, letters.flatten(), emb.reshape(-1, C.shape[1]))",
        ),
    ),
)

VALUES = (
    "logprobs", "probs", "inverse", "total", "counts", "moved", "maxima", "logits", "h", "W2", "b2", "hpre", "gain",
    "shift", "normed", "inv", "diff", "var", "diff2", "before", "mean", "joined", "W1", "b1", "emb", "C",
)  # fmt: skip
"""The values whose gradients the lines compute."""


class Program(NamedTuple):
    """The two functions, their source, and the line that is broken, counted from 1; 0 where none is."""

    forward: Any
    values: Any
    """The same, returning everything that it computed by name."""
    backward: Any
    broken: int
    text: str
    """What is broken, as it stands there."""
    name: str
    """The value whose gradient is."""


def inputs(seed: int = 0, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """Return letters, the letters that follow, and parameters, by the names of forward's arguments."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    return {
        "letters": torch.randint(0, LETTERS, (ROWS, 3), generator=generator),
        "following": torch.randint(0, LETTERS, (ROWS,), generator=generator),
        "C": random(LETTERS, WIDTH),
        "W1": random(3 * WIDTH, UNITS) / 3,
        "b1": random(UNITS) / 10,
        "gain": 1 + random(1, UNITS) / 10,
        "shift": random(1, UNITS) / 10,
        "W2": random(UNITS, LETTERS) / 2,
        "b2": random(LETTERS) / 10,
    }


def program(broken: int | None = None, way: int = 0) -> Program:
    """Return the program with one of its lines broken in one of five ways, or none."""
    lines = [line.right for line in LINES]
    if broken is not None:
        lines[broken] = LINES[broken].wrong[way]
    arguments = "n, letters, following, " + ", ".join(VALUES)
    given = ", ".join(f"d{name}" for name in VALUES)
    text = "\n".join([f"def backward({arguments}):", *(f"    {line}" for line in lines), f"    return {given}", ""])
    name = f"<exercise {broken}, {way}>"
    space: dict[str, Any] = {"torch": torch}
    all_of_it = FORWARD.replace("def forward", "def values").replace("return loss", "return locals()")
    for source, file in ((FORWARD, f"{name} forward"), (all_of_it, f"{name} values"), (text, f"{name} backward")):
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        exec(compile(source, file, "exec"), space)  # our own text
    at = 0 if broken is None else broken + 2
    changed = "" if broken is None else lines[broken]
    value = changed.split("[")[0].split(".")[0].split(" ")[0].removeprefix("d") if changed else ""
    return Program(space["forward"], space["values"], space["backward"], at, changed, value)


def programs() -> Iterator[Program]:
    """Yield the program with each line broken in five ways."""
    for i, line in enumerate(LINES):
        for way, text in enumerate(line.wrong):
            if text:
                yield program(i, way)
