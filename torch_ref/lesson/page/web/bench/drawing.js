import { byId, svgElement } from "../dom.js";
import { short } from "../numbers/format.js";
import { change, watch } from "./state.js";

/** Sizes in the drawing's own units: wide ones side by side, narrow ones with net above x, for a telephone. */
const WIDE = { name: "wide", input: 74, unit: 176, height: 52, run: 120, toLoss: 84, lossWidth: 124, row: 124, letter: 11.5, high: 22 };
export const NARROW = { name: "narrow", input: 46, unit: 68, height: 52, run: 76, toLoss: 52, lossWidth: 60, row: 108, letter: 8.5, high: 18 };
const WIDE_FROM = 600;
const TOP = 52;

/** Draw the network of every view: weights on the edges, net | x in the units, δ under them, the loss at the end. */
export function showDrawing() {
  const home = byId("drawing");
  let last = null;
  const draw = () => {
    const room = home.clientWidth && home.clientWidth < WIDE_FROM ? NARROW : WIDE;
    home.replaceChildren(drawing(last, room));
    byId("drawing-caption").textContent = caption(last.walk[last.at].phase);
  };
  watch((view) => {
    last = view;
    draw();
  });
  new ResizeObserver(draw).observe(home);
  home.addEventListener("click", (event) => jump(event.target.closest("[data-step]"), last));
}

function jump(target, view) {
  if (target && view.walk.some((step) => step.name === target.dataset.step)) change({ step: target.dataset.step });
}

function caption(phase) {
  const edges = { gradients: "∂L/∂W as found", update: "W, updated in green" };
  return `Units: net | x, below them δ. Edges: ${edges[phase] ?? "weights W"}.`;
}

