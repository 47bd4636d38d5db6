import { pass } from "../numbers/arithmetic.js";
import { DATA } from "../data.js";
import { contourLines, fieldOver } from "./contour.js";
import { flow } from "./diagram.js";
import { dial, readout } from "./dial.js";
import { element } from "../dom.js";
import { short, shown } from "../numbers/format.js";
import { plot } from "../plot.js";

const MOST = 20;
const PATH_RATES = [1, 2, 5, 10, 15, 20, 30, 40, 60];
const LEVELS = [0, 0.001, 0.005, 0.01, 0.02, 0.03, 0.05];
const [FIRST_LIMITS, SECOND_LIMITS] = [[-1.6, 1.2], [-1.2, 1.6]]; // as long as one another: a right angle looks like one
const SQUARE = { width: 400, height: 407 }; // what is left of it for the plot's box is a square
const APART = 0.18;

/** Draw θ⁰ → θ¹ → θ² … on the contour lines of the loss over the two weights of the output unit of X2 (E9). */
export function showPathFigure(figure) {
  const lines = lossLines();
  const stage = element("div");
  const numbers = readout();
  const now = { updates: 3, lr: 10 };
  const draw = () => {
    const path = pathOf(now.lr, now.updates);
    numbers.textContent = pathInWords(path);
    stage.replaceChildren(pathPlot(path, now.lr, lines));
  };
  const turn = (patch) => {
    Object.assign(now, patch);
    draw();
  };
  const [max, value] = [PATH_RATES.length - 1, PATH_RATES.indexOf(now.lr)];
  const rate = { text: (k) => String(PATH_RATES[k]), turned: (k) => turn({ lr: PATH_RATES[k] }) };
  figure.prepend(
    stage,
    dial({ label: "number of updates", min: 0, max: MOST, step: 1, value: now.updates, text: String, turned: (updates) => turn({ updates }) }),
    dial({ label: "η of the path", min: 0, max, step: 1, value, ...rate }),
    numbers,
  );
}

/** The loss is ½ (t − y)² with one t: it has a level where y is one of two numbers, and at 0 where y = t. */
function lossLines() {
  const [t] = DATA.x2.network.t;
  const outputs = fieldOver([FIRST_LIMITS, SECOND_LIMITS], 16, (...theta) => passAt(theta).get("y_1"));
  const above = LEVELS.map((loss) => ({ at: t + Math.sqrt(2 * loss), text: loss === 0 ? "L = 0" : String(loss) }));
  const below = LEVELS.slice(1).map((loss) => ({ at: t - Math.sqrt(2 * loss), text: "" })); // the same again
  return contourLines(outputs, [...above, ...below]);
}

function passAt(theta) {
  const { network } = DATA.x2;
  return pass({ ...network, weights: [network.weights[0], [theta]] });
}

/** Return θ, its loss and the step −η∇L before each update, and after the last. */
function pathOf(lr, updates) {
  const path = [];
  for (let [theta] = DATA.x2.network.weights[1]; path.length <= updates; ) {
    const values = passAt(theta);
    const step = [1, 2].map((j) => -lr * values.get(`∂L/∂W^2_1${j}`));
    path.push({ theta, step, loss: values.get("L") });
    theta = theta.map((weight, j) => weight + step[j]);
  }
  return path;
}

function pathInWords(path) {
  const { theta, step, loss } = path.at(-1);
  return `${thetaOf(path.length - 1)} = (${theta.map(shown).join(", ")}), L = ${shown(loss)}; the next arrow −η∇L = (${step.map(shown).join(", ")})`;
}

function thetaOf(k) {
  return `θ${[...String(k)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("")}`;
}

function pathPlot(path, lr, lines) {
  const points = path.map(({ theta }) => theta);
  const [start, end] = [path[0], path.at(-1)].map(({ loss }) => short(loss));
  return plot({
    ...SQUARE,
    x: { label: "W²₁₁", min: FIRST_LIMITS[0], max: FIRST_LIMITS[1] },
    y: { label: "W²₁₂", min: SECOND_LIMITS[0], max: SECOND_LIMITS[1] },
    series: [{ name: `steps −η∇L with η = ${lr}`, points, color: "var(--gradient)", dots: true }],
    under: (across, up) => [...lines(across, up), ...arrows(points.map(([x, y]) => [across.at(x), up.at(y)]))],
    markers: namedPoints(points),
    label: `Contour lines of the loss of X2 over W²₁₁ and W²₁₂, and ${path.length - 1} steps on them with η = ${lr}, from ${start} to ${end}`,
  });
}

/** A step that is shorter than its arrow's head has none. */
function arrows(places) {
  const steps = places.slice(1).map((to, k) => [places[k], to]);
  const long = steps.filter(([from, to]) => Math.hypot(to[0] - from[0], to[1] - from[1]) > 16);
  return long.map(([from, to]) => flow(from, to, { color: "var(--gradient)", from: 0, short: 1 }));
}

/** Name θ⁰, the last θ, and of the first few those that stand apart. */
function namedPoints(points) {
  const named = [];
  points.forEach(([x, y], k) => {
    const last = k === points.length - 1;
    const apart = named.every((one) => Math.hypot(one.x - x, one.y - y) > APART);
    const at = k === 0 ? "right" : last ? "below" : "left";
    if (last || (k < 4 && apart)) named.push({ x, y, color: last ? "var(--gradient)" : "var(--ink)", label: thetaOf(k), at });
  });
  return named;
}
