import { byId } from "../dom.js";
import { change, watch } from "./state.js";

/** Let the reader see X2 with the slides' rounded numbers, or exactly; other networks have no slides. */
export function showSwitch() {
  const home = byId("numbers-as");
  home.addEventListener("change", ({ target }) => change({ asOnSlides: target.value === "slide" }));
  watch(({ onSlides, asOnSlides }) => {
    home.hidden = !onSlides;
    home.querySelector(`[value=${asOnSlides ? "slide" : "exact"}]`).checked = true;
  });
}
