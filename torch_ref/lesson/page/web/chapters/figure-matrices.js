import { chip } from "../formulas/equations.js";
import { breakable } from "../formulas/breakable.js";
import { expression, joined, numeral, operand } from "../formulas/math.js";
import { DATA } from "../data.js";
import { choices } from "./dial.js";
import { element } from "../dom.js";

/** Write the layers of X1 out, entry by entry, for the input that the reader chooses. */
export function showMatricesFigure(figure) {
  const { network, inputs } = DATA.x1;
  const stage = element("div", { class: "sides" });
  const chosen = (k) => stage.replaceChildren(...network.weights.map((_, below) => layerWritten(inputs[k], below + 1)));
  const options = inputs.map(({ x }) => `(${x.map((value) => numeral(value).text).join(", ")})`);
  figure.prepend(choices({ legend: "input x⁰", name: "matrices-input", options, chosen }), stage);
}

function layerWritten({ x, numbers }, l) {
  const { sizes, weights, biases } = DATA.x1.network;
  const units = weights[l - 1].map((_, i) => i + 1);
  const below = l === 1 ? x : units.map((i) => numbers[`x^${l - 1}_${i}`]);
  const last = l === sizes.length - 1;
  const net = units.map((i) => numbers[`net^${l}_${i}`]);
  const out = units.map((i) => numbers[last ? `y_${i}` : `x^${l}_${i}`]);
  const sums = weights[l - 1].map((row, i) => weightedSum(row, below, biases[l - 1][i]));
  const [W, b, netOfLayer] = [matrixNamed("W", l), matrixNamed("b", l), matrixNamed("net", l)];
  const inNumbers = `${matrix(weights[l - 1].map((row) => row.map(numeral)))}${column(below)}<mo>+</mo>${column(biases[l - 1])}`;
  const product = [`${W}${matrixNamed("x", l - 1)}<mo>+</mo>${b}`, inNumbers];
  const written = [netOfLayer, ...product, matrix(sums.map((one) => [one]))].join("<mo>=</mo>");
  const output = `${last ? "<mi>y</mi><mo>=</mo>" : ""}${matrixNamed("x", l)}<mo>=</mo>${DATA.formulas.activation.replace("<mtext>@a</mtext>", netOfLayer)}`;
  return element("div", { class: "side" },
    element("h4", {}, `Layer ${l}`),
    writtenLine("E1", `${written}${sign([...below, ...net])}${column(net)}`),
    writtenLine("E2", `${output}${sign(out)}${column(out)}`));
}

function writtenLine(equation, math) {
  return element("p", { class: "written" }, chip(equation), " ", breakable(`<math>${math}</math>`));
}

/** Row i of the product, with its bias: Σ_j W_ij x_j + b_i (E1). */
function weightedSum(row, x, bias) {
  const products = row.map((w, j) => expression("times", { a: twoDecimals(w), b: twoDecimals(x[j]) }));
  return joined("sum", [...products, twoDecimals(bias)]);
}

function matrixNamed(letter, l) {
  return `<msup>${letter === "net" ? "<mtext>net</mtext>" : `<mi>${letter}</mi>`}<mn>${l}</mn></msup>`;
}

function column(values) {
  return matrix(values.map((value) => [numeral(rounded(value))]));
}

function matrix(rows) {
  const cells = (row) => row.map(({ math }) => `<mtd>${math}</mtd>`).join("");
  return `<mrow><mo>(</mo><mtable>${rows.map((row) => `<mtr>${cells(row)}</mtr>`).join("")}</mtable><mo>)</mo></mrow>`;
}

function twoDecimals(value) {
  return operand(rounded(value));
}

function rounded(value) {
  return Number(value.toFixed(2));
}

function sign(values) {
  return values.every((value) => value === rounded(value)) ? "<mo>=</mo>" : "<mo>≈</mo>";
}
