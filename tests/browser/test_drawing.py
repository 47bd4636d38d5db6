"""Formula and drawing are one: colours, sources that light up, the slides' numbers, edges, a weight that is clicked."""

from __future__ import annotations

from manual_bp import lecture

PRINTED = {number.quantity: number.printed.replace("-", "−") for number in lecture.X2_NUMBERS}


def step(page, name: str) -> None:
    page.evaluate("step => lesson.change({ step })", name)


def colour(page, selector: str, of: str = "color") -> str:
    return page.evaluate("([selector, of]) => getComputedStyle(document.querySelector(selector))[of]", [selector, of])


SOURCES = {"net^1_1": ("W^1_11", "x^0_1"), "net^2_1": ("x^1_2",), "e^1_1": ("δ^2_1",), "L": ("y_1", "t_1")}


def test_a_factor_has_the_colour_of_its_source(page) -> None:
    for at, sources in SOURCES.items():
        step(page, at)
        for source in sources:
            factor = colour(page, f'#step .symbols [data-of="{source}"]')
            assert factor == colour(page, f'#step .numbers [data-of="{source}"]'), (at, source)
            assert factor == colour(page, f'#drawing [data-of="{source}"] text', "fill"), (at, source)


def lit(page) -> dict[str, set[str]]:
    found: list[list[str]] = page.evaluate(
        """() => [...document.querySelectorAll("#bench .lit")].map(one =>
             [one.closest("#step") ? "formula" : "drawing", one.dataset.of])"""
    )
    return {where: {of for place, of in found if place == where} for where in ("formula", "drawing")}


def test_formula_and_drawing_light_up_together_both_ways(page) -> None:
    step(page, "net^1_1")
    page.locator('#step .symbols [data-of="W^1_12"]').hover()
    assert lit(page) == {"formula": {"W^1_12"}, "drawing": {"W^1_12"}}
    page.locator('#drawing g[data-of="x^0_1"] text').hover()
    assert lit(page) == {"formula": {"x^0_1"}, "drawing": {"x^0_1"}}
    page.mouse.move(2, 2)
    assert lit(page) == {"formula": set(), "drawing": set()}
    page.locator('#step .symbols [data-of="x^0_2"]').focus()
    assert lit(page) == {"formula": {"x^0_2"}, "drawing": {"x^0_2"}}


def test_every_factor_of_every_formula_has_its_source_in_the_drawing(page) -> None:
    found = page.evaluate(
        """lesson.view().walk.map(({ name }) => {
             lesson.change({ step: name });
             return [name, [...document.querySelectorAll("#step .factor:not(.of-lr)")].map(one => one.dataset.of)
               .filter(of => !document.querySelector(`.drawing [data-of="${of}"]`))];
           })"""
    )
    assert len(found) == 25
    for name, missing in found:
        # Behind the δ of a unit its e is no longer shown; once ∂L/∂W is, W itself is not.
        allowed = (name.startswith("δ"), name.endswith("after"))
        assert not [of for of in missing if not (allowed[0] and of.startswith("e")) and not allowed[1]], (name, missing)


def test_the_drawing_shows_as_many_digits_as_the_formula(page) -> None:
    step(page, "∂L/∂W^1_11")
    assert page.text_content('#drawing [data-of="δ^1_1"]') == "δ −0.002654"
    assert page.text_content('#drawing g[data-of="∂L/∂W^1_11"] text') == "0.000929"
    page.check("[value=slide]")
    assert page.text_content('#drawing [data-of="δ^1_1"]') == "δ −0.0027"
    assert page.text_content('#drawing g[data-of="∂L/∂W^1_11"] text') == "0.000945"


def test_with_the_slides_numbers_the_formulas_are_theirs(page) -> None:
    page.check("[value=slide]")
    for name, printed in PRINTED.items():
        step(page, name)
        text = page.locator("#step .numbers").get_attribute("aria-label")
        assert float(text.rpartition("= ")[2].replace("−", "-")) == float(printed.replace("−", "-")), name
    step(page, "∂L/∂W^1_11")
    text = page.locator("#step .numbers").get_attribute("aria-label")
    assert text == "∂L/∂W^1_11 = −(−0.0027)·0.35 = 0.000945"
    page.check("[value=exact]")
    assert page.locator("#step .numbers").get_attribute("aria-label").endswith("= 0.000929")


def test_both_chains_stand_below_each_other_with_the_rounding_marked(page) -> None:
    step(page, "∂L/∂W^1_11")
    slide, exact = (" ".join(page.locator(f".chain-{name} td").all_inner_texts()) for name in ("slide", "exact"))
    assert slide.split("→")[0].split() == ["0.68·(1", "−", "0.68)·0.3·(−0.0406)", "=", "−0.0026504", "≈", "−0.0027"]
    assert slide.split("→")[1].split() == ["0.0027·0.35", "=", "0.000945"]
    assert [part.split() for part in exact.split("→")] == [["−0.002654"], ["−(−0.002654)·0.35", "=", "0.000929"]]
    assert page.locator(".chain-slide .rounds").count() == 1
    step(page, "net^1_1")
    assert page.locator(".chains").count() == 0


