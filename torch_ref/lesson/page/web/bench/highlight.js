import { byId } from "../dom.js";

/** Light up a factor of the formula and its source in the drawing together, while one of them is pointed at or focused. */
export function showHighlight() {
  const bench = byId("bench");
  const light = (source) => {
    for (const one of bench.querySelectorAll("[data-of]")) one.classList.toggle("lit", one.dataset.of === source);
  };
  const on = ({ target }) => light(target.closest("[data-of]")?.dataset.of);
  const off = () => light(null);
  for (const kind of ["pointerover", "focusin"]) bench.addEventListener(kind, on);
  for (const kind of ["pointerleave", "focusout"]) bench.addEventListener(kind, off);
}
