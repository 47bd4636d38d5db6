import { byId, element } from "../dom.js";
import { shown } from "../numbers/format.js";
import { pretty } from "../formulas/notation.js";
import { plot } from "../plot.js";
import { change, MOST_UPDATES, view, watch } from "./state.js";

const ROWS = 12;

/** "Just repeat": make updates, watch the loss fall and the weights move. */
export function showRepeat() {
  for (const button of document.querySelectorAll("button.repeat")) {
    button.addEventListener("click", () => {
      const { updates } = view();
      change({ updates: Math.min(updates + Number(button.dataset.updates), MOST_UPDATES), step: "L" }); // whose drawing has the weights
    });
  }
  byId("start-again").addEventListener("click", () => change({ start: view().start }));
  byId("updates").addEventListener("input", (event) => change({ updates: Number(event.target.value), step: "L" }));
  let drawn = {};
  watch((now) => {
    if (drawn.history !== now.history || drawn.updates !== now.updates) showOutcome(now);
    drawn = now;
  });
}

function showOutcome({ history, updates, network }) {
  const slider = byId("updates");
  slider.max = history.length - 1;
  slider.value = updates;
  slider.disabled = history.length === 1;
  const losses = history.map(({ loss }) => loss);
  byId("repeat-outcome").textContent = outcome(losses, updates);
  byId("loss-curve").replaceChildren(curve(losses, updates));
  byId("weight-curves").replaceChildren(weightCurves(history, updates));
  byId("weights-table").replaceChildren(...weightsTable(history, losses, network));
}

function outcome(losses, updates) {
  const now = `After ${counted(updates)} the loss is ${shown(losses[updates])}`;
  const most = updates === MOST_UPDATES ? ` This page makes ${MOST_UPDATES} updates and no more.` : "";
  return updates ? `${now}; it was ${shown(losses[0])}.${most}` : `${now}.`;
}

function counted(updates) {
  return `${updates} update${updates === 1 ? "" : "s"}`;
}

const CURVE = { width: 320, height: 200 };
const MOST_NAMED = 6;

function curve(losses, updates) {
  return plot({
    ...CURVE, x: { label: "updates", min: 0, max: Math.max(losses.length - 1, 1) }, y: { label: "loss L", min: 0 },
    series: [{ points: losses.map((loss, k) => [k, loss]), color: "var(--forward)" }],
    markers: [{ x: updates, y: losses[updates], color: "var(--accent)" }],
    label: `Loss after each of ${losses.length - 1} updates, from ${shown(losses[0])} to ${shown(losses.at(-1))}`,
  });
}

/** Every weight and bias over the updates; many of them get no names, and all get a tick at the update of now. */
function weightCurves(history, updates) {
  const all = history.map(({ network }) => parameters(network));
  const names = [...all[0].keys()];
  const colors = ["forward", "backward", "update", "gradient", "loss", "weight"].map((color) => `var(--${color})`);
  const named = names.length <= MOST_NAMED;
  const moved = (name) => `${pretty(name)} from ${shown(all[0].get(name))} to ${shown(all.at(-1).get(name))}`;
  return plot({
    ...CURVE, x: { label: "updates", min: 0, max: Math.max(history.length - 1, 1) }, y: named ? {} : { label: "weights" },
    series: names.map((name, k) => ({ name: named ? pretty(name) : "", points: all.map((one, at) => [at, one.get(name)]), color: colors[k % colors.length] })),
    markers: names.map((name, k) => ({ x: updates, y: all[updates].get(name), color: colors[k % colors.length] })),
    label: `Every weight after each of ${history.length - 1} updates: ${names.map(moved).join(", ")}`,
  });
}

/** Some of the updates, the first and the last among them, with every weight. */
function weightsTable(history, losses, network) {
  const rows = thinned(history.length);
  const names = [...parameters(network).keys()];
  const head = element("tr", {}, ["updates", "L", ...names.map(pretty)].map((name) => element("th", { scope: "col" }, name)));
  const body = rows.map((k) => {
    const values = [losses[k], ...parameters(history[k].network).values()].map((value) => element("td", { class: "figure" }, shown(value)));
    return element("tr", {}, element("th", { scope: "row" }, `${k}`), values);
  });
  return [element("thead", {}, head), element("tbody", {}, body)];
}

function thinned(count) {
  if (count <= ROWS) return Array.from({ length: count }, (_, k) => k);
  return [...new Set(Array.from({ length: ROWS }, (_, k) => Math.round((k * (count - 1)) / (ROWS - 1))))];
}

/** Return every weight and bias by name. */
function parameters({ weights, biases }) {
  const named = new Map();
  weights.forEach((rows, at) => {
    rows.forEach((row, i) => row.forEach((weight, j) => named.set(`W^${at + 1}_${i + 1}${j + 1}`, weight)));
    biases?.[at].forEach((bias, i) => named.set(`b^${at + 1}_${i + 1}`, bias));
  });
  return named;
}
