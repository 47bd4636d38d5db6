import { svgElement } from "./dom.js";
import { short } from "./numbers/format.js";

const MARGIN = { left: 62, right: 26, bottom: 44 };
const LEGEND_ROW = 20;
const LETTER_WIDTH = 8;
const SUPERSCRIPTS = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

/**
 * Return a line plot as an SVG element that is as wide as its container.
 *
 * - ``x``: ``{label, min, max}``, ``y``: ``{label, min, max, log}``; limits that are not given come from the points
 * - ``series``: ``[{name, points: [[x, y], …], color, dashed, dots}]``; an empty name stays out of the legend
 * - ``markers``: ``[{x, y, color, label, at: "above" | "below" | "left" | "right"}]``
 * - ``under``: what is drawn under the lines, given both scales: ``(across, up) => [element, …]``
 * - ``label``: what a screen reader says
 *
 * Values that are not finite, or not above 0 on a logarithmic axis, leave a gap in their line.
 */
export function plot({ width = 400, height = 270, x = {}, y = {}, series = [], markers = [], under = () => [], label }) {
  const key = plotLegend(series, width);
  const box = { left: MARGIN.left, top: key.height + (y.label ? LEGEND_ROW : 0) + 8, right: width - MARGIN.right, bottom: height - MARGIN.bottom };
  const across = axisScale(x, valuesOf(series, markers, 0), box.left, box.right);
  const up = axisScale(y, valuesOf(series, markers, 1), box.bottom, box.top);
  return svgElement(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, class: "plot", role: "img", "aria-label": label },
    key.drawing,
    horizontalTicks(up, box),
    verticalTicks(across, box),
    svgElement("text", { x: 4, y: box.top - 14, class: "axis-label" }, y.label ?? ""),
    svgElement("text", { x: box.right, y: height - 6, class: "axis-label", "text-anchor": "end" }, x.label ?? ""),
    clipped(box, [...under(across, up), ...series.map((one) => seriesLine(one, across, up))]),
    ...markers.filter((one) => up.shows(one.y) && across.shows(one.x)).map((one) => markerAt(one, across, up, box)),
  );
}

function valuesOf(series, markers, index) {
  const points = series.flatMap((one) => one.points);
  return [...points, ...markers.map((one) => [one.x, one.y])].map((point) => point[index]);
}

/** Return the scale of one axis: ``at(value)`` is its place, ``ticks`` are round values. */
function axisScale({ min, max, log = false }, values, start, end) {
  const shows = (value) => Number.isFinite(value) && (!log || value > 0);
  const place = log ? Math.log10 : (value) => value;
  const limits = [min, max].map((limit) => (limit === undefined ? undefined : place(limit)));
  const [low, high] = limitsOf(values.filter(shows).map(place), limits, log);
  const ticks = log ? decades(low, high) : roundValues(low, high);
  return { at: (value) => start + ((place(value) - low) / (high - low)) * (end - start), shows, ticks, log };
}

function limitsOf(places, [min, max], log) {
  let low = places.reduce((a, b) => Math.min(a, b), min ?? Infinity);
  let high = places.reduce((a, b) => Math.max(a, b), max ?? -Infinity);
  [low, high] = [min ?? (log ? Math.floor(low) : low), max ?? (log ? Math.ceil(high) : high)];
  if (!Number.isFinite(low) || !Number.isFinite(high)) {
    return [0, 1];
  }
  return low < high ? [low, high] : [low - 0.5, low + 0.5];
}

function roundValues(low, high) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return Array.from({ length: count }, (_, k) => {
    const value = (first + k) * step;
    return { value, text: digits > 4 || Math.abs(value) >= 1e6 ? short(value) : value.toFixed(digits).replace("-", "−") };
  });
}

function decades(low, high) {
  const every = Math.ceil((high - low) / 6);
  const first = Math.ceil(low / every) * every;
  const count = Math.floor((high - first) / every) + 1;
  return Array.from({ length: Math.max(count, 0) }, (_, k) => {
    const exponent = first + k * every;
    return { value: 10 ** exponent, text: `10${[...String(exponent)].map((digit) => SUPERSCRIPTS[digit]).join("")}` };
  });
}

