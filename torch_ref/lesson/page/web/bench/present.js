import { byId } from "../dom.js";
import { view } from "./state.js";
import { showStepNamed } from "./stepper.js";

/** Present: drawing, formula, numbers and stepper, large, and nothing else. P begins and ends it, Escape ends it. */
export function showPresent() {
  const button = byId("present");
  const present = (wanted) => {
    document.documentElement.classList.toggle("presenting", wanted);
    button.setAttribute("aria-pressed", String(wanted));
    if (!wanted) return byId("bench").scrollIntoView();
    showStepNamed(view().walk[view().at].name);
    scrollTo(0, 0);
  };
  const isOn = () => document.documentElement.classList.contains("presenting");
  button.addEventListener("click", () => present(!isOn()));
  byId("leave-present").addEventListener("click", () => present(false));
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input:not(#slider), select, textarea") || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "p" || event.key === "P") present(!isOn());
    if (event.key === "Escape" && isOn()) present(false);
  });
}
