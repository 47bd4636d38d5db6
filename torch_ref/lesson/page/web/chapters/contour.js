import { svgElement } from "../dom.js";

/** Return the values of a function of two numbers on a square grid; ``limits`` are those of both axes. */
export function fieldOver([xLimits, yLimits], cells, value) {
  const along = ([from, to]) => Array.from({ length: cells + 1 }, (_, k) => from + ((to - from) * k) / cells);
  return along(yLimits).map((y) => along(xLimits).map((x) => ({ x, y, value: value(x, y) })));
}

/** Return what draws a plot's background: every cell in a colour, the stronger the nearer its value is to 1. */
export function shades(field, color) {
  return (across, up) =>
    cellsOf(field).map((corners) => {
      const [a, , , d] = corners.map(({ x, y }) => [across.at(x), up.at(y)]);
      const share = corners.reduce((total, { value }) => total + value, 0) / 4;
      const place = { x: a[0], y: d[1], width: d[0] - a[0], height: a[1] - d[1] };
      return svgElement("rect", { ...place, class: "shade", style: `fill: ${color}; fill-opacity: ${share.toFixed(3)}` });
    });
}

/** Return what draws lines of equal value into a plot, for levels ``{at, text}``; a text that has no room is left out. */
export function contourLines(field, levels) {
  const triangles = cellsOf(field).flatMap(([a, b, c, d]) => [[a, b, c], [b, d, c]]);
  return (across, up) => {
    const named = [];
    return levels.flatMap(({ at, text }) => {
      const lines = triangles.map((corners) => cut(corners, at)).filter((ends) => ends.length === 2).map((ends) => ends.map(([x, y]) => [across.at(x), up.at(y)]));
      if (lines.length === 0) return [];
      const [right, high] = lines.flat().reduce((most, place) => (place[0] > most[0] ? place : most));
      const [x, y] = [right - 4, Math.max(high - 3, up.at(field.at(-1)[0].y) + 15)];
      const path = svgElement("path", { d: lines.map((ends) => `M${ends.join("L")}`).join(""), class: "contour" });
      if (named.some((one) => Math.abs(one.x - x) < 30 && Math.abs(one.y - y) < 14)) return [path];
      named.push({ x, y });
      return [path, svgElement("text", { x, y, "text-anchor": "end", class: "marker-label" }, text)];
    });
  };
}

function cellsOf(field) {
  return field.slice(1).flatMap((above, j) => above.slice(1).map((d, i) => [field[j][i], field[j][i + 1], above[i], d]));
}

/** Return where the sides of a triangle have the level: at two places or nowhere. */
function cut(corners, level) {
  return corners.flatMap((from, k) => {
    const to = corners[(k + 1) % 3];
    const share = (level - from.value) / (to.value - from.value);
    return share >= 0 && share < 1 ? [[from.x + share * (to.x - from.x), from.y + share * (to.y - from.y)]] : [];
  });
}
