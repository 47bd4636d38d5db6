import { byId, svgElement } from "../dom.js";
import { short } from "../numbers/format.js";
import { change, watch } from "./state.js";
import { editWeight, leaveWeight, takeWeight } from "./weight.js";

/** Sizes in the drawing's own units: a wide one, and one for a telephone. */
const WIDE = { name: "wide", input: 54, unit: 96, height: 60, run: 98, toLoss: 58, lossWidth: 88, row: 124, letter: 9.2, high: 20 };
export const NARROW = { name: "narrow", input: 44, unit: 79, height: 52, run: 78, toLoss: 44, lossWidth: 75, row: 108, letter: 8.5, high: 18 };
const BELOW = 20;
const WIDE_FROM = 480;
const TOP = 50;
const THICKEST = 6;
/** With as many units in a layer the weights have no room: those that take part are shown, and what is pointed at. */
const MANY = 4;
const ARROW = { markerWidth: 14, markerHeight: 14, markerUnits: "userSpaceOnUse", orient: "auto-start-reverse" };

/** Draw the network of every view: weights on the edges, net over x in the units, δ under them, the loss at the end. */
export function showDrawing() {
  const home = byId("drawing");
  let last = null;
  const draw = () => {
    const room = home.clientWidth && home.clientWidth < WIDE_FROM ? NARROW : WIDE;
    leaveWeight();
    home.replaceChildren(drawing(last, room));
    byId("drawing-caption").textContent = caption(last.walk[last.at].phase, room);
  };
  watch((view) => {
    last = view;
    draw();
  });
  new ResizeObserver(draw).observe(home);
  home.addEventListener("click", ({ target }) => {
    const weight = target.closest("[data-weight]")?.dataset.weight;
    if (!weight) return jump(target.closest("[data-step]"), last);
    takeWeight(); // of another one, which draws everything anew
    const label = home.querySelector(`[data-weight="${weight}"]`);
    if (label) editWeight(home, label, last);
  });
  home.addEventListener("mousedown", (event) => {
    if (event.target.closest("[data-weight]")) event.preventDefault(); // the open field keeps the focus until the click
  });
}

function jump(target, view) {
  if (target && view.walk.some((step) => step.name === target.dataset.step)) change({ step: target.dataset.step });
}

function caption(phase, room) {
  const wide = { gradients: "∂L/∂W as found", update: "W, updated in green" }[phase] ?? "weights W; click to change";
  const narrow = { gradients: "∂L/∂W", update: "new W" }[phase] ?? "W";
  return room === WIDE ? `In a unit: net, below it x; under it δ. Edges: ${wide}.` : `Units: net, x; under them δ. Edges: ${narrow}.`;
}

/** A network with the numbers that the walk has reached; `room` is WIDE or NARROW. */
export function drawing(view, room = window.innerWidth < WIDE_FROM ? NARROW : WIDE) {
  const place = places(view.network.sizes, room);
  const step = view.walk[view.at];
  const reached = new Set(view.walk.slice(0, view.at + 1).map((one) => one.name).filter((name) => !view.hidden.has(name)));
  const picture = { view, room, place, step, reached, thickest: Math.max(...view.network.weights.flat(2).map(Math.abs), 1e-9) };
  const many = Math.max(...view.network.sizes) >= MANY;
  return svgElement(
    "svg",
    { viewBox: `0 0 ${place.width} ${place.height}`, role: "img", "aria-label": description(view), class: `${room.name}${many ? " many" : ""} phase-${step.phase}` },
    markers(), heads(picture), edges(picture), toLoss(picture), units(picture), lossBox(picture), travellers(picture),
  );
}

function description({ network, walk, at }) {
  const loss = network.loss === "cross-entropy" ? "softmax and cross-entropy" : "squared error";
  return `Network ${network.sizes.join("-")}, ${network.activation}, ${loss}. Step: ${walk[at].title}.`;
}

