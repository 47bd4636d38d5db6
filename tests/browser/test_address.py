"""The page's state in its address: links, Back, reload, what is refused; contents that stay, and the way back."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import pytest
from comparing import assert_same
from opening import READ_ADDRESS, TWO_FRAMES, opened, scroll, stop_the_clock
from settings import drawn

from torch_ref.lesson.page import build
from torch_ref.lesson.page.data import plain
from torch_ref.lesson.walk.both import target_of
from torch_ref.lesson.walk.examples import random_example
from torch_ref.lesson.walk.quantities import pass_by_hand, scalars

STATE = """(({ start, updates, step, at, walk }) => ({ start, updates, step: walk[at].name,
  tab: document.querySelector("[role=tab][aria-selected=true]").id,
  bits: start && JSON.stringify([start.weights, start.biases, start.x, start.t, start.lr]
    .flat(Infinity).map((value) => Object.is(value, -0) ? "-0" : value)) }))(lesson.view())"""

ODD = [
    drawn(
        3, sizes=[4, 4, 4, 4], activation="tanh", loss="cross-entropy", biases=[[0.1 + 0.2, -0.0, 1e-300, 5e-324]] * 3
    ),
    drawn(4, sizes=[1, 1], activation="relu", loss="squared-error", biases=None),
    drawn(5, sizes=[2, 3, 1], activation="sigmoid", loss="squared-error", x=[-0.0, 100.0], lr=1e-7),
]


def state(page) -> dict[str, Any]:
    """Return what the reader chose, numbers with every bit."""
    return page.evaluate(STATE)


def fragment(page) -> str:
    """Return the address after its #, as it is written."""
    return unquote(page.url.partition("#")[2])


def wait_for(page, part: str) -> None:
    """Wait until the address says that: it is written with a pause."""
    page.wait_for_function("part => decodeURIComponent(location.hash).includes(part)", arg=part)


@pytest.fixture
def open_at(fresh_page):
    """Open the page at a fragment, as a link would."""

    def opened_at(fragment: str, **settings: Any):
        return fresh_page(reduced_motion="reduce", fragment=fragment, **settings)

    return opened_at


def test_a_page_without_a_fragment_keeps_its_plain_address(page) -> None:
    assert fragment(page) == ""
    page.keyboard.press("ArrowRight")
    wait_for(page, "step=x^1_1")
    page.keyboard.press("Home")
    page.wait_for_function("location.hash === ''")


@pytest.mark.parametrize("network", ODD, ids=lambda n: f"{'-'.join(map(str, n['sizes']))}")
def test_a_link_restores_every_bit_in_a_fresh_page(page, open_at, network: dict[str, Any]) -> None:
    last = f"W^{len(network['weights'])}_11 after"
    page.evaluate("([start, step]) => lesson.change({ start, updates: 7, step })", [network, last])
    page.evaluate(
        "start => lesson.change({ start: { ...start, x: start.x.map((x) => x || -0) }, updates: 7 })", network
    )
    page.click("#tab-table")
    page.click("#copy-link")
    page.wait_for_function("document.querySelector('#link-copied').textContent === 'Copied.'")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.isascii()
    assert len(link) < 4000
    other = open_at(link.partition("#")[2])
    assert state(other) == state(page)
    assert state(other)["updates"] == 7
    assert state(other)["tab"] == "tab-table"
    bits = lambda page: page.evaluate("JSON.stringify([...lesson.view().byHand])")  # noqa: E731
    assert bits(other) == bits(page)


def test_a_reload_keeps_everything(page) -> None:
    page.evaluate("start => lesson.change({ start, updates: 3, step: 'y_1' })", ODD[2])
    page.click("#tab-repeat")
    before = state(page)
    page.reload()
    assert state(page) == before
    page.locator(".contents a", has_text="Chain rule").click()
    assert page.url.endswith("#chain-rule")
    page.reload()
    assert state(page) == before
    assert page.url.endswith("#chain-rule")


def test_back_undoes_a_jump_and_not_a_step(page) -> None:
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    wait_for(page, "step=net^1_2")
    page.click("#tab-table")
    page.click("#settings summary")
    page.get_by_role("button", name="Random numbers").click()
    random = state(page)["start"]
    page.locator("#chain-rule .show-step").first.click()
    assert (state(page)["step"], page.evaluate("lesson.view().lectures")) == ("δ^2_1", True)
    page.go_back()
    assert (state(page)["start"], state(page)["step"], state(page)["tab"]) == (random, "net^1_2", "tab-table")
    page.go_back()
    assert page.evaluate("lesson.view().lectures")
    assert state(page)["tab"] == "tab-table"
    page.go_back()
    assert (state(page)["tab"], state(page)["step"]) == ("tab-walk", "net^1_2")
    page.go_forward()
    assert state(page)["tab"] == "tab-table"


def test_digits_typed_into_one_field_are_one_change(page) -> None:
    page.click("#settings summary")
    field = page.locator("[data-at='x.0']")
    field.fill("")
    field.press_sequentially("0.125")
    wait_for(page, "x,0.125,0.9")
    page.go_back()
    assert page.evaluate("lesson.view().lectures")
    assert fragment(page) == ""


