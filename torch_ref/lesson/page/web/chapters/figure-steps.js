import { pass } from "../numbers/arithmetic.js";
import { DATA } from "../data.js";
import { choices, readout } from "./dial.js";
import { descent, passWith } from "./figure-descent.js";
import { element } from "../dom.js";
import { short, shown } from "../numbers/format.js";
import { plot } from "../plot.js";

const SAMPLES = [-2.7, -1.8, -0.9, 0, 0.9, 1.8, 2.7];
const BREADTH = 5;
const RIGHT_RATE = 20;
const OPTIONS = ["1. a set of functions", "2. how good is each", "3. pick the best"];

/** Light the three steps one after the other, on the functions that X2 is for some values of W²₁₂. */
export function showStepsFigure(figure) {
  const items = figure.parentElement.querySelectorAll(".telling li");
  const stage = element("div");
  const numbers = readout();
  const chosen = (k) => {
    items.forEach((item, at) => item.classList.toggle("lit", at === k));
    const { sentence, ...content } = [manyFunctions, theirLosses, theBest][k]();
    numbers.textContent = sentence;
    stage.replaceChildren(functionPlot(content, `${OPTIONS[k]}: ${sentence}`));
  };
  figure.prepend(choices({ legend: "step", name: "three-steps-shown", options: OPTIONS, chosen }), stage, numbers);
}

function manyFunctions() {
  const sentence = `One structure, many functions: W²₁₂ = ${SAMPLES.map(short).join(", ")}. X2 has W²₁₂ = ${short(DATA.x2.network.weights[1][0][1])}.`;
  return { sentence, series: SAMPLES.map((weight) => curveOf(weight, { color: "var(--forward)" })) };
}

function theirLosses() {
  const all = SAMPLES.map((weight) => ({ weight, values: passWith(weight) }));
  const markers = all.map(({ values }) => ({ x: DATA.x2.network.x[0], y: values.get("y_1"), color: "var(--loss)", label: `L = ${shown(values.get("L"))}`, at: "right" }));
  const best = all.reduce((a, b) => (b.values.get("L") < a.values.get("L") ? b : a));
  const sentence = `At the input of X2 each function has its loss. Of these seven, W²₁₂ = ${short(best.weight)} has the smallest: ${shown(best.values.get("L"))}.`;
  return { sentence, series: SAMPLES.map((weight) => curveOf(weight, { color: "var(--edge)" })), markers };
}

function theBest() {
  const walk = descent(RIGHT_RATE);
  const [first, last] = [walk[0], walk.at(-1)];
  const steps = walk.slice(1, -1).map(({ weight }) => curveOf(weight, { color: "var(--edge)" }));
  const ends = [curveOf(first.weight, { name: "the first", color: "var(--bad)" }), curveOf(last.weight, { name: "the last", color: "var(--good)" })];
  const [start, end] = [first, last].map(({ weight, loss }) => `${shown(weight)} with L = ${shown(loss)}`);
  const sentence = `Gradient descent goes from W²₁₂ = ${start} to ${end}, in ${walk.length - 1} updates.`;
  return { sentence, series: [...steps, ...ends] };
}

/** y over the first input; the second one stays. */
function curveOf(weight, { name = "", color }) {
  const { network } = DATA.x2;
  const [first, [[w11]]] = network.weights;
  const y = (x) => pass({ ...network, weights: [first, [[w11, weight]]], x: [x, network.x[1]] }).get("y_1");
  return { name, color, points: Array.from({ length: 41 }, (_, k) => ((k - 20) * BREADTH) / 20).map((x) => [x, y(x)]) };
}

function functionPlot({ series, markers = [] }, label) {
  const { x, t } = DATA.x2.network;
  const target = { x: x[0], y: t[0], color: "var(--ink)", label: "target", at: "left" };
  return plot({ height: 300, x: { label: "x⁰₁", min: -BREADTH, max: BREADTH }, y: { label: "y", min: 0, max: 1 }, series, markers: [target, ...markers], label });
}
