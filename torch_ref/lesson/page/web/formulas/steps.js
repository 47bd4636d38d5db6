// The steps of a pass: for each number its formula, in the lecture's symbols and with this network's numbers put in.

import { cited } from "../numbers/cited.js";
import { expression, joined, mathElement, numeral } from "./math.js";
import { inNumbers, inSymbols } from "./notation.js";
import { upTo, walk } from "../numbers/walk.js";

/**
 * One step for each number of the walk.
 * @param {object} network
 * @param {Map<string, number>} values what `pass` gave for the network, with or without a fault; of a number that is
 *   left out the formula says "= ?"
 * @returns {{name: string, phase: string, equation: string, l: ?number, i: ?number, j: ?number, title: string,
 *   symbols: string, numbers: string, text: string, textNumbers: string,
 *   units: string[], edges: string[], biases: string[]}[]}
 *   `equation` is how the formula is cited; `symbols` and `numbers` are MathML, `text` and `textNumbers` the same in plain text
 */
export function steps(network, values) {
  const symbol = inSymbols(network);
  const number = inNumbers(network, values);
  return walk(network).map(({ name, phase, kind, l, i, j }) => {
    const recipe = RECIPES[kind];
    const left = symbol.of(kind, l, i, j);
    const link = phase === "update" ? "becomes" : "equal";
    const before = recipe.before?.(symbol, network, l, i) ?? null;
    const symbols = chain(link, left, before, recipe.right(symbol, network, l, i, j));
    const [calculated, value] = [recipe.right(number, network, l, i, j), values.has(name) ? numeral(values.get(name)) : UNKNOWN];
    const numbers = chain(link, left, calculated.text === value.text ? null : calculated, value);
    return {
      name, phase, l, i, j,
      equation: recipe.equation(network, l),
      title: recipe.title(network, l, i, j),
      symbols: mathElement(symbols, "block"),
      numbers: mathElement(numbers, "block"),
      text: symbols.text,
      textNumbers: numbers.text,
      ...takingPart(recipe, network, l, i, j),
    };
  });
}

const UNKNOWN = { math: "<mi>?</mi>", text: "?" };

/** left = middle = right, or left = right without a middle; an update begins with an arrow. */
function chain(link, left, ...others) {
  const [first, ...rest] = others.filter((side) => side !== null);
  return joined("equal", [expression(link, { a: left, b: first }), ...rest]);
}

function takingPart(recipe, network, l, i, j) {
  return { units: [], edges: [], biases: [], ...recipe.where(network, l, i, j) };
}

// ------------------------------------------------------------------------------------------------------- in words

const lastOf = (network) => network.weights.length;
const softmaxIn = (network, l) => network.loss === "cross-entropy" && l === lastOf(network);

function unitInWords(network, l, i) {
  if (l === lastOf(network)) return `output unit ${i}`;
  return l === 0 ? `input ${i}` : `unit ${i} of layer ${l}`;
}

// ------------------------------------------------------------------------------------------- ids on the drawing

const unitId = (l, i) => `unit-${l}-${i}`;
const edgeId = (l, i, j) => `edge-${l}-${i}-${j}`;
const biasId = (l, i) => `bias-${l}-${i}`;
const unitIds = (network, l) => upTo(network.sizes[l]).map((i) => unitId(l, i));

// ------------------------------------------------------------------------------------------------- the formulas
// `right` is the right-hand side in a notation, symbols or numbers; `before` stands between it and the left in symbols.