def test_a_fragment_that_is_a_section_stays_one(open_at) -> None:
    page = open_at("digit")
    assert page.locator("#digit").evaluate("one => one.getBoundingClientRect().top") < 80
    assert page.evaluate("lesson.view().lectures")
    assert page.locator("#address-problem").text_content() == ""
    assert page.url.endswith("#digit")


def test_a_key_that_is_held_down_is_not_too_much(page) -> None:
    """Browsers refuse more than a hundred addresses in half a minute: ten in three seconds."""
    stop_the_clock(page)
    page.evaluate(
        """() => {
             globalThis.written = 0;
             for (const way of ["pushState", "replaceState"]) {
               const write = history[way].bind(history);
               history[way] = (...address) => { globalThis.written += 1; write(...address); };
             }
           }"""
    )
    for _ in range(30):
        page.evaluate("for (const step of ['y_1', 'L']) lesson.change({ step })")
        page.clock.run_for(100)
    assert 1 < page.evaluate("written") <= 10
    page.clock.run_for(1000)
    assert page.evaluate("location.hash") == "#step=L"


NUMBERS = "weights,0.1,0.8,0.4,0.6,0.3,0.9;x,0.35,0.9;t,0.5;lr,1"


REFUSED = [
    ("step=nonsense", "step: expected one of this network, such as W^2_12 after, got “nonsense”"),
    ("updates=2001", "updates: expected a number from 0 to 2000, got “2001”"),
    ("updates=-1", "updates: expected a number from 0 to 2000, got “-1”"),
    ("tab=stepper", "tab: expected walk, table, repeat, bug, got “stepper”"),
    ("net=1000000-1", "expected 2 to 4 layers of 1 to 4 units, such as 2-2-1, got “1000000-1”"),
    ("net=2-2-2-2-2", "got “2-2-2-2-2”"),
    (f"net=2-2-1;softplus;squared-error;{NUMBERS}", "expected sigmoid or tanh or relu, got “softplus”"),
    (f"net=2-2-1;toString;squared-error;{NUMBERS}", "got “toString”"),
    (f"net=2-2-1;tanh;hinge;{NUMBERS}", "expected squared-error or cross-entropy, got “hinge”"),
    (f"net=2-2-1;tanh;cross-entropy;{NUMBERS}", "cross-entropy expects at least 2 outputs, got 1"),
    (f"net=2-2-1;tanh;squared-error;{NUMBERS.replace('0.6,', '')}", "weights: expected 6 numbers, got 5"),
    (f"net=2-2-1;tanh;squared-error;{NUMBERS.replace('0.6', 'NaN')}", "such as 0.35, got “NaN”"),
    (f"net=2-2-1;tanh;squared-error;{NUMBERS.replace('0.6', '1e999')}", "got “1e999”"),
    (f"net=2-2-1;tanh;squared-error;{NUMBERS.replace('lr,1', 'lr,-1')}", "got “-1”"),
    (f"net=2-2-1;tanh;squared-error;biases,1;{NUMBERS}", "biases: expected 3 numbers, got 1"),
    (f"net=2-2-1;tanh;squared-error;__proto__,1;{NUMBERS}", "got “__proto__”"),
    (
        "net=1-2;tanh;cross-entropy;weights,1,2;x,1;t,0.5,0.1;lr,1",
        "Cross-entropy expects targets that sum to 1 (E17), these sum to 0.6",
    ),
    ("step=%E0%A4", "it is not encoded as addresses are"),
    ("<img src=x onerror=alert(1)>=1", "got “<img src”"),
    ("step=<script>alert(1)</script>", "got “<script>alert(1)</script…”"),
    ("nowhere", "expected net, updates, step, tab"),
    ("net=" + "9" * 100_000, "it is longer than 4000 letters"),
]


def assert_refused(page, said: str) -> None:
    problem = page.locator("#address-problem")
    assert problem.is_visible(), said
    text = problem.inner_text()
    assert text.startswith("This address cannot be read, so here is X2: "), said
    assert said in text
    assert page.locator("#address-problem *").count() == 0, said
    assert (page.evaluate("lesson.view().lectures"), state(page)["step"]) == (True, "net^1_1"), said


@pytest.mark.parametrize(("fragment", "said"), [REFUSED[0], REFUSED[6], REFUSED[-3]], ids=["step", "net", "script"])
def test_a_page_is_opened_at_a_broken_address(open_at, fragment: str, said: str) -> None:
    page = open_at(fragment)
    assert_refused(page, said)
    page.keyboard.press("ArrowRight")
    assert not page.locator("#address-problem").is_visible()
    wait_for(page, "#step=x^1_1")


def test_a_broken_or_hostile_address_is_refused_in_one_sentence(page) -> None:
    """The page is there already: it reads an address in one way, whenever it comes."""
    for fragment, said in REFUSED:
        page.evaluate("lesson.change({ start: lesson.DATA.x1.network, step: 'L' })")
        page.evaluate(READ_ADDRESS, fragment)
        assert_refused(page, said)


