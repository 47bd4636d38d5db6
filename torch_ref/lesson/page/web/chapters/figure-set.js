import { ACTIVATIONS, LINEAR } from "../numbers/arithmetic.js";
import { DATA } from "../data.js";
import { contourLines, fieldOver, shades } from "./contour.js";
import { dial, readout } from "./dial.js";
import { element } from "../dom.js";
import { short, shown } from "../numbers/format.js";
import { plot } from "../plot.js";

const INPUT_REACH = 3;
const TENTHS = Array.from({ length: 9 }, (_, k) => ({ at: (k + 1) / 10, text: `0.${k + 1}` }));
const TURNED = [{ name: "W¹₁₁", l: 1 }, { name: "W³₁₁", l: 3 }];

/** Draw y₁ of X1 over both of its inputs, with two of its weights in the reader's hand. */
export function showSetFigure(figure) {
  const network = structuredClone(DATA.x1.network);
  const stage = element("div");
  const numbers = readout();
  const draw = () => {
    const [{ x }] = DATA.x1.inputs;
    numbers.textContent = `f(${x.map(short).join(", ")}) = (${outputOf(network, x).map(shown).join(", ")})`;
    stage.replaceChildren(map(network));
  };
  const dials = TURNED.map(({ name, l }) => {
    const turned = (weight) => {
      network.weights[l - 1][0][0] = weight;
      draw();
    };
    return dial({ label: name, min: -6, max: 6, step: 0.5, value: network.weights[l - 1][0][0], text: short, turned });
  });
  figure.prepend(stage, ...dials, numbers);
}

/** E4: the whole network as matrix operations. */
function outputOf({ weights, biases, activation }, x) {
  return weights.reduce((below, W, l) => LINEAR.forward(W, biases[l], below).map(ACTIVATIONS[activation].forward), x);
}

function map(network) {
  const limits = [-INPUT_REACH, INPUT_REACH];
  const field = fieldOver([limits, limits], 24, (...x) => outputOf(network, x)[0]);
  const [shade, lines] = [shades(field, "var(--forward)"), contourLines(field, TENTHS)];
  const weights = TURNED.map(({ name, l }) => `${name} = ${short(network.weights[l - 1][0][0])}`).join(" and ");
  const outputs = DATA.x1.inputs.map(({ x }) => `${shown(outputOf(network, x)[0])} at (${x.map(short).join(", ")})`);
  return plot({
    height: 300,
    x: { label: "x⁰₁", min: limits[0], max: limits[1] },
    y: { label: "x⁰₂", min: limits[0], max: limits[1] },
    under: (across, up) => [...shade(across, up), ...lines(across, up)],
    markers: DATA.x1.inputs.map(({ x: [x, y] }) => ({ x, y, color: "var(--ink)", label: `(${short(x)}, ${short(y)})`, at: "right" })),
    label: `y₁ of X1 over its two inputs, with ${weights}: ${outputs.join(", ")}`,
  });
}
