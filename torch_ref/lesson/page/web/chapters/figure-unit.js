import { ACTIVATIONS } from "../numbers/arithmetic.js";
import { DATA } from "../data.js";
import { dial, readout } from "./dial.js";
import { shown } from "../numbers/format.js";
import { plot } from "../plot.js";
import { element } from "../dom.js";

const CURVES = { sigmoid: "sigmoid", tanh: "tanh", relu: "ReLU" };
const REACH = 5;

/** Draw the activation functions with their derivatives, and the reader's net on them. */
export function showUnitFigure(figure) {
  const stage = element("div");
  const numbers = readout();
  const now = { activation: "sigmoid", net: 0 };
  const draw = () => {
    const { output, slope } = unitAt(now.activation, now.net);
    numbers.textContent = `σ(net) = ${shown(output)}, σ′(net) = ${shown(slope)}`;
    stage.replaceChildren(curvePlot(now, output, slope));
  };
  const turned = (net) => {
    now.net = net;
    draw();
  };
  const slider = dial({ label: "net", min: -REACH, max: REACH, step: 0.1, value: 2, text: (net) => shown(net), turned });
  const choices = Object.keys(CURVES).map((activation) => curveChoice(activation, now, draw));
  figure.prepend(element("fieldset", {}, element("legend", {}, "activation σ"), ...choices), stage, slider, numbers);
}

function unitAt(activation, net) {
  const { forward, error } = ACTIVATIONS[activation];
  const output = forward(net);
  return { output, slope: error(1, net, output) }; // δ = σ′(net) e, at e = 1
}

function curveChoice(activation, now, draw) {
  const input = element("input", { type: "radio", name: "activation-curve", value: activation });
  input.checked = activation === now.activation;
  input.addEventListener("change", () => {
    now.activation = activation;
    draw();
  });
  return element("label", {}, input, CURVES[activation]);
}

function curvePlot({ activation, net }, output, slope) {
  const nets = Array.from({ length: 20 * REACH + 1 }, (_, k) => k / 10 - REACH);
  const name = CURVES[activation];
  const low = activation === "tanh" ? -1 : 0;
  return plot({
    x: { label: "net", min: -REACH, max: REACH },
    y: { min: low, max: activation === "relu" ? REACH : 1 },
    series: [
      { name: `σ: ${name}`, points: nets.map((z) => [z, unitAt(activation, z).output]), color: "var(--forward)" },
      { name: "its derivative σ′", points: nets.map((z) => [z, unitAt(activation, z).slope]), color: "var(--backward)", dashed: true },
    ],
    markers: [
      ...(activation === "sigmoid" ? runningUnits() : []),
      { x: net, y: output, color: "var(--forward)" },
      { x: net, y: slope, color: "var(--backward)" },
    ],
    label: `${name} and its derivative over net; at ${shown(net)} they are ${shown(output)} and ${shown(slope)}`,
  });
}

function runningUnits() {
  const { byHand } = DATA.x2;
  return [
    { x: byHand["net^1_1"], y: byHand["x^1_1"], color: "var(--ink)", label: "x¹₁ and x¹₂ of X2", at: "left" },
    { x: byHand["net^1_2"], y: byHand["x^1_2"], color: "var(--ink)" },
  ];
}
