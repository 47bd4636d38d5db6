"""A typed number is marked: no right one is refused, and every planted fault is told by its number."""

from __future__ import annotations

import pytest
from accessibility import CONTRAST, violations
from settings import ACTIVATIONS, LOSSES, drawn

from manual_bp import lecture

SETTINGS = 10_000

REFUSED = r"""(networks) => {
  let state = 1;
  const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
  const one = (list) => list[Math.floor(random() * list.length)];
  const raised = (power) => [...`${power}`].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c])).join("");
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
      () => `${mantissa.replace(".", ",")} · 10${raised(power)}`,
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
      return [{ ...lesson.mark(network, quantity, text), fault: name, quantity, text, same }];
    }));
})"""


def test_every_fault_is_recognised_by_each_number_of_its_formula(lesson) -> None:
    shown = lesson(RECOGNISED, NETWORKS)
    missed = [row for row in shown if row["verdict"] != "wrong" or row["name"] not in row["same"]]
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


def test_who_calculates_with_the_digits_on_screen_is_right(marked, lesson) -> None:
    exact = lesson("() => lesson.pass(lesson.DATA.x2.network).get('δ^2_1')")
    shown = 0.690283 * (1 - 0.690283) * -0.190283
    assert abs(shown / exact - 1) > 1e-6
    assert marked("δ^2_1", f"{shown:.10f}", slides={}) == {"verdict": "right", "as": "exact"}
    assert marked("δ^2_1", f"{0.69028 * (1 - 0.69028) * -0.19028:.10f}", slides={})["name"] == "rounded"


def test_too_few_digits_are_neither_right_nor_wrong(marked) -> None:
    assert marked("y_1", "0.7", slides={})["verdict"] == "short"
    assert marked("W^1_11 after", "0.099", slides={})["verdict"] == "short"
    assert marked("∂L/∂W^1_11", "0", slides={})["name"] == "linear-weight-zeros"


# ------------------------------------------------------------------------------------------------------ in the walk


def in_sight(page) -> dict[str, str]:
    """Return where the walk is, and what drawing, step and field show."""
    return page.evaluate(
        """() => ({
          name: lesson.view().walk[lesson.view().at].name,
          drawing: document.querySelector("#drawing").textContent,
          numbers: document.querySelector("#step .numbers").getAttribute("aria-label"),
          symbols: document.querySelector("#step .symbols").getAttribute("aria-label"),
          compared: document.querySelector("#step .compare")?.textContent ?? "",
          said: document.querySelector("#prediction .verdict")?.textContent ?? "",
        })"""
    )


def type_and_enter(page, text: str) -> None:
    page.locator("#prediction input").fill(text)
    page.locator("#prediction input").press("Enter")


def test_x2_is_predicted_number_by_number_with_two_enters_each(page) -> None:
    page.check("#predict")
    for name in page.evaluate("lesson.view().walk.map(step => step.name)"):
        exact = page.evaluate("name => lesson.view().byHand.get(name)", name)
        before = in_sight(page)
        assert before["name"] == name
        assert before["numbers"].endswith("= ?")
        assert "?" not in before["symbols"]
        assert before["compared"] == ""
        brief = page.evaluate("value => lesson.short(Number(value.toFixed(6)))", exact)
        page.locator("#prediction input").press_sequentially(f"{exact:.7f}")
        page.keyboard.press("Enter")
        after = in_sight(page)
        assert after["said"].startswith("✓ Right"), name
        assert not after["numbers"].endswith("?")
        assert repr(exact).replace("-", "−") in after["compared"]
        assert after["drawing"].count(brief) > before["drawing"].count(brief) or abs(exact) < 0.001, name
        page.keyboard.press("Enter")
    assert page.evaluate("lesson.view().predicted.size") == 25


def test_after_a_wrong_number_there_is_a_hint_then_the_mistake_then_the_number(page) -> None:
    page.check("#predict")
    page.evaluate("lesson.change({ step: 'δ^2_1' })")
    type_and_enter(page, "−0,190283")
    assert in_sight(page)["said"] == "Not yet. Count the factors of the formula."
    page.get_by_role("button", name="What is wrong?").click()
    assert in_sight(page)["said"] == "σ′ is left out: δ = e."
    assert "δ −0.040681" not in in_sight(page)["drawing"]
    page.get_by_role("button", name="Show it").click()
    assert in_sight(page)["said"] == "It is −0.040681."
    assert "δ −0.040681" in in_sight(page)["drawing"]


