import { byId } from "../dom.js";

/** Let one panel of several be seen; the arrow keys go from tab to tab. */
export function showTabs() {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const select = (chosen) => {
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      byId(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
    }
    document.dispatchEvent(new CustomEvent("tab"));
  };
  const targets = { ArrowRight: (at) => at + 1, ArrowLeft: (at) => at - 1, Home: () => 0, End: () => -1 };
  for (const [at, tab] of tabs.entries()) {
    tab.addEventListener("click", (event) => {
      select(tab);
      if (event.detail > 0) tab.blur(); // by a mouse: the arrow keys go on to be the walk's
    });
    tab.addEventListener("keydown", (event) => {
      if (!targets[event.key]) return;
      const next = tabs.at(targets[event.key](at) % tabs.length);
      event.preventDefault();
      select(next);
      next.focus();
    });
  }
  select(tabs[0]);
}
