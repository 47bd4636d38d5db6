import { byId, element } from "../dom.js";
import { barOf, figureOf } from "./number.js";
import { inkPicture } from "./picture.js";

/** Show what the network gets, and beside the pad what it says. */
export function showDigitVerdict({ sample, pass, ranking }) {
  const name = sample.label === null ? "The digit that you drew" : `A digit with the label ${sample.label}`;
  byId("digit-picture").replaceChildren(inkPicture(sample.x, { role: "img", "aria-label": name }));
  byId("digit-outcome").replaceChildren(...verdictOf(sample, pass.y, ranking));
}

function verdictOf({ label }, y, [answer, second]) {
  const right = label === null ? null : label === answer ? ["good", "right"] : ["bad", `wrong: the label is ${label}`];
  return [
    element("p", {}, "The network says ", element("strong", {}, `${answer}`), right && element("span", { class: right[0] }, right[1])),
    element("p", {}, "confidence: ", figureOf(y[answer]), barOf(y[answer])),
    element("p", {}, `next best ${second}: `, figureOf(y[second]), barOf(y[second])),
  ];
}