const RECIPES = {
  net: {
    equation: () => cited("linear", "forward"),
    title: (network, l, i) =>
      `Total input of ${unitInWords(network, l, i)}: what comes in, weighted${network.biases ? ", and its bias" : ""}`,
    right: (n, network, l, i) => {
      const weighted = upTo(network.sizes[l - 1]).map((j) => n.product(n.W(l, i, j), n.x(l - 1, j)));
      return joined("sum", network.biases ? [...weighted, n.b(l, i)] : weighted);
    },
    where: (network, l, i) => ({
      units: [...unitIds(network, l - 1), unitId(l, i)],
      edges: upTo(network.sizes[l - 1]).map((j) => edgeId(l, i, j)),
      biases: network.biases ? [biasId(l, i)] : [],
    }),
  },
  x: {
    equation: (network) => cited(network.activation, "forward"),
    title: (network, l, i) => `Output of ${unitInWords(network, l, i)}`,
    before: (n, network, l, i) => expression("activation", { a: n.net(l, i) }),
    right: activated,
    where: (network, l, i) => ({ units: [unitId(l, i)] }),
  },
  y: {
    equation: (network, l) => (softmaxIn(network, l) ? cited(network.loss, "output") : cited(network.activation, "forward")),
    title: (network, l, i) =>
      softmaxIn(network, l) ? `Softmax: the share of output unit ${i}` : `Output unit ${i} answers: its output`,
    before: (n, network, l, i) => (softmaxIn(network, l) ? null : expression("activation", { a: n.net(l, i) })),
    right: (n, network, l, i) => (softmaxIn(network, l) ? share(n, network, l, i) : activated(n, network, l, i)),
    where: (network, l, i) => ({ units: softmaxIn(network, l) ? unitIds(network, l) : [unitId(l, i)] }),
  },
  L: {
    equation: (network) => cited(network.loss, "forward"),
    title: () => "The loss: how far the answer is from the target",
    right: (n, network) => (network.loss === "cross-entropy" ? crossEntropy(n, network) : squaredError(n, network)),
    where: (network) => ({ units: [...unitIds(network, lastOf(network)), "loss"] }),
  },
  e: {
    equation: (network, l) => (l === lastOf(network) ? cited(network.loss, "error") : cited("linear", "error")),
    title: (network, l, i) =>
      l === lastOf(network) ? `Error of output unit ${i}: target minus answer` : `What reaches unit ${i} of layer ${l}`,
    right: (n, network, l, i) => (l === lastOf(network) ? difference(n.t(i), n.x(l, i)) : propagated(n, network, l, i)),
    where: (network, l, i) => {
      if (l === lastOf(network)) return { units: [unitId(l, i), "loss"] };
      const edges = upTo(network.sizes[l + 1]).map((k) => edgeId(l + 1, k, i));
      return { units: [...unitIds(network, l + 1), unitId(l, i)], edges };
    },
  },
  delta: {
    equation: (network, l) => (softmaxIn(network, l) ? cited(network.loss, "error") : cited(network.activation, "error")),
    title: deltaInWords,
    before: (n, network, l, i) => {
      const atOnce = softmaxIn(network, l) || network.activation === "relu"; // whose σ′ has no formula of its own
      return atOnce ? null : n.product(n.slope(l, i), n.e(l, i));
    },
    right: (n, network, l, i) =>
      softmaxIn(network, l) ? difference(n.t(i), n.y(i)) : n.product(n.slopeFromOutput(l, i), n.e(l, i)),
    where: (network, l, i) => ({ units: softmaxIn(network, l) ? [unitId(l, i), "loss"] : [unitId(l, i)] }),
  },
  dW: {
    equation: () => cited("linear", "weight"),
    title: (network, l, i, j) =>
      `Gradient of the weight from ${unitInWords(network, l - 1, j)} to ${unitInWords(network, l, i)}`,
    right: (n, network, l, i, j) => n.product(expression("negative", { a: n.delta(l, i) }), n.x(l - 1, j)),
    where: (network, l, i, j) => ({ units: [unitId(l - 1, j), unitId(l, i)], edges: [edgeId(l, i, j)] }),
  },
  db: {
    equation: () => cited("linear", "bias"),
    title: (network, l, i) => `Gradient of the bias of ${unitInWords(network, l, i)}`,
    right: (n, network, l, i) => expression("negative", { a: n.delta(l, i) }),
    where: (network, l, i) => ({ units: [unitId(l, i)], biases: [biasId(l, i)] }),
  },
  W: {
    equation: () => "E9",
    title: (network, l, i, j) =>
      `New weight from ${unitInWords(network, l - 1, j)} to ${unitInWords(network, l, i)}: a step against the gradient`,
    right: (n, network, l, i, j) => difference(n.W(l, i, j), n.product(n.lr(), n.dW(l, i, j))),
    where: (network, l, i, j) => ({ edges: [edgeId(l, i, j)] }),
  },
  b: {
    equation: () => "E9",
    title: (network, l, i) => `New bias of ${unitInWords(network, l, i)}: a step against the gradient`,
    right: (n, network, l, i) => difference(n.b(l, i), n.product(n.lr(), n.db(l, i))),
    where: (network, l, i) => ({ biases: [biasId(l, i)] }),
  },
};

function activated(n, network, l, i) {
  return expression(network.activation, { a: network.activation === "sigmoid" ? n.net(l, i) : n.bare.net(l, i) });
}

function share(n, network, l, i) {
  const power = (k) => expression("exponential", { a: n.bare.net(l, k) });
  return expression("softmax", { a: power(i), b: joined("sum", upTo(network.sizes[l]).map(power)) });
}

function squaredError(n, network) {
  const squares = network.t.map((_, k) => expression("square-of-difference", { a: n.t(k + 1), b: n.y(k + 1) }));
  const all = joined("sum", squares);
  return expression("half", { a: squares.length === 1 ? all : expression("bracket", { a: all }) });
}

function crossEntropy(n, network) {
  const terms = network.t.map((_, k) => n.product(n.t(k + 1), expression("logarithm", { a: n.bare.y(k + 1) })));
  const all = joined("sum", terms);
  return expression("negative", { a: terms.length === 1 ? all : expression("bracket", { a: all }) });
}

function propagated(n, network, l, i) {
  return joined("sum", upTo(network.sizes[l + 1]).map((k) => n.product(n.W(l + 1, k, i), n.delta(l + 1, k))));
}

function difference(a, b) {
  return expression("difference", { a, b });
}

function deltaInWords(network, l, i) {
  if (softmaxIn(network, l)) return `δ of output unit ${i}: target minus answer, the slope of the softmax included`;
  if (l === lastOf(network)) return `δ of output unit ${i}: its slope σ′ times its error`;
  return `δ of unit ${i} of layer ${l}: its slope σ′ times what comes back`;
}
