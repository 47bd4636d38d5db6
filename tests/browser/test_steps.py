"""The steps of the walk: their order, their equations, their formulas in symbols and in numbers."""

from __future__ import annotations

import re

import pytest
from settings import Plain, drawn, in_manual_bp, walked

from torch_ref.known import KNOWN
from torch_ref.lesson.page.data import x1, x2
from torch_ref.lesson.walk.expression import SYMBOLS
from torch_ref.lesson.walk.steps import walk as terminal_walk

X2 = x2()["network"]
CASES = {
    "X2": X2,
    "X1": x1()["network"],
    "softmax": drawn(11, sizes=[3, 4, 2], activation="tanh", loss="cross-entropy"),
    "relu": drawn(12, sizes=[2, 1, 3, 1], activation="relu", loss="squared-error"),
    "one layer": drawn(13, sizes=[4, 4], activation="sigmoid", loss="cross-entropy", biases=[[0.1, -0.2, 0.0, 1e-7]]),
    "full": drawn(14, sizes=[4, 4, 4, 4], activation="relu", loss="cross-entropy"),
}
ALL = "(n) => lesson.steps(n, lesson.pass(n))"


@pytest.fixture(params=CASES)
def walk(request, lesson) -> tuple[Plain, list[dict]]:
    """A network and its steps."""
    plain = CASES[request.param]
    return plain, lesson(ALL, plain)


def test_there_is_one_step_for_each_number_in_the_order_of_the_walk(walk) -> None:
    plain, steps = walk
    assert [step["name"] for step in steps] == walked(plain)
    order = ["forward", "loss", "backward", "gradients", "update"]
    phases = [step["phase"] for step in steps]
    assert list(dict.fromkeys(phases)) == order
    assert phases == sorted(phases, key=order.index)


def test_x2_has_twenty_five_steps_and_these_formulas(lesson) -> None:
    steps = {step["name"]: step for step in lesson(ALL, X2)}
    assert len(steps) == 25
    lines = {
        "net^1_1": ("net^1_1 = W^1_11 x^0_1 + W^1_12 x^0_2", "net^1_1 = 0.1·0.35 + 0.8·0.9 = 0.755"),
        "x^1_1": ("x^1_1 = σ(net^1_1) = 1/(1 + e^(−net^1_1))", "x^1_1 = 1/(1 + e^(−0.755)) = 0.680267"),
        "net^2_1": ("net^2_1 = W^2_11 x^1_1 + W^2_12 x^1_2", "net^2_1 = 0.3·0.680267 + 0.9·0.663739 = 0.801445"),
        "y_1": ("y_1 = σ(net^2_1) = 1/(1 + e^(−net^2_1))", "y_1 = 1/(1 + e^(−0.801445)) = 0.690283"),
        "L": ("L = ½ (t_1 − y_1)²", "L = ½ (0.5 − 0.690283)² = 0.018104"),
        "e^2_1": ("e^2_1 = t_1 − y_1", "e^2_1 = 0.5 − 0.690283 = −0.190283"),
        "δ^2_1": (
            "δ^2_1 = σ′(net^2_1) e^2_1 = y_1 (1 − y_1) e^2_1",
            "δ^2_1 = 0.690283·(1 − 0.690283)·(−0.190283) = −0.040681",
        ),
        "e^1_2": ("e^1_2 = W^2_12 δ^2_1", "e^1_2 = 0.9·(−0.040681) = −0.036613"),
        "δ^1_2": (
            "δ^1_2 = σ′(net^1_2) e^1_2 = x^1_2 (1 − x^1_2) e^1_2",
            "δ^1_2 = 0.663739·(1 − 0.663739)·(−0.036613) = −0.008172",
        ),
        "∂L/∂W^1_21": ("∂L/∂W^1_21 = −δ^1_2 x^0_1", "∂L/∂W^1_21 = −(−0.008172)·0.35 = 0.00286"),
        "∂L/∂W^2_12": ("∂L/∂W^2_12 = −δ^2_1 x^1_2", "∂L/∂W^2_12 = −(−0.040681)·0.663739 = 0.027002"),
        "W^1_11 after": ("W^1_11 ← W^1_11 − η ∂L/∂W^1_11", "W^1_11 ← 0.1 − 1·0.000929 = 0.099071"),
    }
    for name, both in lines.items():
        assert (steps[name]["text"], steps[name]["textNumbers"]) == both


