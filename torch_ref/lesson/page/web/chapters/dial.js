import { element } from "../dom.js";

/** Return a labelled slider; ``text(value)`` is what stands beside it, ``turned(value)`` runs at once and on every move. */
export function dial({ label, min, max, step, value, text, turned }) {
  const input = element("input", { type: "range", min, max, step, value });
  const beside = element("span", { class: "dial-value", "aria-hidden": "true" });
  const move = () => {
    const spoken = text(input.valueAsNumber);
    beside.textContent = spoken;
    input.setAttribute("aria-valuetext", spoken);
    turned(input.valueAsNumber);
  };
  input.addEventListener("input", move);
  move();
  return element("label", { class: "dial" }, element("span", {}, label), input, beside);
}

/** Return the place for a figure's numbers: a screen reader says them when they change. */
export function readout() {
  return element("output", { class: "readout", "aria-live": "polite" });
}

/** Return radio buttons with a legend; ``chosen(k)`` runs at once for the first and on every choice. */
export function choices({ legend, name, options, chosen }) {
  const radio = (text, k) => {
    const input = element("input", { type: "radio", name, value: k, checked: k === 0 });
    input.addEventListener("change", () => chosen(k));
    return element("label", {}, input, text);
  };
  chosen(0);
  return element("fieldset", {}, element("legend", {}, legend), ...options.map(radio));
}
