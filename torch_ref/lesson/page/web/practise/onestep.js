// One number of the walk from the numbers that its formula reads, whatever these are: exact, rounded, or on screen.

import { ACTIVATIONS, LINEAR, softmax, sum } from "../numbers/arithmetic.js";
import { short } from "../numbers/format.js";
import { nameOf, upTo, walk } from "../numbers/walk.js";

/**
 * The numbers that a formula reads, by the lecture's letters; layer 0 is the input.
 * @param {object} network
 * @param {Map<string, number>} values numbers of the walk by name
 */
export function reader(network, values) {
  const last = network.weights.length;
  const named = (...place) => values.get(nameOf(...place));
  const unitOf = (l, i) => (l === last ? named("y", l, i) : named("x", l, i));
  return {
    last,
    bare: (l) => network.loss === "cross-entropy" && l === last, // a softmax takes the place of the activation
    units: (l) => upTo(network.sizes[l]),
    x: (l, i) => (l === 0 ? network.x[i - 1] : unitOf(l, i)),
    t: (i) => network.t[i - 1],
    W: (l, i, j) => network.weights[l - 1][i - 1][j - 1],
    b: (l, i) => (network.biases ? network.biases[l - 1][i - 1] : 0),
    net: (l, i) => named("net", l, i),
    e: (l, i) => named("e", l, i),
    delta: (l, i) => named("delta", l, i),
    dW: (l, i, j) => named("dW", l, i, j),
    db: (l, i) => named("db", l, i),
    activation: ACTIVATIONS[network.activation],
    lr: network.lr,
  };
}

/** By kind: the formula, given `reader`'s letters. */
const ONE_STEP = {
  net: (n, l, i) => sum(n.units(l - 1).map((j) => n.W(l, i, j) * n.x(l - 1, j))) + n.b(l, i),
  x: (n, l, i) => n.activation.forward(n.net(l, i)),
  y: (n, l, i) => (n.bare(l) ? softmax(n.units(l).map((k) => n.net(l, k)))[i - 1] : n.activation.forward(n.net(l, i))),
  L: (n) => (n.bare(n.last) ? -sum(outputs(n, (t, y) => (t ? t * Math.log(y) : 0))) : sum(outputs(n, (t, y) => (t - y) ** 2)) / 2),
  e: (n, l, i) => (l === n.last ? n.t(i) - n.x(l, i) : sum(n.units(l + 1).map((k) => n.W(l + 1, k, i) * n.delta(l + 1, k)))),
  delta: (n, l, i) => (n.bare(l) ? n.t(i) - n.x(l, i) : n.activation.error(n.e(l, i), n.net(l, i), n.x(l, i))),
  dW: (n, l, i, j) => LINEAR.weight([n.delta(l, i)], [n.x(l - 1, j)])[0][0],
  db: (n, l, i) => -n.delta(l, i),
  W: (n, l, i, j) => n.W(l, i, j) - n.lr * n.dW(l, i, j),
  b: (n, l, i) => n.b(l, i) - n.lr * n.db(l, i),
};

function outputs(n, termOf) {
  return n.units(n.last).map((k) => termOf(n.t(k), n.x(n.last, k)));
}

/** One number from the numbers before it. */
export function oneStep(network, values, { kind, l, i, j }) {
  return ONE_STEP[kind](reader(network, values), l, i, j);
}

/** The whole walk with every number rounded at once, and the rounded one calculated on with. */
export function roundedWalk(network, round) {
  const values = new Map();
  for (const place of walk(network)) values.set(place.name, round(oneStep(network, values, place)));
  return values;
}

/** A number with the digits that the page shows of it. */
export function asShown(value) {
  return Number(short(value).replaceAll("−", "-"));
}
