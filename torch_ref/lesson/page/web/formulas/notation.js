// Two ways to write the same formula: with the lecture's symbols, or with the numbers of this network.

import { expression, numeral, operand } from "./math.js";
import { nameOf } from "../numbers/walk.js";

/** The network's quantities as symbols. */
export function inSymbols(network) {
  const L = network.weights.length;
  const of = (kind, l, i, j) => expression(kind, { l, i, j });
  const from = (kind, l, i, j) => sourced(kind, sourceOf(kind, l, i, j), of(kind, l, i, j));
  const notation = {
    of,
    product: (a, b) => expression("beside", { a, b }),
    net: (l, i) => from("net", l, i),
    x: (l, i) => (l === L ? from("y", l, i) : from("x", l, i)),
    y: (i) => from("y", L, i),
    t: (i) => from("t", L, i),
    e: (l, i) => from("e", l, i),
    delta: (l, i) => from("delta", l, i),
    W: (l, i, j) => from("W", l, i, j),
    b: (l, i) => from("b", l, i),
    dW: (l, i, j) => from("dW", l, i, j),
    db: (l, i) => from("db", l, i),
    lr: () => sourced("lr", "η", expression("eta")),
    slope: (l, i) => expression("slope", { a: from("net", l, i) }),
  };
  notation.slopeFromOutput = (l, i) => ({
    sigmoid: () => expression("sigmoid-slope", { a: notation.x(l, i) }),
    tanh: () => expression("tanh-slope", { a: notation.x(l, i) }),
    relu: () => notation.slope(l, i),
  })[network.activation]();
  return { ...notation, bare: notation };
}

/** The network's quantities as numbers; `bare` writes negative ones without brackets. */
export function inNumbers(network, values) {
  const bare = numbersWritten(network, values, numeral);
  return { ...numbersWritten(network, values, operand), bare };
}

function numbersWritten(network, values, write) {
  const L = network.weights.length;
  const named = (...place) => values.get(nameOf(...place));
  const output = (l, i) => (l === 0 ? network.x[i - 1] : named(l === L ? "y" : "x", l, i));
  const from = (value, kind, l, i, j) => sourced(kind, sourceOf(kind, l, i, j), write(value));
  const computed = (kind) => (...place) => from(named(kind, ...place), kind, ...place);
  const notation = {
    product: (a, b) => expression("times", { a, b }),
    net: computed("net"),
    x: (l, i) => from(output(l, i), l === L ? "y" : "x", l, i),
    y: (i) => from(output(L, i), "y", L, i),
    t: (i) => from(network.t[i - 1], "t", L, i),
    e: computed("e"),
    delta: computed("delta"),
    W: (l, i, j) => from(network.weights[l - 1][i - 1][j - 1], "W", l, i, j),
    b: (l, i) => from(network.biases[l - 1][i - 1], "b", l, i),
    dW: computed("dW"),
    db: computed("db"),
    lr: () => sourced("lr", "η", write(network.lr)),
  };
  notation.slopeFromOutput = (l, i) => ({
    sigmoid: () => expression("sigmoid-slope-in-numbers", { a: notation.x(l, i) }),
    tanh: () => expression("tanh-slope", { a: numeral(output(l, i)) }),
    relu: () => numeral(output(l, i) > 0 ? 1 : 0),
  })[network.activation]();
  return notation;
}

/** Where a factor comes from: the name of a number, or of what the network was given. */
function sourceOf(kind, l, i, j) {
  return { t: `t_${i}`, W: `W^${l}_${i}${j}`, b: `b^${l}_${i}` }[kind] ?? nameOf(kind, l, i, j);
}

/** A factor that says where it comes from, for its colour and for what lights up with it. */
function sourced(kind, source, { math, text }) {
  return { math: `<mrow class="factor of-${kind}" data-of="${source}">${math}</mrow>`, text };
}

const RAISED_DIGITS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const LOWERED_DIGITS = "₀₁₂₃₄₅₆₇₈₉";

/** The lecture's name of a number as it is written by hand: W^1_21 is W¹₂₁. */
export function pretty(name) {
  return name.replace(/\^(\d+)/g, (_, digits) => inDigits(digits, RAISED_DIGITS)).replace(/_(\d+)/g, (_, digits) => inDigits(digits, LOWERED_DIGITS));
}

/** An index in small: 12 is ₁₂. */
export function lowered(index) {
  return inDigits(`${index}`, LOWERED_DIGITS);
}

function inDigits(digits, set) {
  return [...digits].map((digit) => set[digit]).join("");
}
