"""One meaning for each equation number: the checker's table, the terminal, the page and the notebook say the same.

A formula is reduced to what is left of its right side without indices, sums, brackets and spaces: 'Wx+b', '−δx'.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import pytest
from places import ROOT

from torch_ref.known.equations import EQUATIONS
from torch_ref.lesson.page.build import equation_line, source
from torch_ref.lesson.walk.activations import ACTIVATIONS
from torch_ref.lesson.walk.examples import LOSSES, random_example
from torch_ref.lesson.walk.expression import SYMBOLS
from torch_ref.lesson.walk.steps import walk
from torch_ref.verdict.judge import quantity

LAYER = random_example([1, 1], "sigmoid", "squared-error", 1, 0.5, bias=True).network.layers[0]
OWNERS = {"linear": LAYER, **{name: known.layer for name, known in ACTIVATIONS.items()}, **LOSSES}
MAKES = dict.fromkeys(ACTIVATIONS, ("forward", "error")) | {
    "linear": ("forward", "error", "weight", "bias"),
    "squared-error": ("forward", "error"),
    "cross-entropy": ("output", "forward", "error"),
}

SIGNS = {
    r"\delta": "δ", r"\sigma'": "σ′", r"\sigma": "σ", r"(\theta)": "", r"\theta": "θ", r"\eta": "η", r"\ln": "ln",
    r"\partial": "∂", r"\nabla": "", r"\leftarrow": "=", r"\cdots": "…", r"\cdot": "", r"\quad": " ", r"\;": " ",
    r"\,": " ", r"^\top": "", r"\text{net}": "net", r"\le": "≤",
}  # fmt: skip
GROUP = r"\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"


def plain(latex: str) -> str:
    """Return LaTeX in the signs of the tables."""
    latex = re.sub(r"\\tfrac12|\\t?frac\{1\}\{2\}", "½ ", latex)
    while r"\frac" in latex:
        latex = re.sub(r"\\t?frac" + GROUP * 2, r"\1 / \2", latex)
    latex = re.sub(r"\\sum(_\w)?", " ", latex)
    for command, sign in SIGNS.items():
        latex = latex.replace(command, sign)
    assert "\\" not in latex.partition("≤")[0], latex
    return re.sub(r"e\^\{(-z|net\w*|net_\{\w\})\}", r"e^(\1)", latex.partition("≤")[0])


def reduced(formula: str) -> str:
    """Reduce the right side of a formula; a slope that is given, σ′ = …, takes the place of σ′ in it."""
    formula = re.sub(r"σ′\([^()]*\)", "σ′", formula.replace("\u00a0", " ").replace("-", "−"))
    main, *clauses = re.split(r",\s*(?=σ)|, over N", formula)
    main = main.split(" = ")[-1]
    for slope in (clause.split(" = ")[1] for clause in clauses if clause.startswith("σ′") and " if " not in clause):
        main = main.replace("σ′", slope)
    without_indices = re.sub(r"(?<=[^\We\d])\^(\{[^}]*\}|\w)|(?<=e)\^(\{\w*\}|[lL\d])|_(\{\w*\}|\w+)", "", main)
    bare = re.sub(r"[\s(){}Σᵀ]|\^(?=[2{])", "", without_indices).replace("²", "2")
    return re.sub(r"(?P<term>.+)(\+(?P=term))+", r"\g<term>", bare)


def parts(latex: str) -> list[str]:
    """Return the equations of a line of LaTeX; those of the chain rule belong together."""
    found = [latex] if ": \\quad" in latex else re.split(r",\s*\\quad(?! *\\sigma)", latex)
    return [part for part in found if "=" in part or "leftarrow" in part]


def looked_up(owner: str, makes: str) -> tuple[str, str]:
    """Return number and text of a formula in the checker's table, those of layer 2."""
    found = quantity("", OWNERS[owner], makes, 2)
    return found.formula, found.text


