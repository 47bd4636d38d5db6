import { pass } from "../numbers/arithmetic.js";
import { DATA } from "../data.js";
import { dial, readout } from "./dial.js";
import { element } from "../dom.js";
import { shown } from "../numbers/format.js";
import { plot } from "../plot.js";

const UPDATES = 20;
const RATES = [0.5, 1, 2, 3, 5, 8, 10, 15, 20, 25, 30, 36, 40, 50, 60, 70, 75, 80, 90, 100, 120, 150, 200];
const SHAPES = [
  { lr: 1, name: "η = 1, the lecture’s", color: "var(--forward)" },
  { lr: 20, name: "η = 20, faster", color: "var(--good)" },
  { lr: 100, name: "η = 100, too large", color: "var(--bad)" },
];
const OWN = { name: "yours", color: "var(--gradient)", dashed: true };

/** Draw what three learning rates, and the reader's, do to the loss when only W²₁₂ of X2 moves. */
export function showDescentFigure(figure) {
  const stage = element("div", { class: "sides" });
  const numbers = readout();
  const table = element("table", { class: "numbers" });
  const walks = SHAPES.map((one) => ({ ...one, walk: descent(one.lr) }));
  const logarithmic = element("input", { type: "checkbox" });
  const now = {};
  const draw = () => {
    const own = { ...OWN, lr: now.lr, walk: descent(now.lr) };
    numbers.textContent = descentInWords(now.lr, own.walk);
    stage.replaceChildren(valley(own), lossCurves([...walks, own], logarithmic.checked));
    table.replaceChildren(...descentRows([...walks, own]));
  };
  const turned = (choice) => {
    now.lr = RATES[choice];
    draw();
  };
  logarithmic.addEventListener("change", draw);
  const [max, value] = [RATES.length - 1, RATES.indexOf(70)];
  const slider = dial({ label: "learning rate η", min: 0, max, step: 1, value, text: (k) => String(RATES[k]), turned });
  const choice = element("label", { class: "choice" }, logarithmic, "loss over updates on a logarithmic scale");
  const details = element("details", {}, element("summary", {}, "The numbers"), element("div", { class: "scroll" }, table));
  figure.prepend(stage, slider, choice, numbers, details);
}

/** Return weight and loss before each of UPDATES updates of W²₁₂ alone, and after the last (E9). */
export function descent(lr) {
  const walk = [];
  for (let weight = DATA.x2.network.weights[1][0][1]; walk.length <= UPDATES; ) {
    const values = passWith(weight);
    walk.push({ weight, loss: values.get("L") });
    weight -= lr * values.get("∂L/∂W^2_12");
  }
  return walk;
}

export function passWith(weight) {
  const { network } = DATA.x2;
  const [first, [[w11]]] = network.weights;
  return pass({ ...network, weights: [first, [[w11, weight]]] });
}

function descentInWords(lr, walk) {
  const [first, last] = [walk[0].loss, walk.at(-1).loss];
  const hops = walk.filter(({ loss }, k) => k > 0 && loss > walk[k - 1].loss).length;
  const rose = hops === 0 ? "it never rises" : `it rises in ${hops} of them`;
  return `η = ${lr}: the loss goes from ${shown(first)} to ${shown(last)} in ${UPDATES} updates; ${rose}.`;
}

/** Draw the loss over the one weight, with the steps of a walk hopping on it. */
function valley({ lr, walk }) {
  const weights = walk.map(({ weight }) => weight);
  const [min, max] = [Math.min(-2, ...weights), Math.max(1.5, ...weights)];
  const grid = Array.from({ length: 121 }, (_, k) => min + ((max - min) * k) / 120);
  return plot({
    x: { label: "W²₁₂", min, max },
    y: { label: "L", min: 0 },
    series: [
      { name: "L over W²₁₂", points: grid.map((weight) => [weight, passWith(weight).get("L")]), color: "var(--muted)" },
      { name: `the steps with η = ${lr}`, points: walk.map(({ weight, loss }) => [weight, loss]), color: OWN.color, dots: true },
    ],
    markers: [{ x: walk[0].weight, y: walk[0].loss, color: "var(--ink)", label: "start", at: "right" }],
    label: `The loss over the weight W²₁₂, and the steps that gradient descent takes on it with η = ${lr}`,
  });
}

function lossCurves(all, log) {
  const series = all.map(({ name, color, dashed, walk }) => ({ name, color, dashed, points: walk.map(({ loss }, k) => [k, loss]) }));
  const ends = all.map(({ lr, walk }) => `η = ${lr} ends at ${shown(walk.at(-1).loss)}`);
  const label = `The loss after each of ${UPDATES} updates, from ${shown(all[0].walk[0].loss)}: ${ends.join(", ")}`;
  return plot({ x: { label: "updates", min: 0, max: UPDATES }, y: log ? { label: "L", log } : { label: "L", min: 0 }, series, label });
}

function descentRows(all) {
  const heads = ["updates", ...all.map(({ lr }, k) => (k < SHAPES.length ? `η = ${lr}` : `yours, η = ${lr}`))];
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  const row = (k) => [element("th", { scope: "row" }, String(k)), ...all.map(({ walk }) => element("td", { class: "figure" }, shown(walk[k].loss)))];
  const body = Array.from({ length: UPDATES + 1 }, (_, k) => element("tr", {}, ...row(k)));
  return [element("caption", {}, "The loss before and after each update of W²₁₂ alone"), element("thead", {}, head), element("tbody", {}, ...body)];
}
