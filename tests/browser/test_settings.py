"""Changing the network on the page: every number afterwards is manual_bp's, and what makes no sense is refused."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from comparing import assert_same, numbers_of
from settings import drawn

from torch_ref.lesson.walk.quantities import pass_by_autograd, pass_by_hand


def assert_right(page) -> dict[str, Any]:
    """Compare everything that the page shows now with both engines; return its network."""
    view = page.evaluate(
        "(({ network, byHand, reference }) => ({ network, hand: [...byHand], tape: [...reference] }))(lesson.view())"
    )
    assert_same(view["hand"], numbers_of(pass_by_hand, view["network"]))
    assert_same(view["tape"], numbers_of(pass_by_autograd, view["network"]))
    assert page.locator("#numbers tr.bad").count() == 0
    return view["network"]


AS_IT_WAS = "document.activeElement.blur(); lesson.change({ start: lesson.DATA.x2.network })"


def labelled(page, label: str):
    """Return the field or button of that very label."""
    return page.locator("#fields").get_by_label(label, exact=True)


@pytest.fixture
def settings(page):
    page.click("#settings summary")
    return page


@pytest.mark.parametrize("size", [(1280, 720), (1024, 768), (1920, 1080), (360, 740), (853, 480)])
def test_every_control_can_be_hit(fresh_page, size: tuple[int, int]) -> None:
    """What lies at its centre, once it is scrolled to, is the control itself."""
    page = fresh_page(viewport=dict(zip(("width", "height"), size, strict=True)), reduced_motion="reduce")
    page.locator("#settings summary").click()
    for sizes in ([2, 2, 1], [4, 4, 4, 4]):
        page.evaluate("start => lesson.change({ start })", drawn(1, sizes=sizes))
        covered = page.evaluate(
            """() => [...document.querySelectorAll("#settings :is(summary, input, select, button)")].filter(control => {
                 control.scrollIntoView({ block: "nearest" });
                 const { left, top, width, height } = control.getBoundingClientRect();
                 const hit = document.elementFromPoint(left + width / 2, top + height / 2);
                 return !(hit && (control.contains(hit) || hit.contains(control) && hit.matches("label")));
               }).map((control) => control.outerHTML)"""
        )
        assert covered == [], sizes


def test_one_weight_changed_changes_every_number_that_depends_on_it(settings) -> None:
    labelled(settings, "W 2, from 2 to 1").fill("-0.75")
    network = assert_right(settings)
    assert network["weights"] == [[[0.1, 0.8], [0.4, 0.6]], [[0.3, -0.75]]]
    assert "Your own numbers" in settings.inner_text("#bench-state")
    assert settings.locator("#step .slide dd").text_content() == "–"
    settings.locator("[data-do=lecture]").click()
    assert "X2" in settings.inner_text("#bench-state")
    assert settings.evaluate("lesson.view().network") == settings.evaluate("lesson.DATA.x2.network")


KINDS = {"Input 2": "x.1", "Target t 1": "t.0", "Learning rate η": "lr", "W 1, from 1 to 2": "weights.0.1.0"}


def test_every_kind_of_number_can_be_changed(settings) -> None:
    for label, path in KINDS.items():
        settings.evaluate(AS_IT_WAS)
        labelled(settings, label).fill("0,125")
        found = assert_right(settings)
        for key in path.split("."):
            found = found[int(key)] if isinstance(found, list) else found[key]
        assert found == 0.125, label


def test_activation_and_loss_can_be_changed(settings) -> None:
    for activation, loss in product(["tanh", "relu", "sigmoid"], ["cross-entropy", "squared-error"]):
        settings.evaluate(AS_IT_WAS)
        settings.locator("[name=activation]").select_option(activation)
        settings.locator("[name=loss]").select_option(loss)
        network = assert_right(settings)
        assert (network["activation"], network["loss"]) == (activation, loss)
        assert network["sizes"][-1] == (2 if loss == "cross-entropy" else 1), activation
        assert sum(network["t"]) == (1 if loss == "cross-entropy" else 0.5), activation


def test_units_and_layers_grow_to_4_4_4_4_and_shrink_to_1_1(settings) -> None:
    settings.locator("[name=biases]").check()
    settings.get_by_role("button", name="Add a layer").click()
    assert_right(settings)
    for name in ("Input x⁰", "Layer 1", "Layer 2", "Layer 3, output"):
        more = labelled(settings, f"One unit more in {name}")
        while more.is_enabled():
            more.click()
    assert assert_right(settings)["sizes"] == [4, 4, 4, 4]
    assert settings.get_by_role("button", name="Add a layer").is_disabled()
    settings.get_by_role("button", name="Random numbers").click()
    assert_right(settings)
    for _ in range(2):
        settings.get_by_role("button", name="Remove a layer").click()
        assert_right(settings)
    assert settings.get_by_role("button", name="Remove a layer").is_disabled()
    for name in ("Input x⁰", "Layer 1, output"):
        fewer = labelled(settings, f"One unit fewer in {name}")
        while fewer.is_enabled():
            fewer.click()
    assert assert_right(settings)["sizes"] == [1, 1]


def test_a_unit_more_keeps_the_other_weights_and_the_focus(settings) -> None:
    more = labelled(settings, "One unit more in Layer 1")
    more.focus()
    settings.keyboard.press("Enter")
    network = settings.evaluate("lesson.view().network")
    assert network["weights"][0][:2] == [[0.1, 0.8], [0.4, 0.6]]
    assert network["weights"][1][0][:2] == [0.3, 0.9]
    assert settings.evaluate("document.activeElement.getAttribute('aria-label')") == "One unit more in Layer 1"


REFUSED = (
    ("Input 1", "abc", "Input 1: expected a number such as 0.35, got “abc”."),
    ("Input 1", "", "Input 1: expected a number such as 0.35, got “”."),
    ("Target t 1", "1e9", "Target t 1: expected a number from -100 to 100, got 1e9."),
    ("Learning rate η", "-1", "Learning rate η: expected a number from 0 to 1000, got -1."),
    ("W 1, from 2 to 1", "x", "W 1, from 2 to 1: expected a number such as 0.35, got “x”."),
    ("b 1, unit 2", "-101", "b 1, unit 2: expected a number from -100 to 100, got -101."),
    ("Input 2", "0x10", "Input 2: expected a number such as 0.35, got “0x10”."),
)


def test_what_is_no_number_is_refused_and_changes_nothing(settings) -> None:
    settings.locator("[name=biases]").check()
    for label, text, said in REFUSED:
        before = settings.evaluate("lesson.view().network")
        field = labelled(settings, label)
        field.fill(text)
        assert settings.inner_text("#settings-problem") == said
        assert field.get_attribute("aria-invalid") == "true", said
        assert settings.evaluate("lesson.view().network") == before, said
        field.fill("0.5")
        assert settings.locator("#settings-problem").inner_text() == "", said
        assert field.get_attribute("aria-invalid") == "false", said


def test_targets_of_a_softmax_have_to_sum_to_one(settings) -> None:
    settings.locator("[name=loss]").select_option("cross-entropy")
    labelled(settings, "Target t 1").fill("0.7")
    assert (
        settings.inner_text("#settings-problem")
        == "Cross-entropy expects targets that sum to 1 (E17), these sum to 0.7."
    )
    labelled(settings, "Target t 2").fill("0.3")
    assert settings.inner_text("#settings-problem") == ""
    assert assert_right(settings)["t"] == [0.7, 0.3]
    labelled(settings, "Target t 2").fill("-0.3")
    labelled(settings, "Target t 1").fill("1.3")
    assert "from 0 to 1" in settings.inner_text("#settings-problem")


def test_the_walk_has_a_step_for_every_number_of_the_new_network(settings) -> None:
    settings.locator("[name=biases]").check()
    settings.locator("[name=loss]").select_option("cross-entropy")
    settings.keyboard.press("Escape")
    network = settings.evaluate("lesson.view().network")
    names = settings.evaluate("lesson.view().walk.map(step => step.name)")
    assert sorted(names) == sorted(numbers_of(pass_by_hand, network))
    equations = dict(settings.evaluate("lesson.view().walk.map(step => [step.name, step.equation])"))
    assert equations["y_2"] == "E5"
    assert equations["L"] == "E8"
    assert equations["δ^2_1"] == "E17"
    assert "e^2_1" not in equations


def test_saturated_units_are_no_false_alarm(page) -> None:
    for case in product(["sigmoid", "tanh", "relu"], ["squared-error", "cross-entropy"], [100, -100]):
        assert_no_false_alarm(page, *case)


def assert_no_false_alarm(page, activation: str, loss: str, weight: int) -> None:
    plain = {
        "sizes": [1, 1, 2],
        "activation": activation,
        "loss": loss,
        "lr": 1000,
        "x": [100],
        "t": [0.3, 0.7],
        "weights": [[[weight]], [[weight], [-weight]]],
        "biases": [[-100], [100, 100]],
    }
    page.evaluate("network => lesson.change({ start: network })", plain)
    assert page.evaluate("[...lesson.view().wrong]") == [], plain
    expected = numbers_of(pass_by_hand, plain)
    for name, value in page.evaluate("[...lesson.view().byHand]"):
        assert value == pytest.approx(expected[name], rel=1e-12, abs=1e-12 * max(map(abs, expected.values()))), name


CONTROLS = (
    *("[name=activation]", "[name=loss]", "[name=biases]", "[data-do=random]"),
    *("[data-do=more][data-layer='1']", "[data-at='weights.0.1.0']"),
)


def test_the_focus_stays_where_something_was_changed(settings) -> None:
    for control in CONTROLS:
        settings.evaluate(AS_IT_WAS)
        settings.locator(control).focus()
        kind = settings.locator(control).evaluate("one => one.tagName + one.type")
        settings.keyboard.press({"SELECTselect-one": "ArrowDown", "INPUTtext": "1"}.get(kind, "Space"))
        settings.wait_for_function("JSON.stringify(lesson.view().network) !== JSON.stringify(lesson.DATA.x2.network)")
        assert settings.evaluate("control => document.activeElement.matches(control)", control), control


def test_where_a_button_can_do_no_more_its_opposite_gets_the_focus(settings) -> None:
    for button, other in (("[data-do=remove-layer]", "add-layer"), ("[data-do=fewer][data-layer='1']", "more")):
        settings.evaluate(AS_IT_WAS)
        settings.locator(button).focus()
        settings.keyboard.press("Enter")
        assert settings.evaluate("document.activeElement.dataset.do") == other


def test_what_was_read_is_shown_once_the_field_is_left(settings) -> None:
    field = labelled(settings, "Input 1")
    field.fill("−3,5e-1")
    field.blur()
    assert field.input_value() == "-0.35"


def test_targets_that_the_new_loss_does_not_take_become_a_single_one(settings) -> None:
    settings.evaluate("lesson.change({ start: { ...lesson.DATA.x1.network, t: [1.5, -0.5] } })")
    settings.locator("[name=loss]").select_option("cross-entropy")
    assert assert_right(settings)["t"] == [1, 0]
    labelled(settings, "Target t 1").fill("0.33333")
    labelled(settings, "Target t 2").fill("0.66667")
    settings.get_by_label("One unit more in Layer 1", exact=True).click()
    assert assert_right(settings)["t"] == [0.33333, 0.66667]
