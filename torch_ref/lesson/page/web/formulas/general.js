import { byId } from "../dom.js";
import { tensorOf } from "../numbers/compare.js";

/** The lecture's formula of a step for any unit, from the template in the page. */
export function generalFormula({ equation, name }, { biases }) {
  const formulas = byId("general").content;
  const kinds = [tensorOf(name).replace(/\^\d+/, ""), biases ? "with biases" : "without biases"];
  const special = kinds.map((kind) => formulas.querySelector(`[data-eq="${equation}"][data-for="${kind}"]`)).find(Boolean);
  return (special ?? formulas.querySelector(`[data-eq="${equation}"]:not([data-for])`)).cloneNode(true);
}