def test_of_a_mistake_without_a_name_the_number_is_offered_at_once(page) -> None:
    page.check("#predict")
    type_and_enter(page, "0.123456")
    assert in_sight(page)["said"] == "Not yet. Check each number that you put in."
    page.get_by_role("button", name="Show it").click()
    assert in_sight(page)["said"] == "It is 0.755000."


@pytest.mark.parametrize(("scheme", "rules"), [("light", None), ("dark", [CONTRAST])], ids=["light", "dark"])
def test_a_checker_of_accessibility_finds_nothing_beside_a_verdict(open_page, scheme, rules) -> None:
    page = open_page(scheme=scheme)
    page.check("#predict")
    for field in ("#prediction input", "#exercise input"):
        page.fill(field, "75.5")
        page.press(field, "Enter")
    assert violations(page, "#walk", "#practise", rules=rules) == []


def test_arrows_are_the_field_s_while_it_has_the_focus_and_then_the_walk_s(page) -> None:
    page.check("#predict")
    page.locator("#prediction input").fill("0.755")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    assert in_sight(page)["name"] == "net^1_1"
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    assert in_sight(page)["name"] == "x^1_1"
    assert page.locator("#prediction input").evaluate("one => one === document.activeElement && one.value === ''")
    page.click("#back")
    assert in_sight(page)["numbers"].endswith("= 0.755")  # found before, so it is in sight


def test_slides_numbers_are_right_and_short_or_unreadable_ones_are_said_to_be(page) -> None:
    page.check("#predict")
    page.evaluate("lesson.change({ step: '∂L/∂W^1_11' })")
    type_and_enter(page, "about 3")
    assert "Expected a number such as 0.35" in in_sight(page)["said"]
    type_and_enter(page, "0.0009")
    assert in_sight(page)["said"] == "Right so far. Type at least 3 significant digits."
    type_and_enter(page, "0.000945")
    assert in_sight(page)["said"] == "✓ Right as on the slide. Exactly it is 0.000929."


def test_other_numbers_are_hidden_anew_and_a_bug_hides_nothing(page) -> None:
    page.check("#predict")
    type_and_enter(page, "0.755")
    page.evaluate("lesson.change({ start: { ...lesson.view().start, x: [1, 1] } })")
    assert in_sight(page)["numbers"].endswith("?")
    page.click("#tab-table")
    assert page.locator("#numbers tbody tr").first.inner_text().count("?") >= 3
    page.click("#tab-bug")
    page.click("#plant")
    assert not in_sight(page)["numbers"].endswith("?")
    assert page.is_disabled("#predict")
    page.click("#remove-bug")
    page.click("#tab-walk")
    page.uncheck("#predict")
    assert not in_sight(page)["numbers"].endswith("?")
    assert page.locator("#prediction input").count() == 0


@pytest.mark.parametrize("size", [(1280, 720), (1024, 768), (360, 740), (853, 480), (640, 360)])
def test_field_and_formula_are_on_screen_together(fresh_page, size: tuple[int, int]) -> None:
    page = fresh_page(viewport=dict(zip(("width", "height"), size, strict=True)), reduced_motion="reduce")
    if size[0] < 600:
        page.evaluate("document.querySelector('#bench').scrollIntoView()")
    page.check("#predict")
    for step in ("net^1_1", "L", "δ^1_2", "W^1_21 after"):
        page.evaluate("step => lesson.change({ step })", step)
        end = page.locator("#stepper").bounding_box()["y"]
        for what in ("#prediction input", "#prediction button >> nth=0", "#step .numbers"):
            box = page.locator(what).bounding_box()
            assert box["y"] >= 0, (step, what)
            assert box["y"] + box["height"] <= end + 1, (step, what)
            assert box["x"] + box["width"] <= size[0], (step, what)


def test_exact_numbers_are_predicted_where_the_slides_were_shown(page) -> None:
    page.check("[value=slide]")
    page.check("#predict")
    page.evaluate("lesson.change({ step: 'net^2_1' })")
    assert "0.680267" in page.locator("#step .numbers").get_attribute("aria-label")
    assert page.is_hidden("#numbers-as")
    page.uncheck("#predict")
    assert page.evaluate("lesson.view().values.get('x^1_1')") == 0.68


def test_what_is_too_large_for_a_number_is_none(marked) -> None:
    assert marked("x^1_1", "1e400")["verdict"] == "unreadable"
