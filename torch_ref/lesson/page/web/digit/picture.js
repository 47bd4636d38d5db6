import { element, svgElement } from "../dom.js";

export const PICTURE_SIDE = 28;

// Positive and negative weights: of middling lightness, over whatever ground there is, so they read on light and dark.
const POSITIVE = [38, 120, 214];
const NEGATIVE = [226, 104, 18];

/** A picture of ink, in the colour of its text: one square for each pixel that has any. */
export function inkPicture(ink, attributes = {}) {
  const squares = [...ink].flatMap((amount, at) => (amount > 0 ? [inkSquare(amount, at)] : []));
  return svgElement("svg", { viewBox: `0 0 ${PICTURE_SIDE} ${PICTURE_SIDE}`, class: "ink", ...attributes }, squares);
}

const SHADES = 8;

/** A small picture of ink: as many shades as the eye tells apart there, one path for each. */
export function inkSketch(ink, attributes = {}) {
  const paths = Array(SHADES).fill("");
  ink.forEach((amount, at) => {
    if (amount > 0) paths[Math.ceil(amount * SHADES) - 1] += `M${at % PICTURE_SIDE} ${Math.floor(at / PICTURE_SIDE)}h1v1h-1z`;
  });
  const drawn = paths.map((d, k) => svgElement("path", { d, "fill-opacity": (k + 1) / SHADES }));
  return svgElement("svg", { viewBox: `0 0 ${PICTURE_SIDE} ${PICTURE_SIDE}`, class: "ink", ...attributes }, drawn);
}

function inkSquare(amount, at) {
  return svgElement("rect", { x: at % PICTURE_SIDE, y: Math.floor(at / PICTURE_SIDE), width: 1, height: 1, "fill-opacity": amount.toFixed(3) });
}

/** Make a canvas for the weights of one unit. */
export function weightCanvas() {
  return element("canvas", { width: PICTURE_SIDE, height: PICTURE_SIDE, class: "weights", "aria-hidden": "true" });
}

/** Paint the weights that reach one unit: blue above 0, orange below, in full colour from `most` on. */
export function paintWeights(canvas, row, most) {
  const image = new ImageData(PICTURE_SIDE, PICTURE_SIDE);
  row.forEach((weight, at) => {
    const strength = Math.min(1, Math.abs(weight) / most);
    image.data.set([...(weight > 0 ? POSITIVE : NEGATIVE), Math.round(255 * strength)], 4 * at);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
}
