import { byId, element } from "../dom.js";
import { shown } from "../numbers/format.js";
import { figureOf } from "./number.js";
import { lowered } from "../formulas/notation.js";
import { targetNeeded } from "./target.js";

/**
 * Let the reader take steps of gradient descent on the digit.
 * @param step is called with the learning rate
 * @param startAgain is called for the weights that the page came with
 * @returns a function that shows what the steps changed
 */
export function showDigitDescent(step, startAgain) {
  byId("digit-step").addEventListener("click", () => step(Number(byId("digit-rate").value)));
  byId("digit-again").addEventListener("click", startAgain);
  return (now) => {
    const aimless = now.target === null;
    byId("digit-again").disabled = now.steps === 0;
    byId("digit-step").disabled = aimless;
    byId("digit-effect-head").replaceChildren(...(aimless ? [] : [headOf(now)]));
    byId("digit-effect").replaceChildren(...(aimless ? [] : effectRows(now)));
    byId("digit-effect-table").hidden = aimless;
    byId("digit-stepped").replaceChildren(...(aimless ? targetNeeded("A step needs a target t.") : now.steps ? [steppedWords(now)] : []));
  };
}

function headOf({ steps }) {
  const columns = ["", "trained weights", ...(steps ? [`after ${counting(steps)}`] : [])];
  return element("tr", {}, columns.map((name) => (name ? element("th", { scope: "col" }, name) : element("td"))));
}

function effectRows({ pass, before, steps, target }) {
  const rows = [["L", before.L, pass.L], [`y${lowered(target)}`, before.y[target], pass.y[target]]];
  return rows.map(([name, then, current]) =>
    element("tr", {},
      element("th", { scope: "row" }, name),
      element("td", { class: "figure" }, figureOf(then)),
      steps ? element("td", { class: "figure" }, figureOf(current)) : null));
}

function steppedWords({ pass, before, steps, target }) {
  const way = pass.L < before.L ? "falls" : pass.L > before.L ? "rises" : "stays";
  const loss = `the loss of this digit ${way} from ${shown(before.L)} to ${shown(pass.L)}`;
  const confidence = `the confidence in ${target} goes from ${shown(before.y[target])} to ${shown(pass.y[target])}`;
  return `After ${counting(steps)} (on this digit or on others) ${loss}; ${confidence}. The thin marks above are the confidences before.`;
}

function counting(steps) {
  return `${steps} step${steps === 1 ? "" : "s"}`;
}
