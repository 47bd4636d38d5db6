// Ten kinds of exercises that grow harder. A seed gives the numbers, two decimals each, so that paper is enough.

import { DATA } from "../data.js";
import { walk } from "../numbers/walk.js";
import { drawsFrom } from "../numbers/random.js";

export const MOST_SEED = 2 ** 32 - 1;

const USUAL = { sizes: [2, 2, 1], activation: "sigmoid", loss: "squared-error", biases: true };

/** Title, what differs from USUAL, patterns of the names that are given and asked, and the phase of what is asked. */
export const KINDS = [
  ["The total input of a hidden unit", { x2: true }, "^$", "^net\\^1_1"],
  ["The output of a hidden unit", { biases: false }, "^$", "\\^1_2$", "forward"],
  ["The answer and the loss", {}, "^x", "^(net\\^2|y|L)"],
  ["δ of an output unit", {}, "^y", "\\^2_1$", "backward"],
  ["Gradients of the last layer", {}, "^(x|δ\\^2)", "\\^2_", "gradients"],
  ["The update", {}, "^∂L/∂.\\^2", "\\^2_", "update"],
  ["Back to a hidden unit", { sizes: [2, 2, 2] }, "^(x|δ\\^2)", "\\^1_1$", "backward"],
  ["Another activation", { activation: "tanh" }, "^(x|δ\\^2)", "^(e\\^1_1|δ\\^1_1|∂L/∂W\\^1_1)"],
  ["Softmax and cross-entropy", { sizes: [2, 3], loss: "cross-entropy" }, "^net", "^(y|L|δ)"],
  ["A whole backward pass", { sizes: [2, 3, 2] }, "^(x|y)", "", "backward"],
];

/**
 * The exercise of a seed with that number; from 11 on the kinds come again, with other numbers.
 * @returns {{number: number, title: string, network: object, given: string[], asked: string[]}}
 */
export function exercise(seed, number) {
  const [title, settings, gives, asks, phase] = KINDS[(number - 1) % KINDS.length];
  const network = drawnNetwork({ ...USUAL, ...settings }, drawsFrom(seed + Math.imul(number, 0x9e3779b9)));
  const named = (pattern) => walk(network).filter(({ name }) => new RegExp(pattern).test(name));
  const asked = named(asks).filter((place) => !phase || place.phase === phase).map(({ name }) => name);
  const given = named(gives).map(({ name }) => name);
  return { number, title, network, given, asked };
}

function drawnNetwork({ sizes, activation, loss, biases, x2 }, random) {
  const hundredths = (least, most) => (least + Math.floor(random() * (most - least + 1))) / 100;
  const signed = (least, most) => (random() < 0.4 ? -1 : 1) * hundredths(least, most);
  const listOf = (length, draw) => Array.from({ length }, draw);
  const x = listOf(sizes[0], () => hundredths(10, 100));
  if (x2) return { ...DATA.x2.network, x };
  const target = Math.floor(random() * sizes.at(-1));
  return {
    sizes, activation, loss, x, lr: 0.5,
    weights: sizes.slice(1).map((size, below) => listOf(size, () => listOf(sizes[below], () => signed(10, 100)))),
    biases: biases ? sizes.slice(1).map((size) => listOf(size, () => signed(5, 50))) : null,
    t: listOf(sizes.at(-1), (_, k) => (loss === "cross-entropy" ? Number(k === target) : hundredths(5, 95))),
  };
}