def of_the_table() -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    for owner, all_makes in MAKES.items():
        for makes in all_makes:
            number, text = looked_up(owner, makes)
            yield (owner, makes), (number, reduced(text))


TABLE = dict(of_the_table())
SUM, SLOPE = TABLE["linear", "error"][1], TABLE["sigmoid", "error"][1].removesuffix("e")
NUMBERS = {number: {reduced(plain(part)) for part in parts(equation.latex)} for number, equation in EQUATIONS.items()}
"""What is left of the right sides of each equation of the table, and of what is cited as a part of it."""
PARTS = {
    "E1": {"Wx"},  # without biases
    "E2": {"max0,net", "tanhnet"},
    "E4": {"x"},  # y = x^L
    "E9": {"W−η∂L/∂W", "b−η∂L/∂b"},
    "E13": {"t−y"},
    "E14": {SUM, "σ′e"},
    "E15": {f"{SLOPE}e", "1−x2e", "1ifx>0else0e"},
    "E16": {SLOPE, f"{SLOPE}e"},
}
for number, of_part in PARTS.items():
    NUMBERS[number] |= of_part


def numbered(file: str) -> list[tuple[str, str]]:
    """Return number and LaTeX of every equation in a file of the page, or in the notebook."""
    if file == "notebook":
        text = (ROOT / "torch_ref/lesson/notebook.py").read_text(encoding="utf-8").replace("\n# ", " ")
        blocks = re.findall(r"\$\$(.*?)\$\$", text, flags=re.DOTALL)
        found = [
            (n, part) for block in blocks for part, n in re.findall(r"(.+?) ?\\quad \((E\d+)\)(?: \\qquad)?", block)
        ]
    elif file == "lesson.html":
        found = re.findall(r'data-eq="(E\d+)"[^>]*><tex>(.*?)</tex>', source(file))
    else:
        text = re.sub(r"<equation>(E\d+)</equation>", lambda match: equation_line(match[1]), source(file))
        lines = re.findall(r'<span class="eq">(E\d+)</span>((?:<tex display>.*?</tex>)+)', unescape(text))
        found = [(n, latex) for n, line in lines for latex in re.findall(r"<tex display>(.*?)</tex>", line)]
    return [(n, part) for n, latex in found for part in parts(latex)]


def test_the_table_is_reduced_as_it_should_be() -> None:
    assert TABLE["linear", "forward"] == ("E1", "Wx+b")
    assert TABLE["linear", "error"] == ("E14", "Wδ")
    assert TABLE["linear", "weight"] == ("E12", "−δx")
    assert TABLE["sigmoid", "forward"] == ("E2", "σnet")
    assert TABLE["sigmoid", "error"] == ("E15", "x1−xe")
    assert TABLE["tanh", "error"] == ("E15", "1−x2e")
    assert TABLE["squared-error", "forward"] == ("E6", "½t−y2")
    assert TABLE["cross-entropy", "output"] == ("E5", "e^net/e^net")
    assert TABLE["cross-entropy", "forward"] == ("E8", "−tlny")
    assert NUMBERS["E3"] == {"1/1+e^−z"}


@pytest.mark.parametrize("number", EQUATIONS)
def test_latex_and_text_of_an_equation_say_the_same(number: str) -> None:
    latex = re.sub(r"\\frac\{1\}\{2\}", "½", EQUATIONS[number].latex)
    latex = re.sub(r"\\frac" + GROUP * 2, r"\1/\2", latex)
    signs = SIGNS | {
        r"\sum": "Σ",
        r"\nabla": "∇",
        r"\leftarrow": "←",
        r"\quad": "",
        r"^\top": "ᵀ",
        "-": "−",
        ")^2": ")²",
    }
    del signs["(\\theta)"]
    for command, sign in sorted(signs.items(), key=lambda both: -len(both[0])):
        latex = latex.replace(command, sign)
    bare = r"[\s{}()^_·]"
    assert re.sub(bare, "", latex) == re.sub(bare, "", EQUATIONS[number].text)


