import { problemOf } from "./reading.js";

/** For a new weight: round, not 0, and another one for its neighbours. */
const NEW_WEIGHTS = [0.5, -0.4, 0.3, 0.7, -0.2, 0.6, -0.8, 0.1];
const NEW_INPUTS = [0.35, 0.9, 0.5, 0.2];

/** Return the network with other numbers of units; what stays keeps its numbers, what is new gets round ones. */
export function resized(network, sizes) {
  const weights = sizes.slice(1).map((size, at) => {
    const before = weightsBefore(network, sizes, at);
    return Array.from({ length: size }, (_, i) => filled(before?.[i], sizes[at], (j) => newWeight(at, i, j)));
  });
  const biases = network.biases && sizes.slice(1).map((size, at) => filled(network.biases[at], size, (i) => newWeight(at, i, 5)));
  const x = filled(network.x, sizes[0], (j) => NEW_INPUTS[j]);
  const t = filled(network.t, sizes.at(-1), () => (network.loss === "cross-entropy" ? 0 : 0.5));
  return consistent({ ...network, sizes, weights, biases, x, t });
}

/** Return the network with biases, 0 at first, or without. */
export function withBiases(network, wanted) {
  return { ...network, biases: wanted ? network.sizes.slice(1).map((size) => Array(size).fill(0)) : null };
}

/** Return the network with another loss; a softmax needs two outputs and targets that sum to 1. */
export function withLoss(network, loss) {
  const sizes = [...network.sizes];
  if (loss === "cross-entropy") sizes[sizes.length - 1] = Math.max(2, sizes.at(-1));
  return resized({ ...network, loss }, sizes);
}

/** Return the network with random numbers of two decimals. */
export function withRandomNumbers(network) {
  const draw = (most) => Math.round((2 * Math.random() - 1) * most * 100) / 100;
  const target = Math.floor(Math.random() * network.t.length);
  const entropy = network.loss === "cross-entropy";
  return {
    ...network,
    weights: network.weights.map((rows) => rows.map((row) => row.map(() => draw(1)))),
    biases: network.biases && network.biases.map((row) => row.map(() => draw(0.5))),
    x: network.x.map(() => draw(1)),
    t: network.t.map((_, k) => (entropy ? Number(k === target) : Math.round(Math.random() * 100) / 100)),
  };
}

/** A layer that keeps its place keeps its weights; the output layer, also where a layer comes or goes before it. */
function weightsBefore(network, sizes, at) {
  const isOutput = at === sizes.length - 2;
  return isOutput && sizes.length !== network.sizes.length ? network.weights.at(-1) : network.weights[at];
}

/** Return the first `length` numbers of a row, and where it has no more, those of `fill`. */
function filled(row, length, fill) {
  return Array.from({ length }, (_, at) => row?.[at] ?? fill(at));
}

function newWeight(at, i, j) {
  return NEW_WEIGHTS[(3 * at + 5 * i + 2 * j) % NEW_WEIGHTS.length];
}

/** Targets that make no sense for the loss become a single 1. */
function consistent(network) {
  return problemOf(network) ? { ...network, t: network.t.map((_, k) => Number(k === 0)) } : network;
}
