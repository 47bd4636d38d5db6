import { pass, updated } from "../numbers/arithmetic.js";
import { change } from "../bench/state.js";
import { breakable } from "../formulas/breakable.js";
import { DATA } from "../data.js";
import { byId, element } from "../dom.js";
import { showBackwardFigure } from "./figure-backward.js";
import { showChainFigure } from "./figure-chain.js";
import { showClassifierFigure, showInkFigure } from "./figure-classifier.js";
import { showDescentFigure } from "./figure-descent.js";
import { showLossFigure } from "./figure-loss.js";
import { showMatricesFigure } from "./figure-matrices.js";
import { showPassesFigure } from "./figure-passes.js";
import { showPathFigure } from "./figure-path.js";
import { showSetFigure } from "./figure-set.js";
import { showStepsFigure } from "./figure-steps.js";
import { showUnitFigure } from "./figure-unit.js";
import { short, shown } from "../numbers/format.js";
import { showStepNamed } from "../bench/stepper.js";

const FIGURES = {
  unit: showUnitFigure,
  loss: showLossFigure,
  descent: showDescentFigure,
  chain: showChainFigure,
  backward: showBackwardFigure,
  matrices: showMatricesFigure,
  steps: showStepsFigure,
  passes: showPassesFigure,
  path: showPathFigure,
  set: showSetFigure,
  classifier: showClassifierFigure,
  ink: showInkFigure,
};

/** Put the numbers of X1 and X2 into the chapters' text, and the figures into their places. */
export function showChapters(root) {
  const next = pass(updated(DATA.x2.network));
  for (const place of root.querySelectorAll("[data-x2]")) {
    place.textContent = runningNumber(place.dataset.x2, place.dataset.as, next);
  }
  for (const place of root.querySelectorAll("[data-x1]")) {
    const { x1, quantity, as } = place.dataset;
    place.textContent = forwardNumber(DATA.x1.inputs[Number(x1) - 1], quantity, as);
  }
  for (const button of root.querySelectorAll(".open-x1")) {
    button.addEventListener("click", () => openX1(Number(button.dataset.input)));
  }
  for (const place of root.querySelectorAll("[data-again]")) place.replaceChildren(...equationAgain(root, place.dataset.again));
  for (const math of root.querySelectorAll(".equation math")) {
    math.replaceWith(element("span", {}, breakable(math.outerHTML)));
  }
  for (const figure of root.querySelectorAll("[data-figure]")) {
    FIGURES[figure.dataset.figure](figure);
  }
}

/** A formula has one text: where it stands once more it is copied. */
function equationAgain(root, name) {
  const chip = [...root.querySelectorAll(".equation > .eq")].find((one) => one.textContent === name);
  return [...chip.parentElement.cloneNode(true).childNodes];
}

/** Put X1 with one of its inputs into the network at the top of the page. */
function openX1(input) {
  change({ start: { ...DATA.x1.network, x: DATA.x1.inputs[input - 1].x } });
  showStepNamed("net^1_1");
  byId("bench").scrollIntoView();
}

/** Return a number of X2: as on the slides, how they get it, exact, given, or as it is in the pass after one update. */
function runningNumber(name, as, next) {
  const { byHand, network, slides } = DATA.x2;
  switch (as) {
    case "slide":
      return slides[name].printed;
    case "calculation":
      return slides[name].calculation;
    case "exact":
      return shown(byHand[name]);
    case "given":
      return short(givenNumbers(network)[name]);
    case "next":
      return shown(next.get(name));
    default:
      throw new Error(`data-as of ${name} is slide, calculation, exact, given or next, got ${as}`);
  }
}

function forwardNumber({ numbers, printed }, quantity, as) {
  return as === "slide" ? printed[quantity] : shown(numbers[quantity]);
}

/** Name what a network starts from as the lecture does. */
function givenNumbers({ weights, x, t, lr }) {
  const numbers = { η: lr };
  x.forEach((value, j) => (numbers[`x^0_${j + 1}`] = value));
  t.forEach((value, k) => (numbers[`t_${k + 1}`] = value));
  weights.forEach((rows, l) => {
    rows.forEach((row, i) => row.forEach((value, j) => (numbers[`W^${l + 1}_${i + 1}${j + 1}`] = value)));
  });
  return numbers;
}