@pytest.mark.parametrize(("owner", "makes"), TABLE)
def test_the_checker_cites_the_equation_that_its_formula_is(owner: str, makes: str) -> None:
    number, formula = TABLE[owner, makes]
    assert formula in NUMBERS[number]
    whole = {reduced(plain(part)) for part in parts(EQUATIONS[number].latex)}
    cited = quantity("", OWNERS[owner], makes).cited
    assert {"E13": "E13, its t − y", "E14": "E14, its sum"}.get(number, number) == cited.removesuffix(", with E16")
    assert (number in ("E13", "E14")) is (formula not in whole and number not in ("E2", "E15"))
    assert cited.endswith("with E16") is ((owner, makes) == ("sigmoid", "error"))


@pytest.mark.parametrize(
    ("number", "wrong"),
    [
        ("E12", r"\delta^l_i\, x^{l-1}_j"),
        ("E14", r"\sum_k \delta^{l+1}_k"),
        ("E16", r"x^l_i\,(1 + x^l_i)"),
        ("E6", r"\sum_k (t_k - y_k)^2"),
        ("E17", r"y_i - t_i"),
    ],
)
def test_a_wrong_formula_would_be_found(number: str, wrong: str) -> None:
    assert reduced(plain(wrong)) not in NUMBERS[number]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_terminal_walks_through_the_formulas_of_the_table(activation: str, loss: str) -> None:
    example = random_example([1, 1, 2], activation, loss, 1, 0.5, bias=True)
    softmax = loss == "cross-entropy"
    table = {
        "n": ("linear", "forward"), "x": (activation, "forward"), "L": (loss, "forward"), "e^1": ("linear", "error"),
        "y": (loss, "output") if softmax else (activation, "forward"), "e^2": (loss, "error"),
        "δ^1": (activation, "error"), "δ^2": (loss, "error") if softmax else (activation, "error"),
        "∂L/∂W": ("linear", "weight"), "∂L/∂b": ("linear", "bias"),
    }  # fmt: skip
    for step in walk(example.network):
        text = reduced(step.formula.text(SYMBOLS))
        if step.phase == "update":
            assert (step.equation, text) == ("E9", f"{step.name[0]}−η∂L/∂{step.name[0]}")
            continue
        expected = TABLE[next(where for start, where in table.items() if step.name.startswith(start))]
        of_y = step.name.startswith("δ^2") and not softmax  # y is x^L
        assert (step.equation, text.replace("y", "x") if of_y else text) == expected, step.name


@pytest.mark.parametrize("file", ["lesson.html", "chapters/chapters.html", "digit/digit.html", "notebook"])
def test_each_equation_of_page_and_notebook_is_the_table_s(file: str) -> None:
    found = [(number, latex) for number, latex in numbered(file) if "=" in plain(latex) and number in NUMBERS]
    assert len(found) >= 12
    for number, latex in found:
        assert reduced(plain(latex)) in NUMBERS[number], f"{number}: {latex}"


@pytest.mark.parametrize("file", ["chapters/chapters.html", "notebook"])
def test_every_equation_of_the_lecture_is_there(file: str) -> None:
    assert {number for number, _ in numbered(file)} == {f"E{n}" for n in range(1, 18)}


def test_the_page_of_formulas_has_the_table_s() -> None:
    text = (ROOT / "docs" / "formulas.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (E\d+) \| ([^|]*) \|", text, flags=re.MULTILINE)
    assert {number for number, _ in rows} == set(EQUATIONS)
    formulas = [(n, formula.rpartition(": ")[2]) for n, formula in rows if " = " in formula.rpartition(": ")[2]]
    assert len(formulas) >= 12
    for number, formula in formulas:
        assert reduced(formula.replace("^−z", "^(−z)").replace("·", "")) in NUMBERS[number], (number, formula)
