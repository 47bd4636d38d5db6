import { ACTIVATIONS, LOSSES, pass } from "../numbers/arithmetic.js";
import { DATA } from "../data.js";
import { circle, diagram, flow } from "./diagram.js";
import { dial, readout } from "./dial.js";
import { short, shown } from "../numbers/format.js";
import { element } from "../dom.js";

const SMALL_CHANGE = 1e-5;
const FORWARD = "var(--forward)";

/** Draw both cases of the chain rule on X2, with the reader's value at their start. */
export function showChainFigure(figure) {
  const start = DATA.x2.byHand["net^2_1"];
  const chain = branch("Case 1: a chain", { label: "x, which is net²₁", value: start, reach: 3 }, drawChain);
  const fork = branch("Case 2: a fork", { label: "s, which is the input x⁰₂", value: DATA.x2.network.x[1], reach: 2 }, drawFork);
  figure.prepend(element("div", { class: "sides" }, chain, fork));
}

/** Return one case: its diagram, its slider and its numbers; the slider has ``value`` among its steps. */
function branch(title, { label, value, reach }, draw) {
  const stage = element("div");
  const numbers = readout();
  const turned = (at) => {
    const { drawing, sentence } = draw(at);
    stage.replaceChildren(drawing);
    numbers.textContent = sentence;
  };
  const slider = dial({ label, min: value - reach, max: value + reach, step: 0.1, value, text: shown, turned });
  return element("div", { class: "side" }, element("h3", {}, title), stage, slider, numbers);
}

/** x = net²₁ → y = σ(x) → z = L: dz/dy = −(t − y), and dy/dx = y (1 − y). */
function drawChain(x) {
  const [t] = DATA.x2.network.t;
  const { y, z } = chainAt(x);
  const [outer, inner] = [y - t, y * (1 - y)];
  const [left, middle, right] = [[46, 40], [200, 40], [354, 40]];
  const drawing = diagram(
    400,
    120,
    `x leads to y with dy/dx = ${shown(inner)}, and y to z with dz/dy = ${shown(outer)}`,
    flow(left, middle, { color: FORWARD, text: shown(inner) }),
    flow(middle, right, { color: FORWARD, text: shown(outer) }),
    circle(left, "x", ["net²₁", shown(x)]),
    circle(middle, "y", ["σ(x)", shown(y)]),
    circle(right, "z", ["L", shown(z)]),
  );
  const quotient = (chainAt(x + SMALL_CHANGE).z - chainAt(x - SMALL_CHANGE).z) / (2 * SMALL_CHANGE);
  const product = `dz/dx = dz/dy · dy/dx = ${asFactor(outer)} · ${asFactor(inner)} = ${shown(outer * inner)}`;
  return { drawing, sentence: `${product}; by a small change of x: ${shown(quotient)}` };
}

function chainAt(x) {
  const { activation, loss, t } = DATA.x2.network;
  const y = ACTIVATIONS[activation].forward(x);
  return { y, z: LOSSES[loss].forward([y], t) };
}

/** s = x⁰₂ → x = x¹₁ and y = x¹₂ → z = net²₁: both ways count. */
function drawFork(s) {
  const { x, y, z } = forkAt(s);
  const [first, second] = DATA.x2.network.weights;
  const inner = [x * (1 - x) * first[0][1], y * (1 - y) * first[1][1]];
  const outer = second[0];
  const [left, top, bottom, right] = [[46, 130], [200, 56], [200, 204], [354, 130]];
  const drawing = diagram(
    400,
    260,
    `s leads to x with ${shown(inner[0])} and to y with ${shown(inner[1])}; x leads to z with ${outer[0]} and y with ${outer[1]}`,
    flow(left, top, { color: FORWARD, text: shown(inner[0]), beside: [6, -20, "end"] }),
    flow(left, bottom, { color: FORWARD, text: shown(inner[1]), beside: [6, 30, "end"] }),
    flow(top, right, { color: FORWARD, text: short(outer[0]), beside: [-6, -20, "start"] }),
    flow(bottom, right, { color: FORWARD, text: short(outer[1]), beside: [-6, 30, "start"] }),
    circle(left, "s", [`x⁰₂ = ${short(s)}`]),
    circle(top, "x", [`x¹₁ = ${shown(x)}`], { above: true }),
    circle(bottom, "y", [`x¹₂ = ${shown(y)}`]),
    circle(right, "z", ["net²₁", shown(z)]),
  );
  const sum = inner.map((slope, i) => `${asFactor(outer[i])} · ${asFactor(slope)}`).join(" + ");
  const total = outer[0] * inner[0] + outer[1] * inner[1];
  const quotient = (forkAt(s + SMALL_CHANGE).z - forkAt(s - SMALL_CHANGE).z) / (2 * SMALL_CHANGE);
  return { drawing, sentence: `dz/ds = ${sum} = ${shown(total)}; by a small change of s: ${shown(quotient)}` };
}

function forkAt(s) {
  const { network } = DATA.x2;
  const values = pass({ ...network, x: [network.x[0], s] });
  return { x: values.get("x^1_1"), y: values.get("x^1_2"), z: values.get("net^2_1") };
}

/** Return a number as it stands in a product. */
function asFactor(value) {
  return value < 0 ? `(${short(value)})` : short(value);
}
