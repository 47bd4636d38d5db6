"""Ten exercises from a seed: their numbers, their marks, and the progress that the browser keeps."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from typing import Any

import pytest
from comparing import BOUND, worst
from opening import opened
from settings import in_manual_bp, sample

from torch_ref.lesson.page import build
from torch_ref.lesson.page.data import sheet_data
from torch_ref.lesson.walk.quantities import pass_by_autograd, pass_by_hand, scalars

ALL = """(seeds) => seeds.map((seed) => [...Array(20).keys()].map((at) => {
  const one = lesson.exercise(seed, at + 1);
  return { ...one, numbers: [...lesson.pass(one.network)] };
}))"""
LARGEST = 2**32 - 1


def mulberry32(seed: int) -> float:
    """Return the first number of the generator for a seed, as its author publishes it, in Python's integers."""
    state = (seed + 0x6D2B79F5) % 2**32
    mixed = (state ^ (state >> 15)) * (1 | state) % 2**32
    mixed = ((mixed + (mixed ^ (mixed >> 7)) * (61 | mixed)) % 2**32) ^ mixed
    return ((mixed ^ (mixed >> 14)) % 2**32) / 2**32


def test_a_seed_draws_the_same_numbers_always_and_another_one_others(lesson) -> None:
    first, again, other = lesson(ALL, [7, 7, 8])
    assert first == again
    for one, same_kind in zip(first, other, strict=True):
        assert (one["title"], one["asked"], one["given"]) == (
            same_kind["title"],
            same_kind["asked"],
            same_kind["given"],
        )
        assert one["network"] != same_kind["network"]
    for early, late in zip(first[:10], first[10:], strict=True):
        assert early["title"] == late["title"]
        assert early["network"] != late["network"]


@pytest.mark.parametrize("seed", [0, 1, 7, LARGEST])
def test_the_first_number_is_mulberry32_s(lesson, seed: int) -> None:
    drawn = lesson("(seed) => lesson.exercise(seed, 1).network.x[0]", seed)
    assert drawn == (10 + int(mulberry32((seed + 0x9E3779B9) % 2**32) * 91)) / 100


def test_numbers_have_two_decimals_and_none_is_0(lesson) -> None:
    networks = "(seeds) => JSON.stringify(seeds.flatMap((seed) => "
    networks += "[...Array(20).keys()].map((at) => lesson.exercise(seed, at + 1).network)))"
    for network in json.loads(lesson(networks, list(range(40)))):  # as one text they are sent ten times as fast
        rows = [network["x"], *(row for rows in network["weights"] for row in rows), *(network["biases"] or [])]
        assert all(value and round(value, 2) == value for row in rows for value in row)
        assert all(round(value, 2) == value for value in network["t"])


def test_they_grow_from_one_net_of_x2_to_a_whole_backward_pass(lesson, data) -> None:
    (exercises,) = lesson(ALL, [1])
    assert exercises[0]["asked"] == ["net^1_1"]
    assert exercises[0]["network"]["weights"] == data["x2"]["network"]["weights"]
    last = exercises[9]
    assert last["network"]["sizes"] == [2, 3, 2]
    assert last["asked"] == [name for name, _ in last["numbers"] if name[0] in "eδ"]
    assert len(last["asked"]) == 10
    for one in exercises:
        order = [name for name, _ in one["numbers"]]
        assert max(map(order.index, one["given"]), default=-1) < min(map(order.index, one["asked"]))
        assert one["asked"]
        assert not set(one["asked"]) & set(one["given"])
        assert {name for name, _ in one["numbers"]} >= {*one["asked"], *one["given"]}


def test_every_right_answer_is_autograd_s(lesson) -> None:
    for one in (one for exercises in lesson(ALL, [0, 7, LARGEST]) for one in exercises):
        expected = scalars(pass_by_autograd(in_manual_bp(one["network"]), *sample(one["network"])))
        assert worst(dict(one["numbers"]), expected) < BOUND


def solve(page: Any, number: int) -> None:
    """Type the right numbers of an exercise, with Enter to mark and Enter to go on."""
    page.click(f"#practise-list button >> nth={number - 1}")
    rights = page.evaluate(
        """(at) => {
             const { network, asked } = lesson.exercise(Number(document.querySelector("#practise-seed").value), at);
             const values = lesson.pass(network);
             return asked.map((name) => (name.endsWith("after") ? values.get(name).toFixed(4) : values.get(name).toPrecision(3)));
           }""",  # noqa: E501
        number,
    )
    page.locator("#exercise input").first.focus()
    for right in rights:
        page.keyboard.type(right)
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")


def done(page: Any) -> str:
    return str(page.text_content("#practise-state"))


def test_all_ten_can_be_solved_by_keys_alone_and_are_kept(page) -> None:
    page.fill("#practise-seed", "7")
    page.keyboard.press("Enter")
    page.locator("#practise-seed").blur()
    for number in range(1, 11):
        solve(page, number)
        verdicts = page.locator("#exercise .verdict").all_text_contents()
        assert all(verdict.startswith("✓ Right") for verdict in verdicts), (number, verdicts)
        assert done(page) == f"{number} of 10 done"
    page.reload()
    assert done(page) == "10 of 10 done"
    assert page.input_value("#practise-seed") == "7"
    assert page.locator("#exercise .verdict").first.text_content().startswith("✓ Right")
    page.click("#practise-clear")
    page.reload()
    assert done(page) == "0 of 10 done"
    assert page.input_value("#practise-seed") == "7"