/** Where everything stands: columns from left to right, the units of a column centred. */
function places(sizes, room) {
  const rows = Math.max(...sizes);
  const middle = TOP + ((rows - 1) * room.row) / 2 + room.height / 2 + 14;
  const widths = sizes.map((_, l) => (l === 0 ? room.input : room.unit));
  const left = widths.map((_, l) => 9 + widths.slice(0, l).reduce((sum, width) => sum + width + room.run, 0));
  const y = (l, i) => middle + (i - 1 - (sizes[l] - 1) / 2) * room.row;
  const lossLeft = left.at(-1) + room.unit + room.toLoss;
  return { widths, left, y, middle, lossLeft, width: lossLeft + room.lossWidth + 4, height: middle + ((rows - 1) * room.row) / 2 + room.height / 2 + 30 };
}

function markers() {
  return svgElement(
    "defs", {},
    svgElement("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, ...ARROW },
      svgElement("path", { d: "M0 0 L8 4 L0 8 z", fill: "context-stroke" })),
  );
}

function heads({ view, place, room }) {
  const { sizes, loss } = view.network;
  const last = sizes.length - 1;
  return sizes.map((_, l) => {
    const names = l === 0 ? "input x⁰" : `layer ${l}`;
    const kind = l === 0 ? "" : l < last ? "net, x" : loss === "cross-entropy" ? "net, softmax" : "net, y";
    const x = place.left[l] + place.widths[l] / 2;
    return svgElement("g", { class: "head" }, text(x, 15, names), text(x, 33, kind));
  }).concat(svgElement("g", { class: "head" }, text(place.lossLeft + room.lossWidth / 2, 15, "loss")));
}

// ----------------------------------------------------------------------------------------------------------- edges

function edges(picture) {
  const { view, place } = picture;
  const { sizes } = view.network;
  const lines = [];
  const labels = [];
  for (let l = 1; l < sizes.length; l += 1) {
    for (let i = 1; i <= sizes[l]; i += 1) {
      for (let j = 1; j <= sizes[l - 1]; j += 1) {
        const from = { x: place.left[l - 1] + place.widths[l - 1], y: place.y(l - 1, j) };
        const to = { x: place.left[l], y: place.y(l, i) };
        lines.push(edge(picture, l, i, j, from, to));
        labels.push(edgeLabel(picture, l, i, j, from, to));
      }
    }
  }
  const lit = (part) => part.classList.contains("on");
  return [...lines.filter((line) => !lit(line)), ...lines.filter(lit), ...labels];
}

/** A line in the colour of the weight's sign, as thick as the weight is large; in the phase's colour where it takes part. */
function edge({ view, step, thickest }, l, i, j, from, to) {
  const id = `edge-${l}-${i}-${j}`;
  const weight = view.network.weights[l - 1][i - 1][j - 1];
  const on = step.edges.includes(id);
  const [start, end] = on && step.phase === "backward" ? [to, from] : [from, to];
  const flows = on && (step.phase === "forward" || step.phase === "backward");
  return svgElement("line", {
    id, "data-of": `W^${l}_${i}${j}`, class: `edge ${weight < 0 ? "negative" : "positive"}${on ? " on" : ""}${flows ? " flows" : ""}`,
    "stroke-width": (1 + ((THICKEST - 1) * Math.abs(weight)) / thickest).toFixed(2),
    x1: start.x, y1: start.y, x2: end.x, y2: end.y, "marker-end": flows ? "url(#arrow)" : null,
  });
}

/**
 * At 1/(n+1) of the way the labels of all edges into n units stand apart, however many come from each side. Where that
 * is too near to the box that the edge comes from, the label moves to the right, and the edge enters it at its left.
 */
function edgeLabel(picture, l, i, j, from, to) {
  const { view, step, room } = picture;
  const entry = `W^${l}_${i}${j}`;
  const weight = view.network.weights[l - 1][i - 1][j - 1];
  const share = 1 / (view.network.sizes[l] + 1);
  const { shown, kind, goesTo } = onEdge(picture, entry, weight);
  const x = from.x + Math.max(share * (to.x - from.x), labelWidth(shown, room) / 2 + 6);
  const y = from.y + share * (to.y - from.y);
  const on = step.edges.includes(`edge-${l}-${i}-${j}`) ? " on" : "";
  const changes = kind === "plain" ? { "data-weight": `${l}.${i}.${j}` } : { "data-step": goesTo };
  const kinds = `weight ${kind}${on}${kind === "plain" ? "" : wrongClass(view, goesTo)}`;
  return svgElement("g", { class: kinds, "data-of": kind === "gradient" ? goesTo : entry, ...changes },
    svgElement("title", {}, `${entry} = ${weight}`), label(x, y + 5, shown, room));
}

