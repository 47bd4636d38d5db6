import { diagram, flow, textAt } from "./diagram.js";
import { svgElement } from "../dom.js";

const UNIT_ROWS = [74, 118, 162];
const UNIT_COLUMNS = { input: 40, hidden: [132, 214], output: 312, confidence: 398 };
const INK = "000007e00ff01c381818001800380070" + "00e001c0038007000e001ff81ff80000"; // a hexadecimal digit is four pixels
const INK_SIDE = 16;
const INK_CELL = 10;
const CONFIDENCES = [0.1, 0.7, 0, 0, 0, 0, 0, 0, 0, 0.2]; // the slides' picture of a 2; ours to draw, computed by nobody

/** Draw what the layers are for: the hidden ones find features, the output layer with its softmax decides. */
export function showClassifierFigure(figure) {
  const layers = [UNIT_COLUMNS.input, ...UNIT_COLUMNS.hidden, UNIT_COLUMNS.output];
  const wires = layers.slice(1).flatMap((x, l) => UNIT_ROWS.flatMap((to) => UNIT_ROWS.map((from) => wire(layers[l], from, x, to))));
  figure.prepend(
    diagram(
      440,
      236,
      "From left to right: the input; the hidden layers, a feature extractor; the output layer, a classifier with a softmax; one confidence for each class",
      panel(95, 156, "var(--forward)"),
      panel(274, 76, "var(--update)"),
      ...wires,
      ...layers.flatMap((cx) => UNIT_ROWS.map((cy) => svgElement("circle", { cx, cy, r: 11, class: "circle", style: "stroke: var(--ink)" }))),
      ...UNIT_ROWS.map((y) => flow([UNIT_COLUMNS.output, y], [UNIT_COLUMNS.confidence - 14, y], { from: 12, short: 0 })),
      ...UNIT_ROWS.map((y, k) => textAt([UNIT_COLUMNS.confidence, y + 5], `y${"₁₂₃"[k]}`)),
      ...labels([UNIT_COLUMNS.input, "input x"], [173, "hidden layers"], [UNIT_COLUMNS.output, "output layer"], 30),
      ...labels([173, "feature extractor"], [UNIT_COLUMNS.output, "classifier"], [UNIT_COLUMNS.confidence, "confidence"], 212),
      ...labels([173, "(no features by hand)"], [UNIT_COLUMNS.output, "(softmax)"], [UNIT_COLUMNS.confidence, "in a class"], 230),
    ),
  );
}

function labels(...parts) {
  const y = parts.pop();
  return parts.map(([x, text]) => textAt([x, y], text));
}

function panel(x, width, color) {
  return svgElement("rect", { x, y: 44, width, height: 148, rx: 10, class: "part", style: `color: ${color}` });
}

function wire(x1, y1, x2, y2) {
  return svgElement("line", { x1, y1, x2, y2, class: "wire" });
}

/** Draw 16 × 16 pixels going in, and ten confidences coming out. */
export function showInkFigure(figure) {
  const ink = [...INK].flatMap((four) => [...Number.parseInt(four, 16).toString(2).padStart(4, "0")].map(Number));
  const best = CONFIDENCES.indexOf(Math.max(...CONFIDENCES));
  figure.prepend(
    diagram(
      440,
      236,
      `A drawn ${best + 1} on ${INK_SIDE} × ${INK_SIDE} pixels gives ${ink.length} numbers; a network makes ten confidences, ${CONFIDENCES[best]} for this digit`,
      ...ink.map(pixel),
      textAt([84, 202], `x₁ = ${ink[0]}, …, x₂₅₆ = ${ink.at(-1)}`),
      textAt([84, 222], "ink 1, no ink 0"),
      flow([168, 102], [194, 102], { from: 0, short: 0 }),
      svgElement("rect", { x: 197, y: 72, width: 70, height: 60, rx: 10, class: "part", style: "color: var(--forward)" }),
      textAt([232, 99], "network"),
      textAt([232, 117], "256 → 10"),
      flow([267, 102], [294, 102], { from: 0, short: 0 }),
      ...CONFIDENCES.flatMap((value, k) => confidence(value, k, k === best)),
      textAt([372, 222], `The image is a ${best + 1}.`),
    ),
  );
}

function pixel(value, k) {
  const [x, y] = [4 + INK_CELL * (k % INK_SIDE), 22 + INK_CELL * Math.floor(k / INK_SIDE)];
  return svgElement("rect", { x, y, width: INK_CELL, height: INK_CELL, class: value ? "pixel inked" : "pixel" });
}

function confidence(value, k, best) {
  const y = 14 + 20 * k;
  const index = [...String(k + 1)].map((digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]).join("");
  const color = best ? "var(--good)" : "var(--edge)";
  return [
    textAt([300, y + 5], `y${index}: a ${(k + 1) % 10}`, "start"),
    svgElement("rect", { x: 358, y: y - 6, width: 2 + 54 * value, height: 12, style: `fill: ${color}` }),
    textAt([366 + 54 * value, y + 5], String(value), "start"),
  ];
}
