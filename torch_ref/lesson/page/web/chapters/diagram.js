import { svgElement } from "../dom.js";

const CIRCLE_RADIUS = 24;

/** Return a frame for circles and arrows, as wide as its container. */
export function diagram(width, height, label, ...parts) {
  return svgElement("svg", { viewBox: `0 0 ${width} ${height}`, class: "diagram", role: "img", "aria-label": label }, ...parts);
}

/** Return a circle with its letter inside, and lines of text below it, or above it. */
export function circle([x, y], letter, lines = [], { color = "var(--ink)", above = false } = {}) {
  const first = above ? y - CIRCLE_RADIUS - 9 - 18 * (lines.length - 1) : y + CIRCLE_RADIUS + 19;
  return svgElement(
    "g",
    {},
    svgElement("circle", { cx: x, cy: y, r: CIRCLE_RADIUS, class: "circle", style: `stroke: ${color}` }),
    svgElement("text", { x, y: y + 6, "text-anchor": "middle", class: "letter" }, letter),
    ...lines.map((text, k) => textAt([x, first + 18 * k], text)),
  );
}

/** Return an arrow between two places, from ``from`` off its start to ``short`` of its end, with text beside its middle. */
export function flow([x1, y1], [x2, y2], { color = "var(--ink)", text = "", beside = [0, -10, "middle"], from = CIRCLE_RADIUS, short = CIRCLE_RADIUS } = {}) {
  const length = Math.hypot(x2 - x1, y2 - y1);
  const [ux, uy] = [(x2 - x1) / length, (y2 - y1) / length];
  const [sx, sy, ex, ey] = [x1 + ux * from, y1 + uy * from, x2 - ux * (short + 3), y2 - uy * (short + 3)];
  const wing = (side) => `${ex - 10 * ux + side * 5 * uy},${ey - 10 * uy - side * 5 * ux}`;
  return svgElement(
    "g",
    { style: `color: ${color}` },
    svgElement("line", { x1: sx, y1: sy, x2: ex - 8 * ux, y2: ey - 8 * uy, class: "arrow" }),
    svgElement("polygon", { points: `${ex},${ey} ${wing(1)} ${wing(-1)}`, class: "arrow-head" }),
    textAt([(sx + ex) / 2 + beside[0], (sy + ey) / 2 + beside[1]], text, beside[2]),
  );
}

/** Return an amplifier, a triangle that points where the signal goes: "left" or "down". */
export function amplifier([x, y], points) {
  const corners = { left: [[-20, 0], [16, -21], [16, 21]], down: [[0, 20], [-21, -16], [21, -16]] }[points];
  const places = corners.map(([dx, dy]) => `${x + dx},${y + dy}`).join(" ");
  return svgElement("polygon", { points: places, class: "amplifier" });
}

/** Return a line of text around a place. */
export function textAt([x, y], text, anchor = "middle") {
  return svgElement("text", { x, y, "text-anchor": anchor }, text);
}
