// Two ways to write the same formula: with the lecture's symbols, or with the numbers of this network.

import { expression, numeral, operand } from "./math.js";
import { nameOf } from "../numbers/walk.js";

/** The network's quantities as symbols. */
export function inSymbols(network) {
  const L = network.weights.length;
  const of = (kind, l, i, j) => expression(kind, { l, i, j });
  const notation = {
    of,
    product: (a, b) => expression("beside", { a, b }),
    net: (l, i) => of("net", l, i),
    x: (l, i) => (l === L ? of("y", l, i) : of("x", l, i)),
    y: (i) => of("y", L, i),
    t: (i) => of("t", L, i),
    e: (l, i) => of("e", l, i),
    delta: (l, i) => of("delta", l, i),
    W: (l, i, j) => of("W", l, i, j),
    b: (l, i) => of("b", l, i),
    dW: (l, i, j) => of("dW", l, i, j),
    db: (l, i) => of("db", l, i),
    lr: () => expression("eta"),
    slope: (l, i) => expression("slope", { a: of("net", l, i) }),
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
  const notation = {
    product: (a, b) => expression("times", { a, b }),
    net: (l, i) => write(named("net", l, i)),
    x: (l, i) => write(output(l, i)),
    y: (i) => write(output(L, i)),
    t: (i) => write(network.t[i - 1]),
    e: (l, i) => write(named("e", l, i)),
    delta: (l, i) => write(named("delta", l, i)),
    W: (l, i, j) => write(network.weights[l - 1][i - 1][j - 1]),
    b: (l, i) => write(network.biases[l - 1][i - 1]),
    dW: (l, i, j) => write(named("dW", l, i, j)),
    db: (l, i) => write(named("db", l, i)),
    lr: () => write(network.lr),
  };
  notation.slopeFromOutput = (l, i) => ({
    sigmoid: () => expression("sigmoid-slope-in-numbers", { a: notation.x(l, i) }),
    tanh: () => expression("tanh-slope", { a: numeral(output(l, i)) }),
    relu: () => numeral(output(l, i) > 0 ? 1 : 0),
  })[network.activation]();
  return notation;
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