def test_the_other_formulas_are_these(lesson) -> None:
    softmax = X2 | {"loss": "cross-entropy", "activation": "tanh", "sizes": [2, 2, 2], "t": [1.0, 0.0], "lr": 0.5}
    softmax |= {
        "weights": [[[0.5, -1.0], [2.0, 0.25]], [[1.0, -2.0], [-0.5, 3.0]]],
        "biases": [[0.1, -0.2], [0.0, 0.3]],
    }
    softmax |= {"x": [-1.0, 2.0]}
    relu = X2 | {"activation": "relu", "weights": [[[1.0, 1.0], [-1.0, 1.0]], [[-3.0, 1.0]]], "x": [2.0, 1.0]}
    two = {step["name"]: step for step in lesson(ALL, softmax)}
    on = {step["name"]: step for step in lesson(ALL, relu)}
    assert two["net^1_1"]["text"] == "net^1_1 = W^1_11 x^0_1 + W^1_12 x^0_2 + b^1_1"
    assert two["net^1_1"]["textNumbers"] == "net^1_1 = 0.5·(−1) + (−1)·2 + 0.1 = −2.4"
    assert two["x^1_1"]["textNumbers"].startswith("x^1_1 = tanh(−2.4) = −0.98")
    assert two["y_2"]["text"] == "y_2 = e^(net^2_2)/(e^(net^2_1) + e^(net^2_2))"
    assert re.fullmatch(r"L = −\(1·ln\(0\.\d+\) \+ 0·ln\(0\.\d+\)\) = \d\.\d+", two["L"]["textNumbers"])
    assert two["L"]["text"] == "L = −(t_1 ln(y_1) + t_2 ln(y_2))"
    assert two["δ^2_1"]["text"] == "δ^2_1 = t_1 − y_1"
    assert two["e^1_2"]["text"] == "e^1_2 = W^2_12 δ^2_1 + W^2_22 δ^2_2"
    assert two["δ^1_1"]["text"] == "δ^1_1 = σ′(net^1_1) e^1_1 = (1 − (x^1_1)²) e^1_1"
    assert two["∂L/∂b^1_1"]["text"] == "∂L/∂b^1_1 = −δ^1_1"
    assert two["b^2_1 after"]["text"] == "b^2_1 ← b^2_1 − η ∂L/∂b^2_1"
    assert two["b^2_1 after"]["textNumbers"].startswith("b^2_1 ← 0 − 0.5·(−0.")
    assert on["x^1_2"]["text"] == "x^1_2 = σ(net^1_2) = max(0, net^1_2)"
    assert on["x^1_2"]["textNumbers"] == "x^1_2 = max(0, −1) = 0"
    assert on["net^2_1"]["textNumbers"] == "net^2_1 = (−3)·3 + 1·0 = −9"
    assert on["δ^2_1"]["text"] == "δ^2_1 = σ′(net^2_1) e^2_1"
    assert on["δ^2_1"]["textNumbers"] == "δ^2_1 = 0·0.5 = 0"


def test_equation_numbers_are_those_of_the_reports(walk) -> None:
    plain, steps = walk
    linear, *_ = in_manual_bp(plain).layers
    loss = KNOWN[type(in_manual_bp(plain).loss_function)].formulas
    activation = KNOWN[type(in_manual_bp(plain).layers[1])].formulas if len(in_manual_bp(plain).layers) > 1 else {}
    softmax, last = plain["loss"] == "cross-entropy", len(plain["sizes"]) - 1
    for step in steps:
        name, at_the_end = step["name"], step["l"] == last
        expected = {
            "net": lambda: KNOWN[type(linear)].formulas["forward"],
            "x": lambda: activation["forward"],
            "y": lambda: loss["output"] if softmax else activation["forward"],
            "L": lambda: loss["forward"],
            "e": lambda end=at_the_end: loss["error"] if end else KNOWN[type(linear)].formulas["error"],
            "δ": lambda end=at_the_end: loss["error"] if softmax and end else activation["error"],
            "∂L/∂W": lambda: KNOWN[type(linear)].formulas["weight"],
            "∂L/∂b": lambda: KNOWN[type(linear)].formulas["bias"],
        }
        kind = re.split(r"[\^_]", name)[0]
        if name.endswith(" after"):
            assert step["equation"] == "E9", name
            continue
        formula = expected[kind]()
        assert step["equation"] == ", ".join(filter(None, [formula.number, formula.part])), name


def test_the_page_and_the_terminal_write_the_same_formulas(walk) -> None:
    """One side of the page's equation is the terminal's formula; the page also says what σ and σ′ are."""
    plain, steps = walk
    bare = lambda text: re.sub(r"\s", "", text)  # noqa: E731
    for step, own in zip(steps, terminal_walk(in_manual_bp(plain)), strict=True):
        sides = [bare(side) for side in re.split(r" = | ← ", step["text"])]
        assert sides[0] == bare(own.name.removesuffix(" after"))
        assert bare(own.formula.text(SYMBOLS)) in sides[1:], step["name"]


