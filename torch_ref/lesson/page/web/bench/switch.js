import { addressPart } from "../address.js";
import { byId } from "../dom.js";
import { change, view, watch } from "./state.js";
import { quotation } from "./written.js";

/** Let the reader see X2 with the slides' rounded numbers, or exactly; other networks have no slides. */
export function showSwitch() {
  const home = byId("numbers-as");
  home.addEventListener("change", ({ target }) => change({ asOnSlides: target.value === "slide" }));
  addressPart("numbers", {
    write: ({ asOnSlides }) => (asOnSlides ? "slide" : ""),
    read: (text) => {
      if (text && text !== "slide") return `numbers: expected slide, got ${quotation(text)}`;
      if (view().asOnSlides !== Boolean(text)) change({ asOnSlides: Boolean(text) });
      return "";
    },
  });
  watch(({ onSlides, asOnSlides, predicted }) => {
    home.hidden = !onSlides || predicted !== null;
    home.querySelector(`[value=${asOnSlides ? "slide" : "exact"}]`).checked = true;
  });
}
