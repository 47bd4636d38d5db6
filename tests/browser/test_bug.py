""" "Spot the bug": what the reader sees before the answer and after it."""

from __future__ import annotations

import re

import pytest
from opening import READ_ADDRESS
from settings import in_manual_bp, sample

from torch_ref import crosscheck
from torch_ref.known.faults import FAULTS


@pytest.fixture
def bug(page):
    page.click("#tab-bug")
    return page


def pretty(tensor: str) -> str:
    """Write a tensor's name as the page does: ∂L/∂W²."""
    return re.sub(r"\^(\d)", lambda match: "⁰¹²³⁴"[int(match[1])], tensor)


def hunt(page) -> dict:
    return page.evaluate("lesson.bugOfNow().hunt")


def answer(page, tensor: str, *, rightly: bool = True) -> str:
    """Accuse a formula and choose a cause for it; return what the page says."""
    causes = hunt(page)["causes"][tensor]
    page.get_by_label(f"The formula of {pretty(tensor)} is wrong", exact=True).check()
    k = next(k for k, cause in enumerate(causes) if cause["right"] is rightly)
    page.locator("#causes input").nth(k).check()
    page.click("#bug-answer")
    return page.inner_text("#bug-outcome")


def test_until_it_is_answered_nothing_gives_the_bug_away(bug) -> None:
    bug.click("#plant")
    assert bug.locator(".wrong, .bad").count() == 0
    heads = bug.locator("#suspects thead th").all_text_contents()
    assert heads == ["quantity", "formula", "by hand"]
    bug.click("#tab-walk")
    for _ in range(25):
        assert bug.locator("#step .compare dt").all_text_contents() == ["by hand"]
        assert bug.locator("#step .slide-note").count() == 0
        bug.keyboard.press("ArrowLeft")
    bug.click("#tab-table")
    assert bug.locator("#numbers td").count() == 0
    assert "answer first" in bug.inner_text("#numbers")
    assert bug.is_disabled("#copy-csv")


def test_formula_and_cause_are_asked_and_autograd_is_shown_then(bug) -> None:
    bug.click("#plant")
    assert bug.is_disabled("#bug-answer")
    guilty = hunt(bug)["guilty"]
    assert answer(bug, guilty).startswith(f"Right. The bug is in {pretty(guilty)} (")
    assert bug.inner_text("#bug-outcome").endswith("Found: 1 of 1.")
    assert bug.locator("#suspects thead th").all_text_contents()[-1] == "autograd"
    assert bug.locator("#suspects .bad").count() > 0
    assert bug.locator("#suspects tr.guilty th").inner_text() == pretty(guilty)
    bug.click("#tab-walk")
    bug.evaluate("lesson.change({ step: lesson.view().walk.find(({ name }) => lesson.view().wrong.has(name)).name })")
    assert bug.locator("#step .bad dd").inner_text().startswith("off")


@pytest.mark.parametrize("example", ["X2", "X1"])
def test_the_formula_that_is_asked_for_is_the_one_that_crosscheck_blames(bug, example) -> None:
    planted = bug.evaluate(
        """(example) => [...Array(39).keys()].map((k) => {
             lesson.plantBug(k + 1, example);
             const { guilty, fault } = lesson.bugOfNow().hunt;
             return [lesson.view().network, fault.name, fault.l, guilty];
           })""",
        example,
    )
    plain = planted[0][0]
    assert all(network == plain for network, *_ in planted)  # that of the example: a fault in a layer is checked once
    network, (x, t, _) = in_manual_bp(plain), sample(plain)
    # Others are mistakes that any formula can have, and that the catalogue does not list by formula.
    for name, l, guilty in sorted({(name, l, guilty) for _, name, l, guilty in planted if name in FAULTS}):
        report = crosscheck(FAULTS[name].plant(network, l), x, t, power=False)
        found = ["y" if row.quantity == f"x^{network.depth}" else row.quantity for row in report.guilty]
        assert found == [guilty], (name, l)


def test_a_wrong_answer_shows_the_truth_and_counts_as_tried(bug) -> None:
    bug.click("#plant")
    found = hunt(bug)
    innocent = next(tensor for tensor in found["suspects"] if tensor != found["guilty"])
    said = answer(bug, innocent, rightly=False)
    assert said.startswith(f"It is not {pretty(innocent)}: ")
    assert f"The bug is in {pretty(found['guilty'])} ({found['fault']['equation']}): {found['fault']['title']}." in said
    assert said.endswith("Found: 0 of 1.")
    bug.click("#bug-next")
    assert "half" not in answer(bug, hunt(bug)["guilty"], rightly=False)
    assert bug.inner_text("#bug-outcome").endswith("Found: 0 of 2, and 1 more without the cause.")
    bug.click("#bug-next")
    bug.click("#give-up")
    assert bug.inner_text("#bug-outcome").endswith("Found: 0 of 3, and 1 more without the cause.")
    assert bug.is_hidden("#bug-answer")
    assert bug.is_hidden("#give-up")


