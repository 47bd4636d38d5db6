"""A typed number is marked: no right one is refused, and every planted fault is told by its number."""

from __future__ import annotations

import pytest
from settings import ACTIVATIONS, LOSSES, drawn

from manual_bp import lecture

SETTINGS = 10_000

REFUSED = r"""(networks) => {
  let state = 1;
  const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
  const one = (list) => list[Math.floor(random() * list.length)];
  const written = (value, digits) => {
    const plain = Number(value.toPrecision(digits));
    const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
    const decimals = Math.min(100, Math.max(0, digits - 1 - Number(exponent)));
    const fixed = value.toFixed(decimals);
    const power = Number(exponent);
    return one([
      () => fixed, () => fixed.replace(/^(-?)0\./, "$1."), () => fixed.replace(".", ","), () => fixed.replace("-", "−"),
      () => `  ${fixed.replace("-", "- ")} `, () => `${plain}`, () => (value > 0 ? `+${fixed}` : fixed),
      () => `${mantissa}e${power}`, () => `${mantissa}E${power}`.replace("-", "−"), () => `${mantissa}·10^${power}`,
      () => `${mantissa} * 10^(${power})`, () => `${mantissa} × 10^${power}`.replaceAll("-", "−"),
      () => `${mantissa.replace(".", ",")} · 10${[...`${power}`].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c])).join("")}`,
    ])();
  };
  return networks.flatMap((network) => {
    const [name, value] = one([...lesson.pass(network)]);
    const digits = 3 + Math.floor(random() * 8);
    const typed = written(value, digits);
    const { verdict, as } = lesson.mark(network, name, typed, { asked: { digits: 3 } });
    return verdict === "right" && as === "exact" ? [] : [{ name, value, typed, verdict, network }];
  });
}"""


def test_no_right_number_is_refused(lesson) -> None:
    assert lesson(REFUSED, [drawn(seed) for seed in range(SETTINGS)]) == []


# Square layers and biases: every fault finds a place.
BIASES = [[0.3, -0.2, 0.5], [-0.4, 0.1, 0.2]]
NETWORKS = [
    drawn(24, sizes=[3, 3, 3], activation=activation, loss=loss, biases=BIASES)
    for activation in ACTIVATIONS
    for loss in LOSSES
]

RECOGNISED = """(networks) => networks.flatMap((network) => {
  const right = lesson.pass(network);
  const all = lesson.FAULTS.flatMap((fault) => fault.layers(network).map((l) => {
    const planted = lesson.plant(fault, l);
    return { name: fault.name, numbers: lesson.pass(network, planted), spoiled: lesson.spoiled(network, planted) };
  }));
  const tensor = (name) => name.replace(/_\\d+/, "");
  const typed = (value) => `${value.toPrecision(6)}`;
  return all.flatMap(({ name, numbers, spoiled }) =>
    spoiled.filter((quantity) => tensor(quantity) === tensor(spoiled[0])).flatMap((quantity) => {
      const text = typed(numbers.get(quantity));
      if (Math.abs(Number(text) - right.get(quantity)) < 1e-5 * Math.abs(right.get(quantity))) return [];
      const same = all.filter((other) => typed(other.numbers.get(quantity)) === text).map((other) => other.name);
      const marked = lesson.mark(network, quantity, text);
      return [{ fault: name, quantity, text, same, named: marked.name, verdict: marked.verdict, title: marked.title, hint: marked.hint }];
    }));
})"""


def test_every_fault_is_recognised_by_each_number_of_its_formula(lesson) -> None:
    shown = lesson(RECOGNISED, NETWORKS)
    missed = [row for row in shown if row["verdict"] != "wrong" or row["named"] not in row["same"]]
    assert missed == []
    assert {row["fault"] for row in shown} == set(lesson("() => lesson.FAULTS.map(({ name }) => name)"))
    assert all(row["title"] and row["hint"] for row in shown)


MARK = """([name, text, options]) => {
  const slides = lesson.DATA.x2.slides;
  return lesson.mark(lesson.DATA.x2.network, name, text, { slides, ...options });
}"""


@pytest.fixture
def marked(lesson):
    """Mark a text typed for a number of X2; return verdict, as and name."""

    def of(name: str, text: str, **options: object) -> dict[str, str]:
        return lesson(MARK, [name, text, options])

    return of


def test_what_the_slides_print_is_right_as_on_the_slide(marked) -> None:
    for number in lecture.X2_NUMBERS:
        assert marked(number.quantity, number.exact)["verdict"] == "right", number
        assert marked(number.quantity, number.printed)["verdict"] == "right", number
    assert marked("∂L/∂W^1_11", "0.000945") == {"verdict": "right", "as": "slide"}
    assert marked("∂L/∂W^1_11", "0.000929") == {"verdict": "right", "as": "exact"}
    assert marked("∂L/∂W^1_11", "0.000945", slides={})["name"] == "rounded"


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("δ^2_1", "-0.190283", "sigmoid-error-no-slope"),
        ("δ^2_1", "0.0406812", "sigmoid-error-sign"),
        ("∂L/∂W^1_11", "-0.000929", "linear-weight-sign"),
        ("net^1_1", "0.395", "linear-forward-transposed"),
        ("net^1_1", "0.72", "slip"),  # a term is left out
        ("L", "0.0362", "squared-loss-no-half"),
        ("e^1_1", "-0.0366", "other"),  # the neighbour's
        ("net^1_1", "7.55", "factor"),
        ("L", "0.01805", "rounded"),
        ("x^1_1", "0.755", "slip"),  # σ is left out
        ("W^2_11 after", "0.3277", "slip"),
        ("y_1", "0.123456", "unknown"),
    ],
)
def test_mistakes_have_names(marked, name: str, text: str, found: str) -> None:
    assert marked(name, text, slides={})["name"] == found


@pytest.mark.parametrize("text", ["", "  ", "abc", "1.2.3", "1,000.5", "--1", "0.3.", "e5", "1e", "½", "0x10", "1e5e5"])
def test_what_is_no_number_is_said_to_be_none(marked, text: str) -> None:
    marks = marked("y_1", text)
    assert marks["verdict"] == "unreadable"
    assert "Expected a number such as 0.35" in marks["title"]


def test_too_few_digits_are_neither_right_nor_wrong(marked) -> None:
    assert marked("y_1", "0.7", slides={})["verdict"] == "short"
    assert marked("W^1_11 after", "0.099", slides={})["verdict"] == "short"
    assert marked("∂L/∂W^1_11", "0", slides={})["name"] == "linear-weight-zeros"
