/** Return the network with other numbers of units; what stays keeps its numbers, what is new gets round ones. */
export function resized(network, sizes) {
  const kept = (row, length, fill) => Array.from({ length }, (_, at) => row?.[at] ?? fill(at));
  const weights = sizes.slice(1).map((size, at) =>
    kept(sameLayer(network, sizes, at)?.map((row) => kept(row, sizes[at], (j) => roundNumber(at, 1, j))), size, (i) => kept([], sizes[at], (j) => roundNumber(at, i, j))));
  const biases = network.biases && sizes.slice(1).map((size, at) => kept(network.biases[at], size, (i) => roundNumber(at, i, 5)));
  const t = kept(network.t, sizes.at(-1), () => (network.loss === "cross-entropy" ? 0 : 0.5));
  return consistent({ ...network, sizes, weights, biases, x: kept(network.x, sizes[0], (j) => [0.35, 0.9, 0.5, 0.2][j]), t });
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

/** Return the network with random numbers of one or two decimals. */
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

/** A layer that keeps its place keeps its weights; the output layer keeps them where a layer is put in before it. */
function sameLayer(network, sizes, at) {
  const fromTheEnd = at === sizes.length - 2 && sizes.length !== network.sizes.length;
  return fromTheEnd ? network.weights.at(-1) : network.weights[at];
}

function consistent(network) {
  if (network.loss !== "cross-entropy" || Math.abs(network.t.reduce((a, b) => a + b, 0) - 1) < 1e-9) return network;
  return { ...network, t: network.t.map((_, k) => Number(k === 0)) };
}

/** A number for a new weight: round, not 0, and another one for its neighbours. */
function roundNumber(at, i, j) {
  return ([0.5, -0.4, 0.3, 0.7, -0.2, 0.6, -0.8, 0.1][(3 * at + 5 * i + 2 * j) % 8]);
}
