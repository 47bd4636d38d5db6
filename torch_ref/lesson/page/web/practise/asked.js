import { steps } from "../formulas/steps.js";

/** The formula with numbers of the step that is to be predicted: MathML and text, "?" in the place of its number. */
export function asked({ network, byHand, walk, at }) {
  const { name } = walk[at];
  const others = new Map([...byHand].filter(([other]) => other !== name));
  const { numbers, textNumbers } = steps(network, others)[at];
  return [numbers, textNumbers];
}
