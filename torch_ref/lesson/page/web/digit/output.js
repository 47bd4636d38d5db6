import { byId, element } from "../dom.js";
import { barOf, figureOf, signedBarOf } from "./number.js";
import { norm } from "./network.js";
import { targetNeeded } from "./target.js";

/** Show the output layer, and how far the error gets on its way back. */
export function showDigitOutput(now) {
  const { target, pass } = now;
  byId("digit-outputs").replaceChildren(...Array.from(pass.y, (_, k) => outputRow(k, now)));
  byId("digit-sum").replaceChildren(figureOf(pass.y.reduce((sum, confidence) => sum + confidence, 0)));
  byId("digit-norms-table").hidden = target === null;
  byId("digit-norms").replaceChildren(...(target === null ? [] : normRows(pass)));
  byId("digit-reading").replaceChildren(...(target === null ? targetNeeded("The backward pass needs a target t.") : [readingOf(now)]));
}

function outputRow(k, now) {
  const { pass, before, steps, target, ranking } = now;
  const aim = k === target ? element("span", { class: "aim" }, "target") : null;
  const row = element("tr", {},
    element("th", { scope: "row" }, `${k} `, aim),
    element("td", { class: "room" }, barOf(pass.y[k], steps ? before.y[k] : null)),
    element("td", { class: "figure" }, figureOf(pass.y[k])),
    target === null ? missingSensitivity(k) : sensitivityOf(k, now));
  row.classList.toggle("answer", k === ranking[0]);
  return row;
}

function sensitivityOf(k, { pass, mostDelta }) {
  const delta = pass.delta[2][k];
  return [element("td", { class: "room" }, signedBarOf(delta / mostDelta)), element("td", { class: "figure" }, figureOf(delta))];
}

/** One cell for all rows, which stands in the first one. */
function missingSensitivity(k) {
  return k === 0 ? element("td", { class: "missing", colspan: 2, rowspan: 10 }, targetNeeded("It needs a target t.")) : null;
}

function normRows({ delta, e }) {
  const lengths = [
    ["|δ²|", "at the output units", norm(delta[2])],
    ["|e¹|", "sent back through W²", norm(e[1])],
    ["|δ¹|", "let through by σ′", norm(delta[1])],
  ];
  const most = Math.max(Number.MIN_VALUE, ...lengths.map(([, , length]) => length));
  return lengths.map(([name, words, length]) =>
    element("tr", {},
      element("th", { scope: "row" }, name, element("small", {}, words)),
      element("td", { class: "room" }, barOf(length / most)),
      element("td", { class: "figure" }, figureOf(length))));
}

function readingOf({ pass, responsible }) {
  const share = norm(pass.delta[1]) / Math.max(Number.MIN_VALUE, norm(pass.e[1]));
  const who = `Unit ${responsible + 1} is the most responsible of the thirty: its |δ¹| is the largest.`;
  const why = "σ′ is at most ¼, and near 0 for a unit that is nearly on or off, so δ¹ is much smaller than e¹";
  return `${who} ${why}: here ${(100 * share).toFixed(1)} %.`;
}
