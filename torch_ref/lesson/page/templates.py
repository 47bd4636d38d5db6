r"""The formulas that the page puts together: templates in LaTeX, which become MathML, and in plain text.

``@l`` stands for a part that the page puts in: an index, a number, or another formula. A step's formula is made of
these few pieces twice: once with the lecture's symbols in the places, once with this network's numbers.

    difference of t and y    "@a - @b"    t_1 − y_1    0.5 − 0.690283
"""

from __future__ import annotations

import re

from torch_ref.lesson.page.build import mathml

TEMPLATES: dict[str, tuple[str, str]] = {
    # The lecture's quantities, of unit i of layer l, and of the weight that leads to it from unit j.
    "net": (r"\text{net}^{@l}_{@i}", "net^@l_@i"),
    "x": (r"x^{@l}_{@i}", "x^@l_@i"),
    "y": (r"y_{@i}", "y_@i"),
    "t": (r"t_{@i}", "t_@i"),
    "L": (r"L", "L"),
    "e": (r"e^{@l}_{@i}", "e^@l_@i"),
    "delta": (r"\delta^{@l}_{@i}", "δ^@l_@i"),
    "W": (r"W^{@l}_{@i@j}", "W^@l_@i@j"),
    "b": (r"b^{@l}_{@i}", "b^@l_@i"),
    "dW": (r"\frac{\partial L}{\partial W^{@l}_{@i@j}}", "∂L/∂W^@l_@i@j"),
    "db": (r"\frac{\partial L}{\partial b^{@l}_{@i}}", "∂L/∂b^@l_@i"),
    "eta": (r"\eta", "η"),
    # What they are put together with.
    "equal": (r"@a = @b", "@a = @b"),
    "becomes": (r"@a \leftarrow @b", "@a ← @b"),
    "sum": (r"@a + @b", "@a + @b"),
    "difference": (r"@a - @b", "@a − @b"),
    "beside": (r"@a\,@b", "@a @b"),
    "times": (r"@a \cdot @b", "@a·@b"),
    "negative": (r"-@a", "−@a"),
    "bracket": (r"(@a)", "(@a)"),
    "half": (r"\tfrac{1}{2}\,@a", "½ @a"),
    "power-of-ten": (r"@a \cdot 10^{@b}", "@ae@b"),
    # E3 and its relatives, and their derivatives from what the unit put out (E16).
    "activation": (r"\sigma(@a)", "σ(@a)"),
    "slope": (r"\sigma'(@a)", "σ′(@a)"),
    "sigmoid": (r"\frac{1}{1 + e^{-@a}}", "1/(1 + e^(−@a))"),
    "sigmoid-slope": (r"@a\,(1 - @a)", "@a (1 − @a)"),
    "sigmoid-slope-in-numbers": (r"@a \cdot (1 - @a)", "@a·(1 − @a)"),
    "tanh": (r"\tanh(@a)", "tanh(@a)"),
    "tanh-slope": (r"(1 - (@a)^{2})", "(1 − (@a)²)"),
    "relu": (r"\max(0, @a)", "max(0, @a)"),
    # Softmax (E5) and the losses (E6, E8).
    "exponential": (r"e^{@a}", "e^(@a)"),
    "softmax": (r"\frac{@a}{@b}", "@a/(@b)"),
    "square-of-difference": (r"(@a - @b)^{2}", "(@a − @b)²"),
    "logarithm": (r"\ln(@a)", "ln(@a)"),
}

_PLACE = re.compile(r"@[a-z]")
_MATH = re.compile(r"<math [^>]*>(?P<inside>.*)</math>")


def formulas() -> dict[str, str]:
    """Return each template in MathML, without the element ``math`` around it; a place is ``<mtext>@l</mtext>``."""
    return {key: _template(latex) for key, (latex, _) in TEMPLATES.items()}


def texts() -> dict[str, str]:
    """Return each template in plain text, for what cannot show mathematics."""
    return {key: text for key, (_, text) in TEMPLATES.items()}


def _template(latex: str) -> str:
    whole = _MATH.fullmatch(mathml(_PLACE.sub(r"\\text{\g<0>}", latex)))
    if whole is None:
        raise ValueError(f"latex2mathml gave no single element math for {latex}")
    return whole["inside"]
