"""Both tours: by keyboard alone, at every size, nothing covered, every number the lecture's, held by the address."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from opening import READ_ADDRESS, TWO_FRAMES

SIZES = [(1280, 720), (1024, 768), (1920, 1080), (640, 360), (360, 740)]
STOPS = {"backward": 9, "lecture": 16}


def text(page) -> str:
    """Return what the bar says."""
    return page.inner_text("#tour-text")


def step(page) -> str:
    """Return the step that the network shows."""
    return page.evaluate("lesson.view().walk[lesson.view().at].name")


def covered(page) -> list[str]:
    """Return what the stop speaks of and is not wholly above the bar; of a chapter, its heading and first lines."""
    return page.evaluate(
        """() => {
             const bar = document.querySelector("#tour").getBoundingClientRect().top;
             const bench = Math.abs(document.querySelector("#bench").getBoundingClientRect().top) < 60;
             const own = ["#drawing svg", "#step .phase", "#step .symbols", "#step .numbers"];
             const shown = bench && !document.querySelector("#walk").hidden ? own : bench ? ["#drawing svg"] : [];
             const here = document.querySelector(".contents [aria-current]").hash;
             return [...shown, ...(bench ? [] : [`${here} h2`])].filter((what) => {
               const { top, bottom } = document.querySelector(what).getBoundingClientRect();
               return (bench && top < -1) || bottom > bar + 1;
             });
           }"""
    )


BAR = """() => {
  const bar = document.querySelector("#tour");
  const { bottom, height } = bar.getBoundingClientRect();
  return height === 0 ? null : {
    bottom, height, count: document.querySelector("#tour-count").innerText, width: document.documentElement.scrollWidth,
    button: document.querySelector("#tour-next").innerText, focus: document.activeElement.id,
  };
}"""


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", STOPS)
def test_a_tour_goes_through_all_its_stops_by_keyboard_and_covers_nothing(fresh_page, name: str, size) -> None:
    page = fresh_page(viewport=dict(zip(("width", "height"), size, strict=True)), reduced_motion="reduce")
    page.locator(f"[data-tour={name}]").focus()
    page.keyboard.press("Enter")
    seen = []
    while bar := page.evaluate(BAR):
        page.evaluate(TWO_FRAMES)  # the contents follow the scrolling
        assert covered(page) == [], bar["count"]
        assert bar["focus"] == "tour-next", bar
        assert bar["width"] <= size[0], bar
        assert abs(bar["bottom"] - size[1]) < 1, bar
        assert bar["height"] < 0.45 * size[1], bar
        seen.append((bar["count"], bar["button"]))
        page.keyboard.press("PageDown")
    stops = [count for count, button in seen if button != "Show"]
    assert stops == [f"{n} of {STOPS[name]}" for n in range(1, STOPS[name] + 1)]
    assert seen[-1][1] == "Finish"
    assert sum(button == "Show" for _, button in seen) == {"backward": 4, "lecture": 1}[name]
    assert page.evaluate("document.activeElement !== document.body")
    assert "tour" not in page.url


def test_a_question_is_open_until_it_is_answered(page, data) -> None:
    page.get_by_role("button", name="Tour, 5 min: the backward pass").click()
    for _ in range(3):
        page.keyboard.press("PageDown")
    assert text(page).startswith("Think first: which sign has δ²₁")
    assert "0.0406" not in text(page)
    assert (step(page), page.locator(".drawing .delta text").all_text_contents()) == ("e^2_1", ["e −0.190283"])
    page.get_by_role("button", name="Show", exact=True).click()
    assert step(page) == "δ^2_1"
    assert text(page).startswith(f"δ²₁ is {data['x2']['byHand']['δ^2_1']:.6f}".replace("-", "−"))
    page.keyboard.press("PageUp")
    assert page.inner_text("#tour-count") == "3 of 9"
    page.keyboard.press("PageDown")
    page.locator("#slider").focus()  # who goes on by the walk's own keys is answered too
    page.keyboard.press("ArrowRight")
    assert text(page).startswith("δ²₁ is −0.040681")


def test_every_number_in_the_tours_is_filled_in(page) -> None:
    for name, stops in STOPS.items():
        page.locator(f"[data-tour={name}]").click()
        for _ in range(stops + 4):
            assert not set("{}") & set(text(page))
            assert "NaN" not in text(page)
            page.keyboard.press("PageDown")
            if not page.locator("#tour").is_visible():
                break


def test_the_address_holds_the_tour_and_back_goes_a_stop_back(page, page_file) -> None:
    page.locator("[data-tour=backward]").click()
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    assert unquote(page.url).endswith("#step=e^2_1&tour=backward&stop=3")
    page.reload()
    assert (page.inner_text("#tour-count"), step(page)) == ("3 of 9", "e^2_1")
    page.go_back()
    assert page.inner_text("#tour-count") == "2 of 9"
    page.go_back()
    page.go_back()
    assert not page.locator("#tour").is_visible()
    page.goto("about:blank")
    page.goto(f"{page_file.as_uri()}#tour=backward&stop=6")
    assert (page.inner_text("#tour-count"), step(page)) == ("6 of 9", "e^1_1")
    assert text(page) == "Think first: which sign has δ¹₁?"
    page.goto("about:blank")
    page.goto(f"{page_file.as_uri()}#tour=lecture&stop=14")
    assert page.locator("#repeat").is_visible()


def test_a_tour_that_is_not_there_is_refused(page) -> None:
    for fragment in ("tour=x", "tour=backward&stop=10", "stop=2", "tour=backward&stop=-1", "tour=toString"):
        page.evaluate("lesson.change({ start: lesson.DATA.x1.network })")
        page.evaluate(READ_ADDRESS, fragment)
        assert "expected" in page.inner_text("#address-problem"), fragment
        assert not page.locator("#tour").is_visible(), fragment


def test_a_tour_speaks_of_x2_whatever_was_there(page) -> None:
    page.evaluate("lesson.change({ start: lesson.DATA.x1.network })")
    page.locator("[data-tour=backward]").click()
    assert page.evaluate("lesson.view().lectures")
    page.keyboard.press("Escape")
    assert not page.locator("#tour").is_visible()
    assert page.evaluate("document.activeElement.id") == "bench"
    page.go_back()
    page.go_back()
    assert page.evaluate("lesson.view().start.sizes") == [2, 2, 2, 2]


def test_the_buttons_that_start_them_lie_over_nothing(page) -> None:
    for width, height in ((1280, 720), (853, 480), (640, 360), (360, 740)):
        page.set_viewport_size({"width": width, "height": height})
        assert_buttons_apart(page)


def assert_buttons_apart(page) -> None:
    buttons = [page.locator(one).bounding_box() for one in ("[data-tour=backward]", "[data-tour=lecture]", "#theme")]
    title = page.evaluate(
        """() => { const range = document.createRange(); range.selectNodeContents(document.querySelector("h1"));
             return [...range.getClientRects()].map(({ x, y, width, height }) => ({ x, y, width, height })); }"""
    )
    boxes = [*buttons, *title]
    for at, a in enumerate(buttons):
        for b in boxes[at + 1 :]:
            apart_x = a["x"] + a["width"] <= b["x"] or b["x"] + b["width"] <= a["x"]
            apart_y = a["y"] + a["height"] <= b["y"] or b["y"] + b["height"] <= a["y"]
            assert apart_x or apart_y, (a, b)
        assert a["height"] >= 24
