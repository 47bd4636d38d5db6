import { element } from "../dom.js";
import { shown } from "../numbers/format.js";

/**
 * How the slide comes to its number, and how the exact one is made, in two rows: a gradient with the δ that it is made of.
 * @returns {Element[]} one table, or nothing where the slides have no such number
 */
export function chains({ slides, byHand, exactWalk }, name) {
  if (!slides[name]) return [];
  const [source] = name.match(/(?<=∂L\/∂W)\^\d+_\d/) ?? [];
  const links = [...(source ? [`δ${source}`] : []), name];
  const exact = (link) => [...(link === name ? [calculated(exactWalk, name), "="] : []), shown(byHand.get(link))].map((part) => element("span", {}, part));
  const rows = [chainRow("slide", links.map((link) => onSlide(slides[link]))), chainRow("exact", links.map(exact))];
  return [element("table", { class: "chains" }, element("tbody", {}, rows))];
}

function chainRow(name, cells) {
  const parts = cells.map((cell, k) => element("td", {}, k > 0 ? "→ " : "", cell.flatMap((part) => [part, " "])));
  return element("tr", { class: `chain-${name}` }, element("th", { scope: "row" }, name), parts);
}

/** The calculation, what comes out, and what is left of it once it is rounded. */
function onSlide({ calculation, unrounded, printed }) {
  const text = element("span", {}, calculation);
  const equals = element("span", {}, "=");
  if (unrounded === printed) return [text, equals, element("b", {}, printed)];
  return [text, equals, element("span", {}, unrounded), element("span", { class: "rounds", title: "rounded" }, "≈"), element("b", {}, printed)];
}

/** The right side of a formula with its numbers, without the outcome. */
function calculated(walk, name) {
  const { textNumbers } = walk.find((step) => step.name === name);
  return textNumbers.split(" = ").slice(1, -1).join(" = ");
}
