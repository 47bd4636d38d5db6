// The network of the chapter with the digit, 784-30-10, in float64: forward pass, loss, backward pass and update.
// Layers are counted as in the lecture, from 1: weights[1][i] is row i of W^1. Entry 0 of net, e and delta is empty.

/**
 * The network as it comes from Python: float32 numbers in base64, row by row, the lowest byte first.
 * @returns {{weights: Float64Array[][], biases: Float64Array[]}}
 */
export function decodedNetwork({ sizes, weights, biases }) {
  const rows = (numbers, width) => Array.from({ length: numbers.length / width }, (_, i) => numbers.subarray(i * width, (i + 1) * width));
  return {
    weights: [null, ...weights.map((text, at) => rows(decodedNumbers(text), sizes[at]))],
    biases: [null, ...biases.map(decodedNumbers)],
  };
}

/** The bytes of a picture as ink: no ink 0, full ink 1. */
export function decodedInk(text) {
  return Float64Array.from(bytesOf(text), (byte) => byte / 255);
}

function decodedNumbers(text) {
  const bytes = new DataView(bytesOf(text).buffer);
  return Float64Array.from({ length: bytes.byteLength / 4 }, (_, at) => bytes.getFloat32(4 * at, true));
}

function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/**
 * Forward pass: every net^l and x^l; x[0] is the input, the last one is y.
 * @param {Float64Array} input x^0
 */
export function digitForward({ weights, biases }, input) {
  const [net, x] = [[null], [input]];
  for (let l = 1; l < weights.length; l++) {
    net[l] = biases[l].map((bias, i) => bias + innerProduct(weights[l][i], x[l - 1])); // E1
    x[l] = net[l].map((z) => 1 / (1 + Math.exp(-z))); // E2, E3
  }
  return { net, x, y: x.at(-1) };
}

/**
 * Loss and backward pass: L, every e^l and δ^l.
 * @param forward what `digitForward` returned
 * @param {number} target the class at which the target t has its 1
 */
export function digitBackward({ weights }, { x, y }, target) {
  const error = y.map((confidence, k) => (k === target ? 1 : 0) - confidence); // E13: e^L_k = t_k − y_k
  const L = error.reduce((total, difference) => total + difference ** 2, 0) / 2; // E6
  const [e, delta] = [[null], [null]];
  for (let l = weights.length - 1; l > 0; l--) {
    e[l] = l === weights.length - 1 ? error : sentBack(weights[l + 1], delta[l + 1], x[l].length);
    delta[l] = e[l].map((received, i) => x[l][i] * (1 - x[l][i]) * received); // E15, E16
  }
  return { L, e, delta };
}

/** E14: e^l_i = Σ_k W^(l+1)_ki δ^(l+1)_k, for all units i. */
function sentBack(rows, delta, count) {
  const e = new Float64Array(count);
  rows.forEach((row, k) => row.forEach((weight, i) => (e[i] += weight * delta[k])));
  return e;
}

/** Forward pass and, where there is a target, the loss and the backward pass. */
export function digitPass(network, input, target) {
  const forward = digitForward(network, input);
  return target === null ? forward : { ...forward, ...digitBackward(network, forward, target) };
}

/**
 * The gradient of a batch: E12 summed over its samples (E7).
 * @param {object[]} passes of the samples, with the same weights
 * @param {number} share what the sum is multiplied by: 1/N for the mean
 */
export function gradientOver(passes, share = 1) {
  const total = (term) => share * passes.reduce((sum, pass) => sum + term(pass), 0);
  const [{ x, delta }] = passes;
  return {
    weights: delta.map((of, l) => of && Array.from(of, (_, i) => x[l - 1].map((_, j) => total((pass) => -pass.delta[l][i] * pass.x[l - 1][j])))),
    biases: delta.map((of, l) => of?.map((_, i) => total((pass) => -pass.delta[l][i]))),
  };
}

/** Return a new network, after one step of gradient descent (E9). */
export function oneStepDown({ weights, biases }, gradient, lr) {
  return {
    weights: weights.map((rows, l) => rows?.map((row, i) => row.map((weight, j) => weight - lr * gradient.weights[l][i][j]))),
    biases: biases.map((bias, l) => bias?.map((b, i) => b - lr * gradient.biases[l][i])),
  };
}

/** The length of a vector. */
export function norm(vector) {
  return Math.hypot(...vector);
}

function innerProduct(a, b) {
  let total = 0;
  for (let j = 0; j < a.length; j++) total += a[j] * b[j];
  return total;
}
