import { element } from "../dom.js";
import { readNumber } from "./reading.js";
import { change } from "./state.js";

/** The field that is open: `take` uses what is typed, `leave` throws it away. */
let editor = null;

/** Throw away what is half typed: the drawing under it changes. */
export function leaveWeight() {
  editor?.leave();
}

/** Use what is typed, as Enter does. */
export function takeWeight() {
  editor?.take();
}

/**
 * Let the reader type another number in the place of a weight or bias: Enter takes it, Escape leaves it as it was.
 * @param {HTMLElement} home what the drawing lies in
 * @param {SVGElement} label the weight's label; its data-weight is l.i.j, of a bias l.i
 */
export function editWeight(home, label, { network }) {
  const [l, i, j] = label.dataset.weight.split(".").map(Number);
  const name = j === undefined ? `b^${l}_${i}` : `W^${l}_${i}${j}`;
  const field = element("input", { type: "text", inputmode: "decimal", class: "edit-weight", "aria-label": name, value: `${valueOf(network, l, i, j)}` });
  const [there, here] = [label.getBoundingClientRect(), home.getBoundingClientRect()];
  field.style.left = `${(there.left + there.right) / 2 - here.left}px`;
  field.style.top = `${(there.top + there.bottom) / 2 - here.top}px`;
  const leave = () => {
    editor = null; // before the field goes, which takes its focus away
    field.remove();
  };
  const take = () => {
    if (!field.isConnected || editor === null) return true;
    const { value, problem } = readNumber(field);
    field.setAttribute("aria-invalid", String(Boolean(problem)));
    field.title = problem;
    if (problem) return false;
    leave();
    if (value !== valueOf(network, l, i, j)) change({ start: withParameter(network, value, l, i, j) });
    return true;
  };
  field.addEventListener("keydown", (event) => {
    event.stopPropagation(); // the arrows are the field's
    if (event.key === "Enter") take();
    if (event.key === "Escape") leave();
  });
  field.addEventListener("blur", () => take() || leave());
  home.append(field);
  editor = { leave, take };
  field.select();
}

function valueOf({ weights, biases }, l, i, j) {
  return j === undefined ? biases[l - 1][i - 1] : weights[l - 1][i - 1][j - 1];
}

function withParameter(network, value, l, i, j) {
  const copy = structuredClone(network);
  if (j === undefined) copy.biases[l - 1][i - 1] = value;
  else copy.weights[l - 1][i - 1][j - 1] = value;
  return copy;
}
