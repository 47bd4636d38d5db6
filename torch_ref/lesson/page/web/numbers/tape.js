// Automatic differentiation: numbers that remember how they were made. The witness beside the arithmetic by hand.
//
// Every operation records its operands, and how fast its value changes with each of them. Walked backwards from the
// loss, these rates multiply along a path (E10) and add up over paths (E11). No formula of the lecture's backward pass
// is in here: δ and e are read off afterwards, as −∂L/∂net and −∂L/∂x.

import { upTo, walk } from "./walk.js";

/** A number on the tape; `from` lists [operand, rate]. */
const record = (value, from = []) => ({ value, from, grad: 0 });

const plus = (a, b) => record(a.value + b.value, [[a, 1], [b, 1]]);
const minus = (a, b) => record(a.value - b.value, [[a, 1], [b, -1]]);
const times = (a, b) => record(a.value * b.value, [[a, b.value], [b, a.value]]);
const over = (a, b) => record(a.value / b.value, [[a, 1 / b.value], [b, -a.value / b.value / b.value]]);
const logarithm = (a) => record(Math.log(a.value), [[a, 1 / a.value]]);
const rectified = (a) => record(a.value > 0 ? a.value : 0, [[a, a.value > 0 ? 1 : 0]]); // 0 at the kink, as in torch

function exponential(a) {
  const power = Math.exp(a.value);
  return record(power, [[a, power]]);
}

function hyperbolicTangent(a) {
  const cosh = Math.cosh(a.value);
  return record(Math.tanh(a.value), [[a, 1 / cosh / cosh]]);
}

const totalOf = (numbers) => numbers.reduce(plus);

/** Put ∂root/∂number into every number on the tape: whoever uses a number is finished before it. */
function walkBack(root) {
  root.grad = 1;
  for (const number of finishedFirst(root)) {
    for (const [operand, rate] of number.from) operand.grad += rate * number.grad;
  }
}

/** Every number that the root was made of, each after all that were made of it. */
function finishedFirst(root) {
  const order = [];
  const seen = new Set();
  (function visit(number) {
    if (seen.has(number)) return;
    seen.add(number);
    number.from.forEach(([operand]) => visit(operand));
    order.push(number);
  })(root);
  return order.reverse();
}

/** 1 / (1 + e^−z), or the same with e^z above and below where e^−z would overflow. */
function logistic(z) {
  const one = record(1);
  if (z.value >= 0) return over(one, plus(one, exponential(minus(record(0), z))));
  const power = exponential(z);
  return over(power, plus(one, power));
}

const UNIT = { sigmoid: logistic, tanh: hyperbolicTangent, relu: rectified };

/**
 * The numbers of a pass and an update by automatic differentiation, under the names that `pass` gives them.
 * @param {object} network
 * @returns {Map<string, number>}
 */
export function passByTape(network) {
  const tape = recorded(network);
  walkBack(tape.L);
  const read = {
    net: (l, i) => tape.net[l][i - 1].value,
    x: (l, i) => tape.x[l][i - 1].value,
    y: (l, i) => tape.y[i - 1].value,
    L: () => tape.L.value,
    e: (l, i) => -tape.x[l][i - 1].grad,
    delta: (l, i) => -tape.net[l][i - 1].grad,
    dW: (l, i, j) => tape.W[l][i - 1][j - 1].grad,
    db: (l, i) => tape.b[l][i - 1].grad,
    W: (l, i, j) => descended(tape.W[l][i - 1][j - 1], network.lr),
    b: (l, i) => descended(tape.b[l][i - 1], network.lr),
  };
  return new Map(walk(network).map(({ name, kind, l, i, j }) => [name, read[kind](l, i, j)]));
}

const descended = (parameter, lr) => parameter.value - lr * parameter.grad;

/** The same network, made of numbers on a tape; entry l of an array belongs to layer l. */
function recorded(network) {
  const numbers = (values) => values.map((value) => record(value));
  const W = [null, ...network.weights.map((rows) => rows.map(numbers))];
  const b = [null, ...(network.biases || []).map(numbers)];
  const net = [null];
  const x = [numbers(network.x)];
  const L = network.weights.length;
  const softmaxed = network.loss === "cross-entropy";
  for (const l of upTo(L)) {
    const weighted = W[l].map((row) => totalOf(row.map((w, j) => times(w, x[l - 1][j]))));
    net[l] = network.biases ? weighted.map((z, i) => plus(z, b[l][i])) : weighted;
    x[l] = softmaxed && l === L ? net[l] : net[l].map(UNIT[network.activation]);
  }
  return { W, b, net, x, ...(softmaxed ? tapedEntropy : tapedSquares)(x[L], numbers(network.t)) };
}

function tapedSquares(y, t) {
  const apart = y.map((yk, k) => minus(t[k], yk));
  return { y, L: over(totalOf(apart.map((d) => times(d, d))), record(2)) };
}

function tapedEntropy(net, t) {
  const largest = record(Math.max(...net.map((z) => z.value))); // cancels, so that its own rate is of no matter
  const z = net.map((netk) => minus(netk, largest));
  const powers = z.map(exponential);
  const sumOfPowers = totalOf(powers);
  const minusLn = z.map((zk) => minus(logarithm(sumOfPowers), zk));
  return { y: powers.map((power) => over(power, sumOfPowers)), L: totalOf(minusLn.map((lnk, k) => times(t[k], lnk))) };
}