/** A network with the numbers that the walk has reached; `room` is WIDE or NARROW. */
export function drawing(view, room = window.innerWidth < WIDE_FROM ? NARROW : WIDE) {
  const place = places(view.network.sizes, room);
  const step = view.walk[view.at];
  const reached = new Set(view.walk.slice(0, view.at + 1).map((one) => one.name).filter((name) => !view.hidden.has(name)));
  const picture = { view, room, place, step, reached };
  return svgElement(
    "svg",
    { viewBox: `0 0 ${place.width} ${place.height}`, role: "img", "aria-label": description(view), class: `${room.name} phase-${step.phase}` },
    markers(), heads(picture), edges(picture), toLoss(picture), units(picture), lossBox(picture),
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
  const left = widths.map((_, l) => 4 + widths.slice(0, l).reduce((sum, width) => sum + width + room.run, 0));
  const y = (l, i) => middle + (i - 1 - (sizes[l] - 1) / 2) * room.row;
  const lossLeft = left.at(-1) + room.unit + room.toLoss;
  return { widths, left, y, middle, lossLeft, width: lossLeft + room.lossWidth + 4, height: middle + ((rows - 1) * room.row) / 2 + room.height / 2 + 30 };
}

function markers() {
  return svgElement(
    "defs", {},
    svgElement("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 5, markerHeight: 5, orient: "auto-start-reverse" },
      svgElement("path", { d: "M0 0 L8 4 L0 8 z", fill: "context-stroke" })),
  );
}

function heads({ view, place, room }) {
  const { sizes, loss } = view.network;
  const last = sizes.length - 1;
  return sizes.map((_, l) => {
    const names = l === 0 ? "input x⁰" : `layer ${l}`;
    const kind = l === 0 ? "" : l < last ? "net | x" : loss === "cross-entropy" ? "net | softmax y" : "net | y";
    const x = place.left[l] + place.widths[l] / 2;
    return svgElement("g", { class: "head" }, text(x, 16, names), text(x, 36, kind));
  }).concat(svgElement("g", { class: "head" }, text(place.lossLeft + room.lossWidth / 2, 16, "loss")));
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

function edge({ step }, l, i, j, from, to) {
  const id = `edge-${l}-${i}-${j}`;
  const on = step.edges.includes(id);
  const [start, end] = on && step.phase === "backward" ? [to, from] : [from, to];
  const flows = on && (step.phase === "forward" || step.phase === "backward");
  return svgElement("line", {
    id, class: `edge${on ? " on" : ""}${flows ? " flows" : ""}`,
    x1: start.x, y1: start.y, x2: end.x, y2: end.y, "marker-end": flows ? "url(#arrow)" : null,
  });
}

/**
 * At 1/(n+1) of the way the labels of all edges into n units stand apart, however many come from each side. Where that
 * is too near to the box that the edge comes from, the label moves to the right, and the edge enters it at its left.
 */
function edgeLabel({ view, step, reached, room }, l, i, j, from, to) {
  const entry = `W^${l}_${i}${j}`;
  const share = 1 / (view.network.sizes[l] + 1);
  const { shown, kind, goesTo } = onEdge(view, step, reached, entry, view.network.weights[l - 1][i - 1][j - 1]);
  const x = from.x + Math.max(share * (to.x - from.x), labelWidth(shown, room) / 2 + 3);
  const y = from.y + share * (to.y - from.y);
  const on = step.edges.includes(`edge-${l}-${i}-${j}`) ? " on" : "";
  return svgElement("g", { class: `weight ${kind}${on}${kind === "plain" ? "" : wrongClass(view, goesTo)}`, "data-step": goesTo },
    svgElement("title", {}, `${entry} = ${view.network.weights[l - 1][i - 1][j - 1]}`), label(x, y + 5, shown, room));
}

/** What an edge shows: its weight; once they are found, its gradient; after the update, the new weight. */
function onEdge(view, step, reached, entry, weight) {
  const gradient = `∂L/∂${entry}`;
  const after = `${entry} after`;
  if (step.phase === "update" && reached.has(after)) return { shown: brief(view.byHand.get(after)), kind: "updated", goesTo: after };
  if (step.phase === "gradients" && reached.has(gradient)) return { shown: brief(view.byHand.get(gradient)), kind: "gradient", goesTo: gradient };
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
    return svgElement("g", { class: `target${on ? " on" : ""}` },
      svgElement("line", { class: `edge${on ? " on flows" : ""}`, x1: start.x, y1: start.y, x2: end.x, y2: end.y, "marker-end": on ? "url(#arrow)" : null }),
      label(from.x + (to.x - from.x) / 2, y + (to.y - y) / 2 - 9, `${room === NARROW ? "" : "t "}${brief(target)}`, room));
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
  return text(place.left[0] + room.input / 2, place.y(0, i) + 5, brief(view.network.x[i - 1]), "value");
}

function unitTexts(picture, l, i) {
  const { view, place, room } = picture;
  const [x, y, middle] = [place.left[l], place.y(l, i), place.left[l] + room.unit / 2];
  const output = l === view.network.sizes.length - 1 ? `y_${i}` : `x^${l}_${i}`;
  const narrow = room === NARROW;
  const divider = narrow
    ? { x1: x, y1: y, x2: x + room.unit, y2: y }
    : { x1: middle, y1: y - room.height / 2, x2: middle, y2: y + room.height / 2 };
  const [net, out] = narrow
    ? [[middle, y - 8], [middle, y + 18]]
    : [[x + room.unit / 4, y + 6], [x + (3 * room.unit) / 4, y + 6]];
  const halves = [
    svgElement("line", { class: "divider", ...divider }),
    number(picture, `net^${l}_${i}`, ...net),
    number(picture, output, ...out),
  ];
  return [...halves, deltaText(picture, l, i, middle, y + room.height / 2), biasText(picture, l, i, middle, y - room.height / 2)];
}

/** A number of the pass, once the walk has reached it. */
function number({ view, step, reached }, name, x, y) {
  const known = reached.has(name);
  const now = step.name === name ? " now" : "";
  return svgElement("g", { class: `value${known ? "" : " unknown"}${now}${known ? wrongClass(view, name) : ""}`, "data-step": name },
    text(x, y, known ? brief(view.byHand.get(name)) : "·"));
}

function deltaText(picture, l, i, x, below) {
  const { view, step, reached } = picture;
  const [error, delta] = [`e^${l}_${i}`, `δ^${l}_${i}`];
  const name = reached.has(delta) ? delta : error;
  if (!reached.has(name)) return null;
  const now = step.name === name ? " now" : "";
  return svgElement("g", { class: `delta${now}${wrongClass(view, name)}`, "data-step": name }, text(x, below + 21, `${name[0]} ${brief(view.byHand.get(name))}`));
}

function biasText({ view, step, reached }, l, i, x, above) {
  if (!view.network.biases) return null;
  const entry = `b^${l}_${i}`;
  const { shown, kind, goesTo } = onEdge(view, step, reached, entry, view.network.biases[l - 1][i - 1]);
  const on = step.biases.includes(`bias-${l}-${i}`) ? " on" : "";
  return svgElement("g", { id: `bias-${l}-${i}`, class: `weight bias ${kind}${on}${kind === "plain" ? "" : wrongClass(view, goesTo)}`, "data-step": goesTo },
    text(x, above - 5, kind === "gradient" ? `∂b ${shown}` : `+ b ${shown}`));
}

function lossBox({ view, place, room, step, reached }) {
  const box = { x: place.lossLeft, y: place.middle - room.height / 2, width: room.lossWidth, height: room.height, rx: 10 };
  const known = reached.has("L");
  return svgElement("g", { id: "loss", class: `unit loss${step.units.includes("loss") ? " on" : ""}${step.name === "L" ? " makes" : ""}`, "data-step": "L" },
    svgElement("rect", box),
    svgElement("g", { class: `value${known ? wrongClass(view, "L") : " unknown"}` },
      text(place.lossLeft + room.lossWidth / 2, place.middle + 5, known ? `${room === NARROW ? "" : "L "}${brief(view.byHand.get("L"))}` : "L")));
}

// ---------------------------------------------------------------------------------------------------------- pieces

function wrongClass(view, name) {
  return view.fault && view.wrong.has(name) ? " wrong" : "";
}

function text(x, y, content, kind = "") {
  return svgElement("text", { x, y, "text-anchor": "middle", class: kind || null }, content);
}

/** A text that edges pass behind. */
function label(x, y, content, room) {
  const width = labelWidth(content, room);
  const back = { class: "label-back", x: x - width / 2, y: y - room.high + 4, width, height: room.high };
  return svgElement("g", {}, svgElement("rect", back), text(x, y, content));
}

function labelWidth(content, room) {
  return content.length * room.letter + 2;
}

/** Four decimals are enough for a picture; what is small keeps two digits. */
function brief(value) {
  if (value !== 0 && Math.abs(value) < 0.001) return short(Number(value.toPrecision(2)));
  return short(Math.abs(value) < 1000 ? Number(value.toFixed(4)) : Number(value.toPrecision(4)));
}
