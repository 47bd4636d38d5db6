import { byId } from "./dom.js";

/** Let one panel of several be seen; the arrow keys go from tab to tab. */
export function showTabs() {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const select = (chosen) => {
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      byId(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
    }
  };
  const moves = { ArrowRight: 1, ArrowLeft: -1 };
  for (const [at, tab] of tabs.entries()) {
    tab.addEventListener("click", () => select(tab));
    tab.addEventListener("keydown", (event) => {
      if (!moves[event.key]) return;
      const next = tabs.at((at + moves[event.key]) % tabs.length);
      select(next);
      next.focus();
    });
  }
  select(tabs[0]);
}
