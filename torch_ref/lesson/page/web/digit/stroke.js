// What the reader draws, prepared as MNIST's digits were: scaled into a box of 20 × 20 pixels, the centre of mass in
// the middle of 28 × 28. Ink is worked out from the distance to the line, so it is the same in every browser.

import { PICTURE_SIDE } from "./picture.js";

const DIGIT_BOX = 20;
const HALF_STROKE = 1.2; // of a stroke, in pixels: those of MNIST are 2 to 3 wide

/**
 * The ink of strokes as network input.
 * @param {{x: number, y: number}[][]} strokes lines of points, in any unit
 * @returns {Float64Array} 784 numbers from 0 to 1, row by row
 */
export function inkOf(strokes) {
  const placed = intoBox(strokes);
  const { x, y } = centreOfMass(rendered(placed));
  return rendered(moved(placed, PICTURE_SIDE / 2 - x, PICTURE_SIDE / 2 - y));
}

/** Scale into the box, keeping the shape, and put the middle of the box into the middle of the picture. */
function intoBox(strokes) {
  const points = strokes.flat();
  const [left, right] = extent(points.map((point) => point.x));
  const [top, bottom] = extent(points.map((point) => point.y));
  const size = Math.max(right - left, bottom - top);
  const scale = size > 0 ? (DIGIT_BOX - 2 * HALF_STROKE) / size : 0;
  const [middleX, middleY] = [(left + right) / 2, (top + bottom) / 2];
  const place = ({ x, y }) => ({ x: (x - middleX) * scale + PICTURE_SIDE / 2, y: (y - middleY) * scale + PICTURE_SIDE / 2 });
  return strokes.map((stroke) => stroke.map(place));
}

function extent(values) {
  return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
}

function moved(strokes, dx, dy) {
  return strokes.map((stroke) => stroke.map(({ x, y }) => ({ x: x + dx, y: y + dy })));
}

/** The ink of each pixel: 1 inside the line, falling to 0 over one pixel at its edge. */
function rendered(strokes) {
  const ink = new Float64Array(PICTURE_SIDE * PICTURE_SIDE);
  for (const [from, to] of strokes.flatMap(piecesOf)) {
    for (let at = 0; at < ink.length; at++) {
      const distance = distanceTo(from, to, (at % PICTURE_SIDE) + 0.5, Math.floor(at / PICTURE_SIDE) + 0.5);
      ink[at] = Math.max(ink[at], Math.min(1, HALF_STROKE + 0.5 - distance));
    }
  }
  return ink;
}

function piecesOf(stroke) {
  return stroke.map((point, at) => [stroke[Math.max(at - 1, 0)], point]);
}

function distanceTo(from, to, x, y) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = dx * dx + dy * dy;
  const along = length > 0 ? Math.min(1, Math.max(0, ((x - from.x) * dx + (y - from.y) * dy) / length)) : 0;
  return Math.hypot(x - from.x - along * dx, y - from.y - along * dy);
}

function centreOfMass(ink) {
  let [mass, x, y] = [0, 0, 0];
  ink.forEach((amount, at) => {
    mass += amount;
    x += amount * ((at % PICTURE_SIDE) + 0.5);
    y += amount * (Math.floor(at / PICTURE_SIDE) + 0.5);
  });
  return { x: x / mass, y: y / mass };
}
