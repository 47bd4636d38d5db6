import { pass } from "../numbers/arithmetic.js";
import { DATA } from "../data.js";
import { dial, readout } from "./dial.js";
import { amplifier, circle, diagram, flow, textAt } from "./diagram.js";
import { element } from "../dom.js";
import { short, shown } from "../numbers/format.js";

const BACK = { color: "var(--backward)" };
const OUTPUT = [370, 170];

/** Draw how δ²₁ of X2 flows back through the weights into the hidden units, for the target that the reader chooses. */
export function showBackwardFigure(figure) {
  const { network } = DATA.x2;
  const stage = element("div");
  const numbers = readout();
  const turned = (t) => {
    const values = pass({ ...network, t: [t] });
    stage.replaceChildren(backwardDrawing(values));
    const [loss, ...deltas] = ["L", "δ^2_1", "δ^1_1", "δ^1_2"].map((name) => shown(values.get(name)));
    numbers.textContent = `t₁ = ${short(t)}: L = ${loss}, δ²₁ = ${deltas[0]}, δ¹ = (${deltas[1]}, ${deltas[2]})`;
  };
  figure.prepend(stage, dial({ label: "target t₁", min: 0, max: 1, step: 0.01, value: network.t[0], text: short, turned }), numbers);
}

function backwardDrawing(values) {
  const [weights] = DATA.x2.network.weights[1];
  return diagram(
    430,
    312,
    backwardInWords(values, weights),
    ...outputUnit(values),
    ...hiddenUnit(values, weights[0], { i: 1, y: 80, outward: -1 }),
    ...hiddenUnit(values, weights[1], { i: 2, y: 260, outward: 1 }),
  );
}

/** The error t − y comes in at the top, passes the amplifier, and leaves as δ²₁. */
function outputUnit(values) {
  const [x, y] = OUTPUT;
  return [
    textAt([x, 20], "e²₁ = t − y₁"),
    textAt([x, 39], shown(values.get("e^2_1"))),
    flow([x, 46], [x, 76], { ...BACK, from: 0, short: 0 }),
    amplifier([x, 94], "down"),
    textAt([x - 30, 90], slopeText(values.get("y_1")), "end"),
    flow([x, 114], OUTPUT, { ...BACK, from: 0 }),
    circle(OUTPUT, "δ²₁", [shown(values.get("δ^2_1"))], BACK),
  ];
}

/** The weighted δ²₁ comes in at the right, passes the amplifier, and leaves as δ¹ᵢ at the left. */
function hiddenUnit(values, weight, { i, y, outward }) {
  const index = "₁₂"[i - 1];
  const above = outward < 0;
  const [sum, triangle, delta] = [[172, y], [104, y], [40, y]];
  return [
    flow(OUTPUT, sum, BACK),
    textAt([200, OUTPUT[1] + 28 * outward + 5], `W²₁${index} = ${short(weight)}`, "start"),
    circle(sum, "Σ", [`e¹${index} = ${shown(values.get(`e^1_${i}`))}`], { ...BACK, above }),
    flow(sum, triangle, { ...BACK, short: 16 }),
    amplifier(triangle, "left"),
    textAt([104, y - 36 * outward + 5], slopeText(values.get(`x^1_${i}`))),
    flow([84, y], delta, { ...BACK, from: 0 }),
    circle(delta, `δ¹${index}`, [shown(values.get(`δ^1_${i}`))], { ...BACK, above }),
  ];
}

/** σ′ at a sigmoid unit, from what it put out (E16). */
function slopeText(x) {
  return `σ′ = ${shown(x * (1 - x))}`;
}

function backwardInWords(values, weights) {
  const arrivals = weights.map((weight, k) => {
    const number = (name) => shown(values.get(`${name}^1_${k + 1}`));
    return `through the weight ${short(weight)} it brings the error ${number("e")} to hidden unit ${k + 1}, whose δ is ${number("δ")}`;
  });
  return `The backward pass: δ of the output unit is ${shown(values.get("δ^2_1"))}; ${arrivals.join("; ")}`;
}