def test_a_class_shares_a_number_and_the_bug_sits_in_the_example_s_weights(bug) -> None:
    bug.evaluate(
        "lesson.change({ start: { ...lesson.DATA.x2.network, lr: 3, weights: [[[1, 2], [3, 4]], [[5, 6]]] } })"
    )
    found = []
    for _ in range(2):
        bug.fill("#bug-seed", "77")
        bug.click("#plant")
        found.append(hunt(bug))
        assert bug.evaluate("JSON.stringify(lesson.view().network) === JSON.stringify(lesson.DATA.x2.network)")
    assert found[0] == found[1]
    bug.click("#bug-next")
    assert (bug.input_value("#bug-seed"), hunt(bug)["seed"]) == ("78", 78)


def test_a_number_that_is_none_is_refused(bug) -> None:
    bug.fill("#bug-seed", "1.5")
    bug.click("#plant")
    assert bug.inner_text("#bug-outcome") == "Number of the bug: expected a whole number from 1 to 9999, got “1.5”."
    assert bug.evaluate("lesson.view().fault") is None


def test_a_bug_goes_with_the_network_it_is_in(bug) -> None:
    bug.click("#plant")
    bug.click("#remove-bug")
    assert bug.evaluate("lesson.view().fault") is None
    assert bug.locator("#suspects tr").count() == 0
    assert bug.is_hidden("#causes")
    bug.click("#plant")
    bug.evaluate("lesson.change({ start: lesson.DATA.x1.network })")
    assert bug.evaluate("[lesson.view().fault, lesson.view().wrong.size]") == [None, 0]
    assert "bug" not in bug.inner_text("#bench-state")
    assert bug.inner_text("#bug-outcome") == ""


def test_every_fault_can_be_planted_when_the_network_then_changes(bug) -> None:
    changes = (
        "[name=biases]",
        '[data-do="more"][data-layer="1"]',
        '[data-do="fewer"][data-layer="1"]',
        "[data-do=remove-layer]",
    )
    planted = bug.evaluate(
        """changes => changes.flatMap(change => [1, 2, 3, 4, 5].map(seed => {
             lesson.plantBug(seed, "X1");
             document.querySelector(change).click();
             return [lesson.view().fault, document.querySelector("#bench").classList.contains("with-bug")];
           }))""",
        list(changes),
    )
    assert planted == [[None, False]] * 20


def test_a_bug_is_part_of_the_address(bug, page_file) -> None:
    bug.fill("#bug-seed", "77")
    bug.select_option("#bug-example", "X1")
    bug.click("#plant")
    planted = hunt(bug)
    bug.wait_for_function("location.hash.includes('bug=X1-77')")
    bug.reload()
    assert hunt(bug) == planted
    assert bug.evaluate("[lesson.view().isOpen, document.querySelector('#bug').hidden]") == [True, False]
    bug.goto(f"{page_file.as_uri()}#bug=X2-7")
    bug.reload()
    assert (hunt(bug)["seed"], hunt(bug)["example"]) == (7, "X2")
    for hostile in ("X3-1", "X2-0", "X2-10000", "X2", "<b>"):
        bug.evaluate(READ_ADDRESS, f"bug={hostile}")
        assert "bug: expected X1 or X2 and a number from 1 to 9999" in bug.inner_text("#address-problem")
        assert bug.evaluate("lesson.view().fault") is None


def test_numbers_as_on_the_slides_are_part_of_the_address(page, page_file) -> None:
    page.check("[value=slide]")
    page.wait_for_function("location.hash.includes('numbers=slide')")
    page.reload()
    assert page.evaluate("lesson.view().asOnSlides")
    page.goto(f"{page_file.as_uri()}#numbers=all")
    page.reload()
    assert "numbers: expected slide, got “all”" in page.inner_text("#address-problem")


def test_a_bug_counts_once(bug) -> None:
    bug.click("#plant")
    answer(bug, hunt(bug)["guilty"])
    bug.click("#plant")
    bug.click("#give-up")
    assert bug.evaluate("lesson.bugOfNow().score") == {"right": 1, "half": 0, "tried": 1}


def test_next_begins_at_1_where_no_number_stands(bug) -> None:
    bug.fill("#bug-seed", "junk")
    bug.click("#bug-next")
    assert (bug.input_value("#bug-seed"), hunt(bug)["seed"]) == ("1", 1)


def test_neither_a_bug_nor_a_hidden_number_is_heard(bug) -> None:
    bug.click("#plant")
    bug.evaluate("lesson.change({ step: 'δ^1_1' })")
    assert "autograd" not in bug.text_content("#heard")
    bug.click("#remove-bug")
    bug.click("#tab-walk")
    bug.check("#predict")
    bug.evaluate("lesson.change({ step: 'x^1_1' })")
    assert bug.text_content("#heard") == "Output of unit 1 of layer 1. It is hidden until you have typed it."


def test_after_a_bug_the_number_is_asked_for_again(bug) -> None:
    bug.check("#predict")
    bug.evaluate("lesson.plantBug(12, 'X2')")
    bug.click("#remove-bug")
    bug.click("#tab-walk")
    assert bug.locator("#prediction input").is_visible()
