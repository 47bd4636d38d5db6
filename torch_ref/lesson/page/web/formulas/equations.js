// The lecture's equations as links, from the one table in Python (torch_ref/known/equations.py).

import { DATA } from "../data.js";
import { element } from "../dom.js";

const EQUATION_NUMBER = /(E\d+)/;

/** An equation's number as a link to where the lecture has it; its formula is the link's text on hover and focus. */
export function chip(number) {
  const { words, text } = DATA.equations[number];
  return element("a", { class: "eq", href: `#${number}`, "aria-label": `${number}, ${words}`, "data-formula": text }, number);
}

/** A citation with its numbers as chips. */
export function chips(citation) {
  const words = (part) => element("span", { class: "cited-part" }, part.replace(/^, /, " "));
  return citation.split(EQUATION_NUMBER).filter(Boolean).map((part) => (EQUATION_NUMBER.test(part) ? chip(part) : words(part)));
}

/** Let each chip show its formula while it is pointed at or has the focus; Escape takes it away. */
export function showChipFormulas() {
  const tip = element("div", { class: "tip", role: "tooltip", id: "tip", hidden: true });
  document.body.append(tip);
  const hide = () => (tip.hidden = true);
  const show = ({ target }) => {
    const link = target.closest?.("a.eq");
    if (!link) return hide();
    tip.textContent = link.dataset.formula;
    tip.hidden = false;
    link.setAttribute("aria-describedby", "tip");
    placeBeside(tip, link.getBoundingClientRect());
  };
  for (const kind of ["pointerover", "focusin"]) document.addEventListener(kind, show);
  for (const kind of ["pointerdown", "focusout", "scroll"]) document.addEventListener(kind, hide, { capture: true, passive: true });
  document.addEventListener("keydown", ({ key }) => key === "Escape" && hide());
}

/** Below a link, or above it where the window ends; never over its left or right edge. */
function placeBeside(tip, link) {
  const { width, height } = tip.getBoundingClientRect();
  const below = link.bottom + 6;
  tip.style.top = `${below + height > innerHeight ? link.top - height - 6 : below}px`;
  tip.style.left = `${Math.max(6, Math.min(link.left, innerWidth - width - 6))}px`;
}
