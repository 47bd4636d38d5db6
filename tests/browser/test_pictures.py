"""Pictures of every state of the page at four sizes, to be opened and judged: ``--screenshots DIR`` keeps them all.

Without a folder a few are taken, other states at every size, to see that it can be done.
"""

from __future__ import annotations

from pathlib import Path

import pytest

SIZES = [(1280, 720), (1024, 768), (1920, 1080), (360, 740)]
STEP = "lesson.change({ step: '%s' });"
BUG = "document.querySelector('#tab-bug').click(); document.querySelector('#plant').click();"
STATES = {
    "backward": STEP % "δ^1_1",
    "slide": STEP % "∂L/∂W^1_11" + "document.querySelector('[value=slide]').click();",
    "update": STEP % "W^2_12 after",
    "table": "document.querySelector('#tab-table').click();",
    "repeat": "document.querySelector('#tab-repeat').click(); document.querySelectorAll('.repeat')[2].click();",
    "bug": BUG,
    "bug-answered": BUG + "document.querySelector('#give-up').click();",
    "predict": STEP % "δ^2_1" + "document.querySelector('#predict').click();",
    "present": "document.querySelector('#present').click();" + STEP % "δ^1_1",
    "tour": "document.querySelector('[data-tour=backward]').click();",
    "settings": "const one = document.querySelector('#settings'); one.open = true; one.scrollIntoView();",
    "x1": "lesson.change({ start: lesson.DATA.x1.network });" + STEP % "δ^2_2",
}


@pytest.mark.parametrize("size", SIZES)
def test_pictures(fresh_page, size: tuple[int, int], pytestconfig, tmp_path: Path) -> None:
    chosen = pytestconfig.getoption("screenshots")
    folder = Path(chosen or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    width, height = size
    for dark in (False, True):
        page = fresh_page(viewport={"width": width, "height": height}, dark=dark, reduced_motion="reduce")
        chapters = page.locator("main > section[id]").evaluate_all("all => all.map(one => one.id)")
        states = STATES | {one: f"document.querySelector('#{one}').scrollIntoView();" for one in chapters}
        one = 3 * SIZES.index(size) + 12 * dark  # at another size and in other colours it is another one
        for at, (name, state) in enumerate([*states.items()][slice(None) if chosen else slice(one, one + 1)]):
            if at > 0:
                page.reload()
            page.evaluate(f"lesson.change({{ start: lesson.DATA.x2.network }}); {state}")
            file = folder / f"{name}-{width}x{height}{'-dark' if dark else ''}.png"
            page.screenshot(path=file)
            assert file.stat().st_size > 10_000, file.name
