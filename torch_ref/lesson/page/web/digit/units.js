import { byId, element } from "../dom.js";
import { chips } from "../formulas/equations.js";
import { shown } from "../numbers/format.js";
import { barOf, figureOf, signedBarOf } from "./number.js";
import { paintWeights, weightCanvas } from "./picture.js";
import { goAlong } from "./toolbar.js";
import { expression, mathElement } from "../formulas/math.js";

const REACTS = 0.9;

/**
 * Show the hidden units, and one of them large.
 * @param pick is called with the index of the unit that the reader points to
 * @returns a function that shows the numbers of a pass
 */
export function showDigitUnits(count, pick) {
  const cells = Array.from({ length: count }, (_, i) => unitCell(i, pick));
  byId("digit-units").replaceChildren(...cells.map((cell) => cell.button));
  goAlong(cells.map((cell) => cell.button));
  const large = weightCanvas();
  byId("digit-unit-weights").replaceChildren(large);
  return (now) => {
    const rows = now.network.weights[1];
    const most = rows.reduce((highest, row) => row.reduce((a, b) => Math.max(a, Math.abs(b)), highest), 0) / 2;
    cells.forEach((cell, i) => showCell(cell, i, now, rows[i], most));
    showLarge(large, now, rows[now.unit], most);
  };
}

function unitCell(i, pick) {
  const canvas = weightCanvas();
  const bars = element("span", { class: "unit-bars" });
  const button = element("button", { type: "button" }, canvas, bars);
  for (const kind of ["click", "focus", "pointerenter"]) button.addEventListener(kind, () => pick(i));
  return { button, canvas, bars };
}

function showCell({ button, canvas, bars }, i, { pass, unit, mostDelta, responsible }, row, most) {
  const [x, delta = null] = [pass.x[1][i], pass.delta?.[1][i]];
  paintWeights(canvas, row, most);
  bars.replaceChildren(barOf(x), signedBarOf((delta ?? 0) / mostDelta));
  button.setAttribute("aria-pressed", String(unit === i));
  button.setAttribute("aria-label", `Unit ${i + 1}: net ${shown(pass.net[1][i])}, x ${shown(x)}${delta === null ? "" : `, δ ${shown(delta)}`}`);
  button.classList.toggle("reacts", x > REACTS);
  button.classList.toggle("responsible", responsible === i);
}

function showLarge(canvas, { pass, unit }, row, most) {
  paintWeights(canvas, row, most);
  byId("digit-unit-title").textContent = `Unit ${unit + 1} of the hidden layer`;
  const [at, x] = [{ l: 1, i: unit + 1 }, pass.x[1][unit]];
  const numbers = [
    [expression("net", at), "E1", pass.net[1][unit]],
    [expression("x", at), "E2", x],
    [expression("e", at), "E14, its sum", pass.e?.[1][unit]],
    [expression("slope", { a: expression("net", at) }), "E16", x * (1 - x)],
    [expression("delta", at), "E15", pass.delta?.[1][unit]],
  ];
  byId("digit-unit-numbers").replaceChildren(...numbers.map(numberRow));
}

function numberRow([symbol, equation, value]) {
  const seen = element("span", { "aria-hidden": "true" });
  seen.innerHTML = mathElement(symbol);
  const name = element("th", { scope: "row" }, seen, element("span", { class: "off-screen" }, symbol.text));
  const figure = value === undefined ? element("td", { class: "missing" }, "needs t") : element("td", { class: "figure" }, figureOf(value));
  return element("tr", {}, name, element("td", {}, chips(equation)), figure);
}