/** What an edge shows: its weight; once they are found, its gradient; after the update, the new weight. */
function onEdge({ view, step, reached }, entry, weight) {
  const gradient = `∂L/∂${entry}`;
  const after = `${entry} after`;
  if (step.phase === "update" && reached.has(after)) return { shown: brief(view.values.get(after)), kind: "updated", goesTo: after };
  if (step.phase === "gradients" && reached.has(gradient)) return { shown: brief(view.values.get(gradient)), kind: "gradient", goesTo: gradient };
  return { shown: brief(weight), kind: "plain", goesTo: gradient };
}

function toLoss(picture) {
  const { view, place, room, step } = picture;
  const { sizes, t } = view.network;
  const last = sizes.length - 1;
  const on = step.units.includes("loss");
  return t.map((target, k) => {
    const y = place.y(last, k + 1);
    const from = { x: place.left[last] + place.widths[last], y };
    const to = { x: place.lossLeft, y: place.middle };
    const [start, end] = on && step.phase === "backward" ? [to, from] : [from, to];
    const line = { x1: start.x, y1: start.y, x2: end.x, y2: end.y, "stroke-width": 2, "marker-end": on ? "url(#arrow)" : null };
    return svgElement("g", { class: `target${on ? " on" : ""}`, "data-of": `t_${k + 1}` },
      svgElement("line", { class: `edge${on ? " on flows" : ""}`, ...line }),
      label(from.x + (to.x - from.x) / 2, y + (to.y - y) / 2 - 9, `${room === NARROW ? "" : "t "}${brief(target)}`, room));
  });
}

/** The numbers that are on their way along the edges, from left to right or back. */
function travellers({ view, place, step, room }) {
  if (step.phase !== "forward" && step.phase !== "backward") return [];
  return step.edges.map((id) => {
    const [l, i, j] = id.split("-").slice(1).map(Number);
    const left = { x: place.left[l - 1] + place.widths[l - 1], y: place.y(l - 1, j) };
    const right = { x: place.left[l], y: place.y(l, i) };
    const [from, to] = step.phase === "forward" ? [left, right] : [right, left];
    const value = step.phase === "backward" ? view.values.get(`δ^${l}_${i}`) : l === 1 ? view.network.x[j - 1] : view.values.get(`x^${l - 1}_${j}`);
    const way = `--across: ${to.x - from.x}px; --down: ${to.y - from.y}px`;
    return svgElement("g", { class: "traveller", style: way, "aria-hidden": "true" }, label(from.x, from.y + 5, brief(value), room));
  });
}

// ----------------------------------------------------------------------------------------------------------- units

function units(picture) {
  return picture.view.network.sizes.flatMap((size, l) => Array.from({ length: size }, (_, i) => unit(picture, l, i + 1)));
}

function unit(picture, l, i) {
  const { place, room, step } = picture;
  const id = `unit-${l}-${i}`;
  const on = step.units.includes(id);
  const makes = on && step.l === l && step.i === i && !["gradients", "update"].includes(step.phase);
  const box = { x: place.left[l], y: place.y(l, i) - room.height / 2, width: place.widths[l], height: room.height, rx: 10 };
  return svgElement("g", { id, class: `unit${on ? " on" : ""}${makes ? " makes" : ""}` },
    svgElement("rect", box), l === 0 ? inputText(picture, i) : unitTexts(picture, l, i));
}

function inputText({ view, place, room }, i) {
  return svgElement("g", { class: "value", "data-of": `x^0_${i}` }, text(place.left[0] + room.input / 2, place.y(0, i) + 5, brief(view.network.x[i - 1])));
}

