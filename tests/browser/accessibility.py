"""axe-core, which checks the page for what keeps readers out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

CONTRAST = "color-contrast"
"""The one rule that depends on the colours. What was checked in light needs no other in dark."""

RUN = """async ([contexts, rules]) => {
  const found = [];
  for (const context of contexts) {
    const { violations } = await axe.run(context, { resultTypes: ["violations"], ...(rules && { runOnly: rules }) });
    found.push(...violations.map(({ id, nodes }) => [id, ...nodes[0].target]));
  }
  return found;
}"""


def violations(page: Page, *contexts: str, rules: list[str] | None = None) -> list[list[str]]:
    """Return what is wrong in parts of the page: rule and first place. ``rules`` names those to check, None all."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe: pip install -e '.[browser]'")
    if page.evaluate("typeof axe === 'undefined'"):
        page.evaluate(axe.Axe().axe_script)
    found: list[list[str]] = page.evaluate(RUN, [contexts, rules])
    return found
