import { element } from "../dom.js";
import { shown } from "../numbers/format.js";

/** A number to read, with all of its digits in `value`. */
export function figureOf(value) {
  return element("data", { value: String(value) }, shown(value));
}

/** A bar from the left, `share` of its room long; `ghost` marks where it ended before. */
export function barOf(share, ghost = null) {
  const before = ghost === null ? null : element("i", { class: "ghost", style: `left: ${barLength(ghost)}` });
  return element("span", { class: "bar", "aria-hidden": "true" }, element("b", { style: `width: ${barLength(share)}` }), before);
}

/** A bar from the middle, to the right above 0 and to the left below, `share` of half its room long. */
export function signedBarOf(share) {
  const [size, side] = [barLength(Math.abs(share) / 2), share < 0 ? "right" : "left"];
  const bar = element("b", { class: share < 0 ? "negative" : "positive", style: `width: ${size}; ${side}: 50%` });
  return element("span", { class: "bar signed", "aria-hidden": "true" }, bar);
}

function barLength(share) {
  return `${(100 * share).toFixed(2)}%`;
}
