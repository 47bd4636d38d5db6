// The order in which a pass is walked, one number at a time, and the lecture's name of each number.

/** By what a walk depends on: the figures make hundreds of passes of one shape. */
const walks = new Map();

/**
 * Every number of a pass and an update, in order: forward, loss, backward, gradients, update.
 * @param {object} network
 * @returns {{name: string, phase: string, kind: string, l: ?number, i: ?number, j: ?number}[]}
 *   kind: net, x, y, L, e, delta, dW, db, W or b (after the update)
 */
export function walk(network) {
  const shape = `${network.sizes} ${network.loss} ${Boolean(network.biases)}`;
  if (!walks.has(shape)) {
    const all = [...forwardWalk(network), quantity("loss", "L"), ...backwardWalk(network), ...parameterWalk(network)];
    walks.set(shape, Object.freeze(all.map(Object.freeze)));
  }
  return walks.get(shape);
}

/**
 * The lecture's name of a number: net^1_2, y_1, δ^2_1, ∂L/∂W^1_21, W^1_21 after.
 * @param {string} kind
 * @param {?number} l
 * @param {?number} i
 * @param {?number} j
 * @returns {string}
 */
export function nameOf(kind, l = null, i = null, j = null) {
  const names = {
    net: `net^${l}_${i}`,
    x: `x^${l}_${i}`,
    y: `y_${i}`,
    L: "L",
    e: `e^${l}_${i}`,
    delta: `δ^${l}_${i}`,
    dW: `∂L/∂W^${l}_${i}${j}`,
    db: `∂L/∂b^${l}_${i}`,
    W: `W^${l}_${i}${j} after`,
    b: `b^${l}_${i} after`,
  };
  return names[kind];
}

/** The numbers 1 … n: the lecture counts units and layers from 1. */
export function upTo(n) {
  return Array.from({ length: n }, (_, index) => index + 1);
}

function quantity(phase, kind, l = null, i = null, j = null) {
  return { name: nameOf(kind, l, i, j), phase, kind, l, i, j };
}

function forwardWalk(network) {
  const L = network.weights.length;
  const softmax = network.loss === "cross-entropy";
  return upTo(L).flatMap((l) => {
    const nets = upTo(network.sizes[l]).map((i) => quantity("forward", "net", l, i));
    const outputs = upTo(network.sizes[l]).map((i) => quantity("forward", l === L ? "y" : "x", l, i));
    // Softmax needs every net of its layer before its first output; elsewhere a unit is finished before the next.
    return softmax && l === L ? [...nets, ...outputs] : nets.flatMap((net, at) => [net, outputs[at]]);
  });
}

function backwardWalk(network) {
  const L = network.weights.length;
  return upTo(L).reverse().flatMap((l) =>
    upTo(network.sizes[l]).flatMap((i) => {
      const delta = quantity("backward", "delta", l, i);
      // Behind a softmax E17 gives δ^L at once.
      return l === L && network.loss === "cross-entropy" ? [delta] : [quantity("backward", "e", l, i), delta];
    }),
  );
}

function parameterWalk(network) {
  const ofLayer = (phase, weight, bias) => (l) => [
    ...upTo(network.sizes[l]).flatMap((i) => upTo(network.sizes[l - 1]).map((j) => quantity(phase, weight, l, i, j))),
    ...(network.biases ? upTo(network.sizes[l]).map((i) => quantity(phase, bias, l, i)) : []),
  ];
  const layers = upTo(network.weights.length);
  return [...layers.flatMap(ofLayer("gradients", "dW", "db")), ...layers.flatMap(ofLayer("update", "W", "b"))];
}