def test_other_numbers_have_no_slides(page) -> None:
    page.check("[value=slide]")
    page.evaluate("lesson.change({ updates: 1 })")
    assert page.is_hidden("#numbers-as")
    assert page.evaluate("lesson.view().values === lesson.view().byHand")
    page.evaluate("lesson.change({ start: lesson.DATA.x1.network })")
    assert page.is_hidden("#numbers-as")


def test_an_edge_shows_sign_and_size_of_its_weight(page) -> None:
    page.evaluate("lesson.change({ start: { ...lesson.DATA.x2.network, weights: [[[2, -1], [0, 0.5]], [[-2, 1]]] } })")
    thick = lambda edge: float(page.get_attribute(f"#edge-{edge}", "stroke-width"))  # noqa: E731
    assert thick("1-1-1") == thick("2-1-1") > thick("1-1-2") == thick("2-1-2") > thick("1-2-2") > thick("1-2-1")
    step(page, "L")
    red, blue = (colour(page, f"#edge-{edge}", "stroke") for edge in ("1-1-2", "1-1-1"))
    assert red == colour(page, "#edge-2-1-1", "stroke") != blue


def test_a_value_travels_along_its_edge_and_stands_still_where_that_is_asked_for(fresh_page) -> None:
    page = fresh_page()
    step(page, "net^2_1")
    assert page.locator(".traveller text").all_text_contents() == ["0.680267", "0.663739"]
    assert page.locator(".traveller").first.evaluate("one => getComputedStyle(one).animationName") == "travel"
    ends = page.evaluate("document.getAnimations().map(one => one.effect.getComputedTiming().endTime)")
    assert len(ends) == 4
    assert max(ends) < 5000  # what moves longer needs a button that stops it, and a quarter of a processor
    step(page, "e^1_2")
    assert page.locator(".traveller text").all_text_contents() == ["−0.040681"]
    across = page.locator(".traveller").evaluate("one => parseFloat(one.style.getPropertyValue('--across'))")
    assert across < 0
    still = fresh_page(reduced_motion="reduce")
    step(still, "net^2_1")
    assert still.locator(".traveller").first.is_hidden()


def test_a_weight_is_changed_by_clicking_it(page) -> None:
    page.locator('#drawing [data-weight="2.1.2"]').click()
    field = page.get_by_label("W^2_12", exact=True)
    assert field.input_value() == "0.9"
    field.fill("−0,25")
    field.press("Enter")
    assert page.evaluate("lesson.view().network.weights") == [[[0.1, 0.8], [0.4, 0.6]], [[0.3, -0.25]]]
    assert page.locator(".edit-weight").count() == 0


def test_what_is_no_number_is_not_taken_and_escape_leaves_the_weight(page) -> None:
    page.locator('#drawing [data-weight="1.2.1"]').click()
    field = page.locator(".edit-weight")
    field.fill("1e99")
    field.press("Enter")
    assert field.get_attribute("aria-invalid") == "true"
    assert field.get_attribute("title") == "W^1_21: expected a number from -100 to 100, got 1e99."
    field.press("Escape")
    assert page.locator(".edit-weight").count() == 0
    assert page.evaluate("lesson.view().lectures")


def test_after_updates_the_weight_of_now_is_changed(page) -> None:
    page.evaluate("lesson.change({ start: lesson.DATA.x1.network })")
    page.evaluate("lesson.change({ updates: 2, step: 'L' })")
    before = page.evaluate("lesson.view().network")
    page.locator('#drawing [data-weight="1.1"]').click()
    page.locator(".edit-weight").fill("0.5")
    page.keyboard.press("Enter")
    after = page.evaluate("lesson.view().network")
    assert (after["weights"], after["biases"][0][1:]) == (before["weights"], before["biases"][0][1:])
    assert (after["biases"][0][0], page.evaluate("lesson.view().updates")) == (0.5, 0)


def test_what_is_half_typed_goes_when_the_drawing_changes(page) -> None:
    page.locator('#drawing [data-weight="1.2.1"]').click()
    page.locator(".edit-weight").fill("9.")
    page.evaluate("lesson.change({ step: 'x^1_1' })")
    assert page.locator(".edit-weight").count() == 0
    assert page.evaluate("lesson.view().lectures")
    assert "X2" in page.inner_text("#bench-state")


def test_a_click_on_another_weight_takes_the_first_and_opens_the_second(page) -> None:
    page.locator('#drawing [data-weight="1.1.1"]').click()
    page.locator(".edit-weight").fill("0.55")
    page.locator('#drawing [data-weight="2.1.2"]').click()
    assert page.locator(".edit-weight").get_attribute("aria-label") == "W^2_12"
    page.keyboard.press("Escape")
    assert page.evaluate("lesson.view().network.weights") == [[[0.55, 0.8], [0.4, 0.6]], [[0.3, 0.9]]]


def test_a_formula_that_is_too_wide_scrolls_in_its_own_box(fresh_page) -> None:
    page = fresh_page(viewport={"width": 360, "height": 740})
    page.evaluate(
        """lesson.change({ start: { ...lesson.DATA.x2.network, sizes: [2, 4], activation: "relu", loss: "cross-entropy",
             weights: [[[1.25, -2.5], [0.75, 1.5], [-1.25, 0.5], [2.25, -0.5]]], t: [1, 0, 0, 0] } })"""
    )
    page.evaluate("lesson.change({ step: 'y_2' })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
