import { element } from "../dom.js";
import { pretty } from "../formulas/notation.js";
import { shown } from "../numbers/format.js";
import { figureOf, signedBarOf } from "./number.js";
import { inkSketch } from "./picture.js";

const STAGES = ["before", "after", "mistaken"];
const added = (values) => values.reduce((sum, value) => sum + value, 0);

/** What each sample adds to the gradient of one weight, their sum, and where the step takes the weight. */
export function sharesTable({ batch, way, l, i, j, passes, shares, weights }) {
  const [to, from] = [l === 1 ? i + 1 : i, j + 1]; // output units are counted from 0, as the digits are
  const most = Math.max(Number.MIN_VALUE, ...shares.map(Math.abs));
  const rows = batch.map((sample, n) => {
    const row = batchRow(sample, n, [passes[n].delta[l][i], passes[n].x[l - 1][j], shares[n]]);
    row.classList.toggle("lost", way === "last" && n < batch.length - 1);
    row.lastChild.append(signedBarOf(shares[n] / most));
    return row;
  });
  const foot = weights.map((weight, at) => lineOf(`${pretty(`W^${l}_${to}`)},${pretty(`_${from}`)} ${STAGES[at]}`, [weight], 3));
  return batchTable([pretty(`δ^${l}_${to}`), pretty(`x^${l - 1}_${from}`), "−δ x"], rows, [...sumsOf(shares, way), ...foot]);
}

/** The sum and the mean, with a mark at what the step takes: by mistake it may be neither. */
function sumsOf(shares, way) {
  const sums = { sum: ["Σ", added(shares)], mean: ["1/N Σ", added(shares) / shares.length] };
  if (way === "last") sums.last = ["1/N, last alone", shares.at(-1) / shares.length];
  const mark = element("span", { class: way in sums && way !== "last" ? "aim" : "aim bad" }, "taken");
  const taken = way === "whole" ? "sum" : way;
  return Object.entries(sums).map(([key, [words, sum]]) => lineOf([`${words} `, key === taken ? mark : ""], [sum], 3));
}

/** The loss of each sample, and of the batch. */
export function lossesTable({ batch, losses }) {
  const rows = batch.map((sample, n) => batchRow(sample, n, losses.map((of) => of[n])));
  const C = losses.map(added);
  return batchTable(STAGES.slice(0, losses.length), rows, [lineOf("C", C), lineOf("C/N", C.map((sum) => sum / batch.length))]);
}

/** What the step does, in words: a batch of one cannot show either mistake. */
export function batchWords({ batch: { length: N }, lr, way, losses }) {
  const [before, right, mistaken] = losses.map(added);
  const went = (to) => `C ${to > before ? "rises" : "falls"} from ${shown(before)} to ${shown(to)}`;
  if (mistaken === undefined) return `N = ${N}, η = ${lr}: ${went(right)}.`;
  if (N === 1) return "With N = 1 the mistake changes nothing: one sample cannot show it.";
  const what = way === "whole" ? `The step is ${N} times as long as it should be` : `${N - 1} of ${N} samples are lost`;
  return `${what}. ${went(mistaken)}; without the mistake it would be ${shown(right)}.`;
}

function batchTable(columns, rows, foot) {
  const head = ["n", ...columns].map((column) => element("th", { scope: "col" }, column));
  return [element("thead", {}, element("tr", {}, head)), element("tbody", {}, rows), element("tfoot", {}, foot)];
}

function batchRow({ x, label }, n, values) {
  return lineOf([`${n + 1}`, inkSketch(x, { role: "img", "aria-label": `digit ${label}` })], values, 1);
}

function lineOf(name, values, colspan = 1) {
  const figures = values.map((value) => element("td", { class: "figure" }, figureOf(value)));
  return element("tr", {}, element("th", { scope: "row", colspan }, name), figures);
}
