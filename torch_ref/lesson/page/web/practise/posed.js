import { drawing } from "../bench/drawing.js";
import { element } from "../dom.js";
import { pretty } from "../formulas/notation.js";
import { pass } from "../numbers/arithmetic.js";
import { short, shown } from "../numbers/format.js";
import { givens } from "./mistakes.js";

/** An exercise as it is given: its network in a drawing, its numbers, and what is to be calculated. */
export function posed({ number, title, network, given, asked }, room) {
  const values = pass(network);
  const row = (words, numbers) => element("p", {}, words, numbers.map(([name, text]) => element("span", { class: "given" }, `${pretty(name)} = ${text} `)));
  return [
    element("h3", {}, `${number}. ${title}`),
    element("figure", { class: "drawing" }, drawn(network, given, values, title, room)),
    element("div", {},
      row(`A ${network.sizes.join("-")} network, ${functionsOf(network)}: `, givens(network).map(([name, value]) => [name, short(value)])),
      given.length ? row("Known: ", given.map((name) => [name, shown(values.get(name))])) : null,
      element("p", { class: "task" }, `Calculate ${asked.map(pretty).join(", ")}.`)),
  ];
}

function functionsOf({ activation, loss, sizes }) {
  if (loss === "squared-error") return `${activation}, squared error`;
  return `${sizes.length > 2 ? `${activation}, ` : ""}softmax and cross-entropy`;
}

/** The bench's drawing as far as the given numbers go, with nothing to click at. */
function drawn(network, given, values, title, room) {
  const walk = [...given.map((name) => ({ name })), { name: "", title, phase: "forward", units: [], edges: [], biases: [] }];
  const svg = drawing({ network, walk, at: walk.length - 1, values, hidden: new Set() }, room);
  const hooks = ["id", "data-step", "data-weight", "data-of"];
  for (const part of svg.querySelectorAll("*")) for (const hook of hooks) part.removeAttribute(hook);
  return svg;
}