def test_a_number_that_was_shown_is_not_done(page) -> None:
    page.locator("#exercise input").fill("123.4")
    page.keyboard.press("Enter")
    page.locator("#exercise .help").click()
    assert page.locator("#exercise .verdict").text_content().startswith("It is ")
    assert done(page) == "0 of 10 done"


def test_other_numbers_and_a_seed_that_is_none(page) -> None:
    before = page.text_content("#exercise")
    page.click("#practise-other")
    assert page.text_content("#exercise") != before
    for wrong in ("-1", "4294967296", "1.5", "seven", ""):
        page.fill("#practise-seed", wrong)
        page.locator("#practise-seed").blur()
        assert f"expected a whole number from 0 to 4294967295, got “{wrong}”" in page.text_content("#practise-problem")
    page.fill("#practise-seed", "4294967295")
    page.locator("#practise-seed").blur()
    assert page.text_content("#practise-problem") == ""


def test_what_somebody_else_stored_does_no_harm(page) -> None:
    for stored in ("{", "null", "7", '{"seed": -1, "at": 1, "right": {}}', '{"seed": 1, "at": 99}'):
        page.evaluate("stored => localStorage.setItem('lesson-practise', stored)", stored)
        page.reload()
        assert done(page) == "0 of 10 done", stored


def test_without_a_storage_the_exercises_work_all_the_same(page) -> None:
    page.context.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } });")
    page.reload()
    solve(page, 1)
    assert done(page) == "1 of 10 done"


def test_nothing_of_the_solution_is_in_sight(page) -> None:
    for number in range(1, 11):
        page.click(f"#practise-list button >> nth={number - 1}")
        text = page.inner_text("#exercise")
        answers = page.evaluate(
            """(at) => {
                 const { network, asked } = lesson.exercise(1, at);
                 return asked.map((name) => lesson.shown(lesson.pass(network).get(name)));
               }""",
            number,
        )
        assert not [answer for answer in answers if re.search(rf"(?<![−\d.]){answer}", text)], number


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_exercises_are_no_wider_than_the_window(open_page, width: int) -> None:
    page = open_page(width)
    for number in (6, 9, 10):
        page.click(f"#practise-list button >> nth={number - 1}")
        page.locator("#exercise input").first.fill("0.12345")
        page.keyboard.press("Enter")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, number


# ------------------------------------------------------------------------------------------------- the printed sheet

SHEETS = [(0, 3), (7, 10), (LARGEST, 30)]


@pytest.fixture
def sheet(browser, tmp_path):
    """Open the sheet of a seed."""
    complaints: list[list[str]] = []
    with ExitStack() as pages:

        def open_sheet(seed: int, count: int) -> Any:
            file = tmp_path / "sheet.html"
            file.write_text(build.sheet(sheet_data(seed, count)), encoding="utf-8")
            opened_page, its_complaints = pages.enter_context(opened(browser, file))
            complaints.append(its_complaints)
            return opened_page

        yield open_sheet
    assert not any(complaints), complaints


@pytest.mark.parametrize(("seed", "count"), SHEETS)
def test_every_solution_on_the_sheet_is_manual_bp_s(sheet, lesson, seed: int, count: int) -> None:
    page = sheet(seed, count)
    found = page.locator("#solutions article").evaluate_all(
        """(all) => all.map((one) => [...one.querySelectorAll(".solution")].map((row) =>
             [row.dataset.name, row.lastElementChild.getAttribute("aria-label")]))"""
    )
    exercises = lesson("([seed, n]) => [...Array(n).keys()].map((at) => lesson.exercise(seed, at + 1))", [seed, count])
    assert len(found) == count
    for solved, one in zip(found, exercises, strict=True):
        numbers = scalars(pass_by_hand(in_manual_bp(one["network"]), *sample(one["network"])))
        assert [name for name, _ in solved] == one["asked"]
        for name, text in solved:
            last = re.split("[=←]", text)[-1].strip().replace("−", "-")
            assert float(last) == pytest.approx(
                numbers[name], abs=max(5.1e-7, 6e-4 * abs(numbers[name]) * ("e" in last))
            )


def test_the_sheet_poses_what_the_page_poses_for_the_same_seed(sheet, page) -> None:
    printed = sheet(7, 10)
    page.fill("#practise-seed", "7")
    page.locator("#practise-seed").blur()
    for number in range(1, 11):
        page.click(f"#practise-list button >> nth={number - 1}")
        on_page = page.locator("#exercise > h3, #exercise p").all_text_contents()
        on_paper = printed.locator(f"#exercises article >> nth={number - 1}").locator("h3, p:not(.lines)")
        assert on_paper.all_text_contents() == on_page


def test_the_sheet_is_printed_in_black_on_a4_with_its_seed_and_solutions_on_a_new_page(sheet) -> None:
    page = sheet(7, 10)
    page.emulate_media(media="print", color_scheme="dark")
    colours = page.evaluate(
        """() => [...document.querySelectorAll("body *")].flatMap((one) => {
             const { color, fill, stroke, backgroundColor } = getComputedStyle(one);
             return [color, fill, stroke, backgroundColor];
           })"""
    )
    for colour in {colour for colour in colours if colour.startswith("rgb")}:
        assert len(set(re.findall(r"\d+", colour)[:3])) == 1, colour
    foot = page.evaluate("[...document.head.querySelectorAll('style')].at(-1).textContent")
    assert "seed 7" in foot
    assert page.evaluate("getComputedStyle(document.querySelector('#solutions')).breakBefore") == "page"
    pdf = page.pdf(prefer_css_page_size=True)
    sizes = {tuple(round(float(end)) for end in box.split()) for box in re.findall(rb"/MediaBox \[([^\]]*)\]", pdf)}
    assert sizes == {(0, 0, 595, 842)}
