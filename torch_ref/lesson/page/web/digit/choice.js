import { byId, element, svgElement } from "../dom.js";
import { inkSketch } from "./picture.js";
import { inkOf } from "./stroke.js";
import { goAlong } from "./toolbar.js";

const LEAST_MOVE = 3; // of 280 units of the pad: points nearer than this to the last one are left out

/**
 * Let the reader pick a digit, or draw one.
 * @param samples digits, `{ x, label }`
 * @param first the one to go back to from a drawing that is cleared
 * @param choose is called with the chosen digit; a drawn one has no label
 * @returns a function that marks the chosen digit
 */
export function showDigitChoice(samples, first, choose) {
  const clear = showPad(choose, () => choose(first));
  const buttons = samples.map((sample, at) => {
    const name = `Digit ${at + 1} of ${samples.length}, label ${sample.label}`;
    const button = element("button", { type: "button", "aria-label": name }, inkSketch(sample.x, { "aria-hidden": "true" }));
    button.addEventListener("click", () => choose(sample));
    return button;
  });
  byId("digit-samples").replaceChildren(...buttons);
  goAlong(buttons);
  return ({ sample }) => {
    buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(samples[at] === sample)));
    if (sample.label !== null) clear();
  };
}

/** Make the pad; return a function that clears it. */
function showPad(choose, leave) {
  const [pad, button] = [byId("digit-pad"), byId("digit-clear")];
  let strokes = [];
  const clear = () => {
    strokes = [];
    pad.replaceChildren();
    button.disabled = true;
  };
  const goOn = (point) => {
    strokes.at(-1).push(point);
    pad.lastChild.setAttribute("points", strokes.at(-1).map(({ x, y }) => `${x},${y}`).join(" "));
    choose({ x: inkOf(strokes), label: null });
  };
  pad.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    event.preventDefault();
    pad.setPointerCapture(event.pointerId);
    strokes.push([]);
    pad.append(svgElement("polyline", {}));
    button.disabled = false;
    goOn(placeOn(pad, event));
    goOn(strokes.at(-1)[0]); // a line of one point is not drawn
  });
  pad.addEventListener("pointermove", (event) => {
    if (!event.isPrimary || !pad.hasPointerCapture(event.pointerId)) return;
    const [point, last] = [placeOn(pad, event), strokes.at(-1).at(-1)];
    if (Math.hypot(point.x - last.x, point.y - last.y) >= LEAST_MOVE) goOn(point);
  });
  button.addEventListener("click", leave);
  return clear;
}

function placeOn(pad, { clientX, clientY }) {
  const { left, top, width, height } = pad.getBoundingClientRect();
  const { width: across, height: down } = pad.viewBox.baseVal;
  return { x: ((clientX - left) / width) * across, y: ((clientY - top) / height) * down };
}