function unitTexts(picture, l, i) {
  const { view, place, room } = picture;
  const [x, y, middle] = [place.left[l], place.y(l, i), place.left[l] + room.unit / 2];
  const output = l === view.network.sizes.length - 1 ? `y_${i}` : `x^${l}_${i}`;
  return [
    svgElement("line", { class: "divider", x1: x, y1: y, x2: x + room.unit, y2: y }),
    number(picture, `net^${l}_${i}`, middle, y - room.height / 4 + 5),
    number(picture, output, middle, y + room.height / 4 + 5),
    deltaText(picture, l, i, middle, y + room.height / 2),
    biasText(picture, l, i, middle, y - room.height / 2),
  ];
}

/** A number of the pass, once the walk has reached it. */
function number({ view, step, reached }, name, x, y) {
  const known = reached.has(name);
  const now = step.name === name ? " now" : "";
  return svgElement("g", { class: `value${known ? "" : " unknown"}${now}${known ? wrongClass(view, name) : ""}`, "data-step": name, "data-of": name },
    text(x, y, known ? brief(view.values.get(name)) : "·"));
}

function deltaText({ view, step, reached }, l, i, x, below) {
  const [error, delta] = [`e^${l}_${i}`, `δ^${l}_${i}`];
  const name = reached.has(delta) ? delta : error;
  if (!reached.has(name)) return null;
  const now = step.name === name ? " now" : "";
  const shown = text(x, below + BELOW, `${name[0]} ${brief(view.values.get(name))}`);
  return svgElement("g", { class: `delta${now}${wrongClass(view, name)}`, "data-step": name, "data-of": name }, shown);
}

function biasText(picture, l, i, x, above) {
  const { view, step } = picture;
  if (!view.network.biases) return null;
  const entry = `b^${l}_${i}`;
  const { shown, kind, goesTo } = onEdge(picture, entry, view.network.biases[l - 1][i - 1]);
  const on = step.biases.includes(`bias-${l}-${i}`) ? " on" : "";
  const changes = kind === "plain" ? { "data-weight": `${l}.${i}` } : { "data-step": goesTo };
  const kinds = `weight bias ${kind}${on}${kind === "plain" ? "" : wrongClass(view, goesTo)}`;
  return svgElement("g", { id: `bias-${l}-${i}`, class: kinds, "data-of": kind === "gradient" ? goesTo : entry, ...changes },
    text(x, above - 5, kind === "gradient" ? `∂b ${shown}` : `+ b ${shown}`));
}

function lossBox({ view, place, room, step, reached }) {
  const box = { x: place.lossLeft, y: place.middle - room.height / 2, width: room.lossWidth, height: room.height, rx: 10 };
  const known = reached.has("L");
  const lit = `${step.units.includes("loss") ? " on" : ""}${step.name === "L" ? " makes" : ""}`;
  return svgElement("g", { id: "loss", class: `unit loss${lit}`, "data-step": "L", "data-of": "L" },
    svgElement("rect", box),
    svgElement("g", { class: `value${known ? wrongClass(view, "L") : " unknown"}` },
      text(place.lossLeft + room.lossWidth / 2, place.middle + 5, known ? brief(view.values.get("L")) : "L")));
}

// ---------------------------------------------------------------------------------------------------------- pieces

function wrongClass(view, name) {
  return view.fault && view.answered && view.wrong.has(name) ? " wrong" : "";
}

function text(x, y, content, kind = "") {
  return svgElement("text", { x, y, "text-anchor": "middle", class: kind || null }, content);
}

/** A text that edges pass behind. */
function label(x, y, content, room) {
  const width = labelWidth(content, room);
  const back = { class: "label-back", x: x - width / 2, y: y - room.high + 4, width, height: room.high, rx: 4 };
  return svgElement("g", {}, svgElement("rect", back), text(x, y, content));
}

function labelWidth(content, room) {
  return content.length * room.letter + 2;
}

/** As many digits as the formulas use: six decimals. */
function brief(value) {
  return short(Math.abs(value) < 100 ? Number(value.toFixed(6)) || value : Number(value.toPrecision(6)));
}
