import { LOSSES } from "../numbers/arithmetic.js";
import { DATA } from "../data.js";
import { dial, readout } from "./dial.js";
import { shown } from "../numbers/format.js";
import { plot } from "../plot.js";
import { element } from "../dom.js";

const OUTPUTS = Array.from({ length: 99 }, (_, k) => (k + 1) / 100);

/** Draw both losses over the output y, with the running example's y and the reader's. */
export function showLossFigure(figure) {
  const stage = element("div", { class: "sides" });
  const numbers = readout();
  const turned = (y) => {
    const [squared, entropy] = [squaredErrorAt(y), crossEntropyAt(y)];
    numbers.textContent = `½(t − y)² = ${shown(squared)}, −ln y = ${shown(entropy)}`;
    stage.replaceChildren(
      lossPlot("½(t − y)² with t = 0.5", squaredErrorAt, y, { label: "X2", at: "left" }),
      lossPlot("−ln y, y for the right class", crossEntropyAt, y, { label: "" }),
    );
  };
  const slider = dial({ label: "output y", min: 0.01, max: 0.99, step: 0.01, value: 0.2, text: (y) => y.toFixed(2), turned });
  figure.prepend(stage, slider, numbers);
}

function squaredErrorAt(y) {
  return LOSSES["squared-error"].forward([y], DATA.x2.network.t);
}

function crossEntropyAt(y) {
  return -Math.log(y);
}

function lossPlot(name, loss, y, running) {
  const marked = DATA.x2.byHand.y_1;
  return plot({
    width: 360,
    x: { label: "y", min: 0, max: 1 },
    y: { label: "L", min: 0 },
    series: [{ name, points: OUTPUTS.map((output) => [output, loss(output)]), color: "var(--forward)" }],
    markers: [
      { x: marked, y: loss(marked), color: "var(--ink)", ...running },
      { x: y, y: loss(y), color: "var(--accent)" },
    ],
    label: `${name}: at y = ${y.toFixed(2)} the loss is ${shown(loss(y))}`,
  });
}