def test_what_takes_part_is_on_the_drawing_and_named_by_the_formula(walk) -> None:
    plain, steps = walk
    for step in steps:
        named = set(re.findall(r"(W|b)\^(\d)_(\d+)", step["text"]))
        edges = {f"edge-{l}-{at[0]}-{at[1]}" for letter, l, at in named if letter == "W"}
        biases = {f"bias-{l}-{at}" for letter, l, at in named if letter == "b"}
        assert set(step["edges"]) == edges, step["name"]
        assert set(step["biases"]) == biases, step["name"]
        existing = {f"unit-{l}-{i}" for l, size in enumerate(plain["sizes"]) for i in range(1, size + 1)} | {"loss"}
        assert set(step["units"]) <= existing
        assert len(set(step["units"])) == len(step["units"])
        layers = {f"unit-{l}-{i}" for l, i in re.findall(r"(?:net|x|e|δ)\^(\d)_(\d)", step["text"])}
        if step["phase"] != "update":
            assert layers <= set(step["units"]), step["name"]


def test_numbers_carry_the_value_of_their_step(lesson, walk) -> None:
    plain, steps = walk
    values = dict(lesson("(n) => [...lesson.pass(n)].map(([name, value]) => [name, lesson.short(value)])", plain))
    for step in steps:
        assert step["textNumbers"].endswith(f"= {values[step['name']]}"), step["name"]
        assert step["title"]
        assert "undefined" not in "".join(str(part) for part in step.values())


def test_a_negative_number_follows_no_operator_without_brackets(walk) -> None:
    _, steps = walk
    for step in steps:
        right = step["textNumbers"].split(" = ", 1)[-1]
        assert not re.search(r"[·+−] ?−\d", right), step["textNumbers"]


def test_the_slopes_of_e14_say_what_comes_back(lesson) -> None:
    titles = {step["name"]: step["title"] for step in lesson(ALL, X2)}
    assert titles["δ^1_1"] == "δ of unit 1 of layer 1: its slope σ′ times what comes back"
    assert titles["e^1_2"] == "What reaches unit 2 of layer 1"
    assert len(set(titles.values())) == 25


def test_with_a_fault_the_formula_stays_and_its_value_goes_wrong(lesson) -> None:
    planted = """(n) => { const fault = lesson.plant(lesson.FAULTS.find((f) => f.name === "sigmoid-error-no-slope"), 2);
      return lesson.steps(n, lesson.pass(n, fault)); }"""
    right, wrong = lesson(ALL, X2), lesson(planted, X2)
    changed = [a["name"] for a, b in zip(right, wrong, strict=True) if a["textNumbers"] != b["textNumbers"]]
    assert changed[0] == "δ^2_1"
    assert [step["text"] for step in right] == [step["text"] for step in wrong]
    delta = next(step for step in wrong if step["name"] == "δ^2_1")
    assert delta["textNumbers"].endswith("·(−0.190283) = −0.190283")


WELL_FORMED = """(n) => lesson.steps(n, lesson.pass(n)).flatMap((s) => [s.symbols, s.numbers]).map((source) => {
  const parsed = new DOMParser().parseFromString(source.replace("<math", '<math xmlns="M"'), "application/xml");
  const rendered = new DOMParser().parseFromString(source, "text/html").body.firstElementChild;
  return { source, error: parsed.querySelector("parsererror")?.textContent ?? null,
    root: parsed.documentElement.localName, display: rendered.getAttribute("display"),
    math: rendered.namespaceURI, count: parsed.querySelectorAll("math").length,
    text: rendered.textContent };
})"""


def test_formulas_are_well_formed_mathml_with_every_place_filled(lesson, walk) -> None:
    plain, _ = walk
    for found in lesson(WELL_FORMED, plain):
        assert found["error"] is None, found["source"]
        assert (found["root"], found["display"], found["count"]) == ("math", "block", 1)
        assert found["math"] == "http://www.w3.org/1998/Math/MathML"
        assert "@" not in found["text"]
        assert "-" not in found["text"]  # a real minus


def test_mathematics_and_plain_text_say_the_same(lesson, walk) -> None:
    plain, steps = walk
    shown = [found["text"] for found in lesson(WELL_FORMED, plain)]
    told = [line for step in steps for line in (step["text"], step["textNumbers"])]
    for math, text in zip(shown, told, strict=True):
        # Fractions, halves, squares and powers of ten are written in other signs; a power of ten has its 10 besides.
        plainly = text.replace("½", "12").replace("²", "2").replace("∂L/∂", "∂L∂")
        powers = len(re.findall(r"\de−?\d", text))
        assert sorted(re.findall(r"[^\W_e]", math)) == sorted(re.findall(r"[^\W_e]", plainly) + ["1", "0"] * powers)


def test_a_formula_without_one_of_its_parts_is_refused(lesson) -> None:
    refusal = "(parts) => { try { return lesson.formula(...parts); } catch (error) { return error.message; } }"
    assert lesson(refusal, ["net", {"l": 1}]) == "formula net expects a part i"
    assert lesson(refusal, ["nett", {}]).startswith("no formula nett; there are net, x, y")
