"""What Python puts into the page: the worked examples by both engines, the slides' numbers, the formulas.

Every number is float64 from its first digit on; JSON carries all of its bits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from manual_bp import Linear, SoftmaxCrossEntropy
from torch_ref.known import KNOWN
from torch_ref.known.equations import EQUATIONS
from torch_ref.lesson.page.digit import digit_data
from torch_ref.lesson.page.templates import formulas, texts
from torch_ref.lesson.walk import examples, paper
from torch_ref.lesson.walk.activations import ACTIVATIONS, activation_of
from torch_ref.lesson.walk.both import Both, given, target_of
from torch_ref.lesson.walk.examples import Example
from torch_ref.lesson.walk.quantities import pass_by_hand, scalars
from torch_ref.verdict.judge import quantity

X1_TARGET = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
"""X1 is forward only. With a target of ours the page can take it through the backward pass too."""


def page_data(opening: Example | None = None) -> dict[str, Any]:
    """Return all that the page's scripts find as DATA; the page begins with ``opening``, or with X2."""
    begins = {} if opening is None else {"opening": {"title": _title(opening), "network": plain(opening)}}
    return begins | {
        "formulas": formulas(),
        "texts": texts(),
        "equations": equations(),
        "cited": cited(),
        "x1": x1(),
        "x2": x2(),
        "digit": digit_data(),
        "versions": {"torch": torch.__version__.partition("+")[0]},
    }


def cited() -> dict[str, dict[str, str]]:
    """Return how each formula is cited, by its owner and what it makes: 'E14, its sum' for linear, error."""
    owners: dict[str, object] = {"linear": Linear(torch.ones(1, 1)), **examples.LOSSES}
    owners |= {name: known.layer for name, known in ACTIVATIONS.items()}
    return {
        name: {makes: quantity("", owner, makes).cited for makes in KNOWN[type(owner)].formulas}
        for name, owner in owners.items()
    }


def equations() -> dict[str, dict[str, str]]:
    """Return the lecture's equations by number, in words and as text."""
    return {number: {"words": one.words, "text": one.text} for number, one in EQUATIONS.items()}


def sheet_data(seed: int, count: int) -> dict[str, Any]:
    """Return what the scripts of a sheet of exercises find as DATA."""
    return {
        "formulas": formulas(),
        "texts": texts(),
        "equations": equations(),
        "cited": cited(),
        "x2": x2(),
        "versions": {"torch": torch.__version__.partition("+")[0]},
        "sheet": {"seed": seed, "count": count},
    }


def x1() -> dict[str, Any]:
    """Return X1: the network, and for both inputs the numbers by hand and those that the slides print."""
    inputs = [
        {
            "x": example.x[0].tolist(),
            "numbers": scalars(pass_by_hand(example.network, example.x, X1_TARGET, example.lr)),
            "printed": {name: _minus(slide.printed) for name, slide in example.slides.items()},
        }
        for example in map(examples.x1, (1, 2))
    ]
    return {"network": plain(replace(examples.x1(1), t=X1_TARGET)), "inputs": inputs}


def x2() -> dict[str, Any]:
    """Return X2: the network, every number by hand, by autograd and on paper, and the slides' calculations."""
    both = Both.of(examples.x2())
    steps = {step.name: step for step in both.steps()}
    on_paper = paper.on_paper(list(steps.values()), given(both.example), paper.rounding_of(both.example))
    return {
        "network": plain(both.example),
        "byHand": scalars(both.hand),
        "autograd": scalars(both.autograd),
        "slides": {
            name: {
                "printed": _minus(slide.printed),
                "calculation": slide.calculation,
                "unrounded": _minus(f"{float(steps[name].formula.value(on_paper)):.5g}"),
            }
            for name, slide in both.example.slides.items()
        },
        "onPaper": {name: float(on_paper[name]) for name in steps},
    }


def plain(example: Example) -> dict[str, Any]:
    """Return an example's network and sample as the page's plain object."""
    linears = [layer for layer in example.network.layers if isinstance(layer, Linear)]
    softmax = isinstance(example.network.loss_function, SoftmaxCrossEntropy)
    return {
        "sizes": example.sizes,
        "activation": _activation(example),
        "loss": "cross-entropy" if softmax else "squared-error",
        "weights": [linear.weight.tolist() for linear in linears],
        "biases": [_listed(linear.bias) for linear in linears] if example.has_biases else None,
        "x": example.x[0].tolist(),
        "t": target_of(example)[0].tolist(),
        "lr": example.lr,
    }


def _activation(example: Example) -> str:
    """Return the page's name of the activation."""
    activation = activation_of(example.network)
    return next(name for name, one in ACTIVATIONS.items() if one is activation)


def _title(example: Example) -> str:
    """Return the title as the page writes it: Random network, seed 5."""
    return example.title.replace("Random,", "Random network,")


def _listed(bias: Tensor | None) -> list[float]:
    if bias is None:
        raise ValueError("the page expects a bias in every layer or in none, got one in some layers alone")
    numbers: list[float] = bias.tolist()
    return numbers


def _minus(number: str) -> str:
    """Return a printed number with a real minus sign."""
    return number.replace("-", "−")
