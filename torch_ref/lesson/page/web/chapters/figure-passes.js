import { pass, repeated } from "../numbers/arithmetic.js";
import { DATA } from "../data.js";
import { dial, readout } from "./dial.js";
import { element } from "../dom.js";
import { shown } from "../numbers/format.js";

const MOST_PASSES = 200;
const PASSES = {
  forward: [["l = 1", "net^1", "x^1"], ["l = 2", "net^2", "y"]],
  backward: [["l = 2", "e^2", "δ^2"], ["l = 1", "e^1", "δ^1"]],
};

/** Put the numbers of X2 under both passes, after as many updates as the reader likes. */
export function showPassesFigure(figure) {
  const numbers = readout();
  const turned = (k) => {
    const values = pass(repeated(DATA.x2.network, k).at(-1));
    for (const [name, stages] of Object.entries(PASSES)) {
      figure.querySelector(`[data-pass=${name}]`).replaceChildren(...stages.map((stage) => passRow(values, stage)));
    }
    numbers.textContent = `After ${k} updates y₁ = ${shown(values.get("y_1"))} and L = ${shown(values.get("L"))}.`;
  };
  const slider = dial({ label: "just repeat: updates made", min: 0, max: MOST_PASSES, step: 1, value: 0, text: String, turned });
  figure.querySelector("[data-phase=update]").append(slider, numbers);
}

function passRow(values, [layer, ...quantities]) {
  const vectors = quantities.map((quantity) => {
    const entries = [...values].filter(([name]) => name.startsWith(`${quantity}_`)).map(([, value]) => shown(value));
    return `${quantity.replace("^1", "¹").replace("^2", "²")} = ${entries.length > 1 ? `(${entries.join(", ")})` : entries[0]}`;
  });
  return element("li", {}, `${layer}: `, ...vectors.map((text) => element("span", {}, text, " ")));
}
