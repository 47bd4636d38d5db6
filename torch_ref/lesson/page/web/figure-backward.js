import { pass } from "./arithmetic.js";
import { DATA } from "./data.js";
import { amplifier, circle, diagram, flow, textAt } from "./diagram.js";
import { short, shown } from "./format.js";

const BACK = { color: "var(--backward)" };

/** Draw how δ²₁ of X2 flows back through the weights into the hidden units, and through their amplifiers. */
export function showBackwardFigure(figure) {
  const values = pass(DATA.x2.network);
  const [weights] = DATA.x2.network.weights[1];
  figure.prepend(
    diagram(
      430,
      310,
      backwardInWords(values, weights),
      ...outputUnit(values),
      ...[80, 240].flatMap((y, index) => hiddenUnit(values, weights[index], index + 1, y)),
    ),
  );
}

/** The error t − y comes in at the top, passes the amplifier, and leaves as δ²₁. */
function outputUnit(values) {
  return [
    textAt([360, 20], "e²₁ = t − y₁"),
    textAt([360, 39], shown(values.get("e^2_1"))),
    flow([360, 46], [360, 70], { ...BACK, from: 0, short: 0 }),
    amplifier([360, 89], "down"),
    textAt([330, 84], slopeText(values, 2, 1), "end"),
    flow([360, 109], [360, 160], { ...BACK, from: 0 }),
    circle([360, 160], "δ²₁", [shown(values.get("δ^2_1"))], BACK),
  ];
}

/** The weighted δ²₁ comes in at the right, passes the amplifier, and leaves as δ¹ᵢ at the left. */
function hiddenUnit(values, weight, i, y) {
  const index = "₁₂"[i - 1];
  return [
    flow([360, 160], [222, y], { ...BACK, text: `W²₁${index} = ${short(weight)}`, shift: 30 }),
    circle([222, y], "Σ", [`e¹${index}`, shown(values.get(`e^1_${i}`))], BACK),
    flow([222, y], [152, y], { ...BACK, short: 0 }),
    amplifier([134, y], "left"),
    textAt([134, y - 30], slopeText(values, 1, i)),
    flow([114, y], [40, y], { ...BACK, from: 0 }),
    circle([40, y], `δ¹${index}`, [shown(values.get(`δ^1_${i}`))], BACK),
  ];
}

function slopeText(values, l, i) {
  const x = values.get(l === 1 ? `x^1_${i}` : "y_1");
  return `σ′ = ${shown(x * (1 - x))}`;
}

function backwardInWords(values, weights) {
  const arrivals = weights.map((weight, k) => {
    const number = (name) => shown(values.get(`${name}^1_${k + 1}`));
    return `through the weight ${short(weight)} it brings the error ${number("e")} to hidden unit ${k + 1}, whose δ is ${number("δ")}`;
  });
  return `The backward pass: δ of the output unit is ${shown(values.get("δ^2_1"))}; ${arrivals.join("; ")}`;
}