def test_an_address_written_by_hand_is_read_at_once(page) -> None:
    page.evaluate("location.hash = 'step=δ^1_1&updates=3'")
    page.wait_for_function("lesson.view().updates === 3")
    assert state(page)["step"] == "δ^1_1"
    page.go_back()
    page.wait_for_function("lesson.view().updates === 0")
    assert state(page)["step"] == "net^1_1"


def test_a_link_to_a_step_shows_it_on_a_telephone(open_at) -> None:
    page = open_at("step=δ^1_1", viewport={"width": 360, "height": 740})
    assert abs(page.locator("#bench").evaluate("one => one.getBoundingClientRect().top")) < 20


def test_a_page_made_with_a_random_network_begins_with_it(browser, data, tmp_path) -> None:
    example = random_example([3, 4, 2], "relu", "cross-entropy", 5, 0.5, bias=True)
    file = tmp_path / "random.html"
    opening = {"title": "Random network, seed 5", "network": plain(example)}
    file.write_text(build.page(data | {"opening": opening}), encoding="utf-8")
    with opened(browser, file, viewport={"width": 1280, "height": 800}) as (page, complaints):
        assert page.inner_text("#bench-state") == "Random network, seed 5: 3-4-2, ReLU, cross entropy, η = 0.5"
        found = page.evaluate("[...lesson.view().byHand]")
        assert_same(found, scalars(pass_by_hand(example.network, example.x, target_of(example), 0.5)))
        assert fragment(page) == ""
        page.locator("#goodness .show-step").click()
        assert fragment(page) == "net=X2&step=L"
        page.go_back()
        assert page.inner_text("#bench-state").startswith("Random network, seed 5")
        page.goto(f"{file.as_uri()}#net=9")
        page.reload()
        assert page.inner_text("#bench-state").startswith("The lecture’s example X2")
        assert complaints == []


# -------------------------------------------------------------------------------------------------------- contents


@pytest.mark.parametrize("size", [(1280, 720), (1024, 768), (360, 740), (640, 360)])
def test_contents_stay_beside_the_chapters_and_not_at_the_network(fresh_page, size: tuple[int, int]) -> None:
    page = fresh_page(viewport=dict(zip(("width", "height"), size, strict=True)), reduced_motion="reduce")
    contents = page.locator(".contents")
    for link in page.locator(".contents a").all()[1:]:
        link.click()
        page.wait_for_function(
            "id => document.querySelector(`[href='${id}']`).ariaCurrent", arg=link.get_attribute("href")
        )
        assert page.locator(".contents [aria-current]").count() == 1
        box = contents.bounding_box()
        assert box["y"] == 0
        assert box["height"] < 48
        heading = page.locator(f"{link.get_attribute('href')} h2").bounding_box()
        assert heading["y"] >= box["height"], link.inner_text()
    page.locator(".contents a").first.click()
    page.wait_for_function("document.querySelector('.contents').getBoundingClientRect().bottom < 20")
    assert page.evaluate("document.querySelector('.contents [aria-current]').hash") == "#bench"


def test_what_was_read_is_marked_and_what_was_jumped_over_is_not(page) -> None:
    page.locator(".contents a", has_text="Loss").click()
    page.mouse.move(600, 500)
    read = lambda: page.locator(".contents .read").evaluate_all("all => all.map(one => one.hash)")  # noqa: E731
    for _ in range(14):
        scroll(page, lambda: page.mouse.wheel(0, 120))
        page.evaluate(TWO_FRAMES)
    assert "#goodness" in read()
    assert not {"#unit", "#function-set", "#digit"} & set(read())


@pytest.mark.parametrize("origin", ["#gradient-descent .show-step", ".contents a[href='#digit']"])
def test_a_jump_offers_the_way_back_once(page, origin: str) -> None:
    page.locator("#gradient-descent .show-step").first.scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    assert page.locator(".return:visible").count() == 0
    page.locator(origin).first.click()
    page.wait_for_function("before => Math.abs(scrollY - before) > 500", arg=before)
    page.wait_for_function(
        """() => [...document.querySelectorAll(".return")].filter((one) => {
             const { top, bottom } = one.getBoundingClientRect();
             return top >= 0 && bottom <= innerHeight;
           }).length === 1"""
    )
    page.get_by_role("button", name="Back to where I was").nth(0 if "contents" in origin else 1).click()
    assert page.evaluate("scrollY") == pytest.approx(before, abs=1)
    assert page.evaluate("origin => document.activeElement.matches(origin)", origin)
    assert page.locator(".return:visible").count() == 0


def test_the_state_is_what_the_address_says(page) -> None:
    page.evaluate("lesson.change({ step: 'δ^1_1', updates: 2 })")
    wait_for(page, "updates=2")
    assert page.evaluate("history.state.address") == fragment(page)
    assert json.loads(state(page)["bits"])[0] == 0.1
