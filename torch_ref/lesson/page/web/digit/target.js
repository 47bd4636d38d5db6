import { byId, element } from "../dom.js";
import { figureOf } from "./number.js";
import { goAlong } from "./toolbar.js";

const QUESTION = "What did you mean to draw?";

/**
 * Ask for the target: a digit that is picked has its label, a drawn one has what the reader says.
 * @param aim is called with the target that the reader chooses
 * @returns a function that shows the target, and the loss that it makes
 */
export function showDigitTarget(classes, aim) {
  const buttons = Array.from({ length: classes }, (_, k) => element("button", { type: "button" }, `${k}`));
  buttons.forEach((button, k) => button.addEventListener("click", () => aim(k)));
  byId("digit-targets").replaceChildren(...buttons);
  goAlong(buttons);
  return ({ sample, target, pass }) => {
    buttons.forEach((button, k) => button.setAttribute("aria-pressed", String(k === target)));
    byId("digit-meant").textContent = sample.label === null ? QUESTION : `Target: the label is ${sample.label}`;
    byId("digit-aim").replaceChildren(...aimOf(target, pass));
  };
}

function aimOf(target, { L }) {
  if (target === null) return ["Without a target t there is no loss, no backward pass and no step."];
  const loss = figureOf(L);
  loss.id = "digit-loss";
  return [`For the target ${target} the loss L is `, loss, "."];
}

/** Words that stand in place of numbers that a target makes, with the way to it. */
export function targetNeeded(words) {
  return [`${words} `, element("a", { href: "#digit-meant" }, QUESTION)];
}
