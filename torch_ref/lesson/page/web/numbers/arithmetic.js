// Backpropagation by hand, one sample at a time, in the lecture's formulas.
//
//   forward    E1    net_i = Σ_j W_ij x_j + b_i           E2   x_i = σ(net_i)
//   loss       E6    L = ½ Σ_k (t_k − y_k)²               E8   L = −Σ_k t_k ln y_k
//   backward   E13   e^L = t − y      E14   e^l_j = Σ_k W^(l+1)_kj δ^(l+1)_k      E15   δ_i = σ′(net_i) e_i
//   gradients  E12   ∂L/∂W_ij = −δ_i x_j                        ∂L/∂b_i = −δ_i
//   update     E9    W_ij ← W_ij − η ∂L/∂W_ij                   b_i ← b_i − η ∂L/∂b_i
//
// W[i][j] leads from unit j of the layer below to unit i. Arrays count from 0, the lecture from 1.

import { walk } from "./walk.js";

export const LINEAR = {
  forward: (W, b, x) => W.map((row, i) => sum(row.map((w, j) => w * x[j])) + (b ? b[i] : 0)), // E1
  error: (W, delta) => W[0].map((_, j) => sum(W.map((row, k) => row[j] * delta[k]))), // E14: Σ_k W_kj δ_k
  weight: (delta, x) => delta.map((d) => x.map((xj) => -d * xj)), // E12
  bias: (delta) => delta.map((d) => -d), // E12
};

export const ACTIVATIONS = {
  sigmoid: {
    forward: (net) => 1 / (1 + Math.exp(-net)), // E3
    error: (e, net, x) => e * (1 - x) * x, // E16: σ′(net) = x (1 − x)
  },
  tanh: {
    forward: (net) => Math.tanh(net),
    error: (e, net, x) => e * (1 - x * x), // σ′(net) = 1 − x²
  },
  relu: {
    forward: (net) => Math.max(0, net),
    error: (e, net, x) => (x > 0 ? e : 0), // σ′(net) = 1 if x > 0 else 0
  },
};

export const LOSSES = {
  "squared-error": {
    output: (x) => x, // y = x^L
    forward: (y, t) => sum(y.map((yk, k) => (t[k] - yk) * (t[k] - yk))) / 2, // E6
    error: (y, t) => y.map((yk, k) => t[k] - yk), // E13
  },
  "cross-entropy": {
    output: softmax, // E5
    forward: (net, t) => -sum(logSoftmax(net).map((lnY, k) => t[k] * lnY)), // E8
    error: (net, t) => softmax(net).map((yk, k) => t[k] - yk), // E17: already δ^L
  },
};

/**
 * Every number of a pass and an update, by the lecture's names, in the order of the walk.
 * @param {object} network
 * @param {?object} fault one wrong formula, of layer fault.l: { of, makes, wrong, l }
 * @returns {Map<string, number>}
 */
export function pass(network, fault = null) {
  const all = computed(network, fault);
  return new Map(walk(network).map(({ name, kind, l, i, j }) => [name, entryOf(all, kind, l, i, j)]));
}

/**
 * The network after one update (E9).
 * @param {object} network
 * @param {?object} fault
 * @returns {object}
 */
export function updated(network, fault = null) {
  const { W, b } = computed(network, fault);
  return { ...network, weights: W.slice(1), biases: network.biases && b.slice(1) };
}

/**
 * Just repeat: the network before the first of k updates and after each of them.
 * @param {object} network
 * @param {number} k
 * @returns {object[]} k + 1 networks
 */
export function repeated(network, k) {
  const networks = [network];
  for (let update = 1; update <= k; update++) networks.push(updated(networks.at(-1)));
  return networks;
}

/** All arrays of a pass and an update; entry l belongs to layer l, so that entry 0 is x^0 or empty. */
function computed(network, fault) {
  const { net, x } = passForward(network, fault);
  const loss = withFault(LOSSES[network.loss], lossNamed(network), fault);
  const output = x.at(-1);
  const { e, delta } = passBackward(network, fault, net, x, loss.error(output, network.t));
  return {
    net,
    x,
    y: loss.output(output),
    L: loss.forward(output, network.t),
    e,
    delta,
    ...parametersAfter(network, fault, delta, x),
  };
}

function passForward(network, fault) {
  const net = [null];
  const x = [network.x];
  network.weights.forEach((W, below) => {
    const l = below + 1;
    const activation = activationOf(network, l, fault);
    net[l] = linearOf(l, fault).forward(W, network.biases && network.biases[below], x[below]); // E1
    x[l] = activation ? net[l].map((z) => activation.forward(z)) : net[l]; // E2
  });
  return { net, x };
}

function passBackward(network, fault, net, x, lossError) {
  const L = network.weights.length;
  const e = [];
  const delta = [null];
  for (let l = L; l >= 1; l--) {
    e[l] = l === L ? lossError : linearOf(l + 1, fault).error(network.weights[l], delta[l + 1], x[l]); // E13, E14
    const activation = activationOf(network, l, fault);
    delta[l] = activation ? e[l].map((ei, i) => activation.error(ei, net[l][i], x[l][i])) : e[l]; // E15
  }
  return { e, delta };
}

function parametersAfter(network, fault, delta, x) {
  const after = { dW: [null], db: [null], W: [null], b: [null] };
  network.weights.forEach((W, below) => {
    const l = below + 1;
    const bias = network.biases && network.biases[below];
    const dW = (after.dW[l] = linearOf(l, fault).weight(delta[l], x[below])); // E12
    const db = (after.db[l] = bias && linearOf(l, fault).bias(delta[l]));
    after.W[l] = W.map((row, i) => row.map((w, j) => w - network.lr * dW[i][j])); // E9
    after.b[l] = bias && bias.map((bi, i) => bi - network.lr * db[i]);
  });
  return after;
}

function linearOf(l, fault) {
  return withFault(LINEAR, "linear", fault, l);
}

/** The activation of layer l; none for the last one where a softmax follows. */
function activationOf(network, l, fault) {
  const bare = network.loss === "cross-entropy" && l === network.weights.length;
  return bare ? null : withFault(ACTIVATIONS[network.activation], network.activation, fault, l);
}

/** The formulas, one of them replaced where the fault is theirs; a loss belongs to no layer. */
function withFault(formulas, of, fault, l = null) {
  const theirs = fault && fault.of === of && (l === null || fault.l === l);
  return theirs ? { ...formulas, [fault.makes]: fault.wrong } : formulas;
}

function lossNamed(network) {
  return network.loss === "cross-entropy" ? "entropy" : "squared";
}

function entryOf(all, kind, l, i, j) {
  if (kind === "L") return all.L;
  if (kind === "y") return all.y[i - 1];
  return j === null ? all[kind][l][i - 1] : all[kind][l][i - 1][j - 1];
}

/** E5. The largest net is taken off first: it cancels, and no power of e overflows. */
export function softmax(net) {
  const powers = shifted(net).map(Math.exp);
  return powers.map((power) => power / sum(powers));
}

/** ln y_k = net_k − ln Σ_j e^net_j, which keeps its digits where y_k is nearly 0. */
function logSoftmax(net) {
  const z = shifted(net);
  const logSum = Math.log(sum(z.map(Math.exp)));
  return z.map((zk) => zk - logSum);
}

function shifted(net) {
  return net.map((z) => z - Math.max(...net));
}

export function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
