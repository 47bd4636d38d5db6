import { byId } from "../dom.js";
import { shown } from "../numbers/format.js";
import { watch } from "./state.js";

/** Tell a screen reader each step in one short sentence; the panel beside it has every digit. */
export function showHeard() {
  watch((now, patch) => {
    if (Object.keys(patch).length > 0) byId("heard").textContent = heard(now);
  });
}

function heard({ walk, at, byHand, reference, wrong, hidden, isOpen }) {
  const { title, name } = walk[at];
  if (hidden.has(name)) return `${title}. It is hidden until you have typed it.`;
  if (isOpen) return `${title}. By hand it is ${shown(byHand.get(name))}.`;
  const agreed = wrong.has(name) ? `by autograd ${shown(reference.get(name))}` : "the same by autograd";
  return `${title}. It is ${shown(byHand.get(name))}, ${agreed}.`;
}
