"""The numbers of the lecture's equations: each is a link to its equation, and shows the formula when pointed at."""

from __future__ import annotations

from torch_ref.known.equations import EQUATIONS


def test_every_number_is_a_link_to_the_line_that_has_the_equation(page) -> None:
    page.click("#tab-table")
    links = page.locator("a.eq").evaluate_all(
        "all => all.map(one => [one.textContent, one.getAttribute('href'), one.dataset.formula])"
    )
    assert {number for number, *_ in links} == set(EQUATIONS)
    for number, href, formula in links:
        assert (href, formula) == (f"#{number}", EQUATIONS[number].text)
    for number in EQUATIONS:
        line = page.locator(f"#{number}")
        assert line.count() == 1
        assert line.locator("a.eq").inner_text() == number
    assert page.locator(".eq:not(a, :empty)").count() == 0


def test_a_number_leads_to_its_equation_and_there_is_a_way_back(page) -> None:
    page.evaluate("lesson.change({ step: 'e^1_1' })")
    page.click("#step .citation a")
    page.wait_for_function("scrollY > 500")
    assert page.evaluate("location.hash") == "#E14"
    top, bottom = page.evaluate(
        "(({ top, bottom }) => [top, bottom])(document.querySelector('#E14').getBoundingClientRect())"
    )
    assert 0 <= top < bottom <= 900
    page.locator(".return:visible").first.click()
    page.wait_for_function("scrollY < 50")


def test_the_formula_shows_on_hover_and_on_focus_and_goes_with_escape(page) -> None:
    page.evaluate("lesson.change({ step: 'δ^1_1' })")
    first, second = page.locator("#step .citation a").all()
    assert page.locator("#tip").is_hidden()
    first.hover()
    assert page.inner_text("#tip") == EQUATIONS["E15"].text
    page.mouse.move(5, 5)
    assert page.locator("#tip").is_hidden()
    second.focus()
    assert page.inner_text("#tip") == EQUATIONS["E16"].text
    assert second.get_attribute("aria-describedby") == "tip"
    page.keyboard.press("Escape")
    assert page.locator("#tip").is_hidden()


def test_the_formula_stays_in_the_window(fresh_page) -> None:
    page = fresh_page(viewport={"width": 360, "height": 740}, reduced_motion="reduce")
    page.evaluate("lesson.change({ step: 'δ^1_1' })")
    for link in page.locator("#step .citation a").all():
        link.focus()
        box = page.locator("#tip").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