function horizontalTicks(up, box) {
  return svgElement("g", { class: "ticks-y" }, ...up.ticks.map(({ value, text }) => {
    const at = up.at(value);
    const rule = svgElement("line", { x1: box.left, x2: box.right, y1: at, y2: at, class: "grid" });
    const name = svgElement("text", { x: box.left - 8, y: at + 5, "text-anchor": "end" }, text);
    return svgElement("g", { "data-value": value, "data-at": at }, rule, name);
  }));
}

function verticalTicks(across, box) {
  return svgElement("g", { class: "ticks-x" }, ...across.ticks.map(({ value, text }) => {
    const at = across.at(value);
    const rule = svgElement("line", { x1: at, x2: at, y1: box.bottom, y2: box.bottom + 5, class: "tick" });
    const name = svgElement("text", { x: at, y: box.bottom + 20, "text-anchor": "middle" }, text);
    return svgElement("g", { "data-value": value, "data-at": at }, rule, name);
  }));
}

/** Clip to the box by an SVG of its own: a clip path would need an id that is unique on the page. */
function clipped({ left, right, top, bottom }, lines) {
  const [width, height] = [right - left, bottom - top];
  const frame = svgElement("rect", { x: left, y: top, width, height, class: "frame" });
  const view = { x: left - 4, y: top - 4, width: width + 8, height: height + 8 };
  const clip = svgElement("svg", { ...view, viewBox: `${view.x} ${view.y} ${view.width} ${view.height}` }, ...lines);
  return svgElement("g", {}, frame, clip);
}

function seriesLine({ name = "", points, color = "var(--ink)", dashed = false, dots = false }, across, up) {
  const drawing = svgElement("g", { class: "series", "data-name": name });
  for (const run of unbroken(points, across, up)) {
    const places = run.map(([x, y]) => [across.at(x), up.at(y)]);
    const path = svgElement("polyline", { points: places.map((place) => place.join(",")).join(" "), style: `stroke: ${color}` });
    path.classList.toggle("dashed", dashed);
    const marked = dots || places.length === 1 ? places : [];
    drawing.append(path, ...marked.map(([cx, cy]) => svgElement("circle", { cx, cy, r: 3.5, style: `fill: ${color}` })));
  }
  return drawing;
}

/** Split points where a value cannot be drawn. */
function unbroken(points, across, up) {
  const runs = [[]];
  for (const [x, y] of points) {
    if (across.shows(x) && up.shows(y)) {
      runs.at(-1).push([x, y]);
    } else {
      runs.push([]);
    }
  }
  return runs.filter((run) => run.length > 0);
}

function markerAt({ x, y, color = "var(--accent)", label = "", at = "above" }, across, up, box) {
  const [cx, cy] = [across.at(x), Math.min(Math.max(up.at(y), box.top), box.bottom)];
  const [dx, dy, anchor] = { above: [0, -12, "middle"], below: [0, 23, "middle"], left: [-11, 5, "end"], right: [11, 5, "start"] }[at];
  const text = svgElement("text", { x: cx + dx, y: cy + dy, "text-anchor": anchor, class: "marker-label" }, label);
  return svgElement("g", { class: "marker" }, svgElement("circle", { cx, cy, r: 5.5, style: `fill: ${color}` }), text);
}

/** Return the names of the series in rows above the plot. */
function plotLegend(series, width) {
  const drawing = svgElement("g", { class: "plot-key" });
  let [x, y] = [4, LEGEND_ROW - 5];
  const named = series.filter((one) => one.name);
  for (const { name, color = "var(--ink)", dashed = false } of named) {
    const room = 34 + name.length * LETTER_WIDTH + 14;
    if (x > 4 && x + room > width) {
      [x, y] = [4, y + LEGEND_ROW];
    }
    const sample = svgElement("line", { x1: x, x2: x + 26, y1: y - 5, y2: y - 5, style: `stroke: ${color}` });
    sample.classList.toggle("dashed", dashed);
    drawing.append(sample, svgElement("text", { x: x + 34, y }, name));
    x += room;
  }
  return { drawing, height: named.length > 0 ? y + 8 : 0 };
}
