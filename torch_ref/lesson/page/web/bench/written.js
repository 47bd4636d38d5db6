// A network as a text for an address, 2-1;tanh;squared-error;weights,0.5,-1;x,1,2;t,0;lr,0.5, and back, to the last bit.

import { ACTIVATIONS, LOSSES } from "../numbers/arithmetic.js";
import { problemOf, readText } from "./reading.js";

/** Write a network with its sample; biases are left out where there are none. */
export function networkInText({ sizes, activation, loss, ...numbers }) {
  const digits = (value) => (Object.is(value, -0) ? "-0" : `${value}`);
  const lists = Object.entries(numbers).filter(([, values]) => values !== null);
  const written = lists.map(([key, values]) => [key, ...[values].flat(Infinity).map(digits)].join());
  return [sizes.join("-"), activation, loss, ...written].join(";");
}

/** Read a network that anybody may have written: return it, or what is wrong with it. */
export function networkFrom(text) {
  const [shape, activation, loss = "", ...lists] = text.split(";");
  if (!/^[1-4](-[1-4]){1,3}$/.test(shape)) return { problem: `expected 2 to 4 layers of 1 to 4 units, such as 2-2-1, got ${quotation(shape)}` };
  for (const [table, name = ""] of [[ACTIVATIONS, activation], [LOSSES, loss]]) {
    if (!Object.hasOwn(table, name)) return { problem: `expected ${Object.keys(table).join(" or ")}, got ${quotation(name)}` };
  }
  const sizes = shape.split("-").map(Number);
  if (loss === "cross-entropy" && sizes.at(-1) === 1) return { problem: "cross-entropy expects at least 2 outputs, got 1" };
  const { numbers, problem } = readLists(lists, sizes);
  const network = { sizes, activation, loss, ...numbers };
  const wrong = problem || problemOf(network).replace(/\.$/, "");
  return wrong ? { problem: wrong } : { network };
}

/** What somebody wrote, short enough to stand in a sentence. */
export function quotation(text) {
  return `“${text.length > 24 ? `${text.slice(0, 24)}…` : text}”`;
}

/** Read weights, biases, x, t and lr; of each as many numbers as the sizes ask for, and of biases perhaps none. */
function readLists(lists, sizes) {
  const given = new Map(lists.map((list) => list.split(",")).map(([key, ...texts]) => [key, texts]));
  const pairs = sizes.slice(1).map((size, at) => [size, sizes[at]]);
  const shapes = { weights: pairs, biases: pairs.map(([size]) => [size]), x: [sizes[0]], t: [sizes.at(-1)], lr: [] };
  const unknown = [...given.keys()].find((key) => !Object.hasOwn(shapes, key));
  if (unknown !== undefined) return { problem: `expected ${Object.keys(shapes).join(", ")}, got ${quotation(unknown)}` };
  const numbers = { weights: null, biases: null };
  for (const [key, shape] of Object.entries(shapes)) {
    if (key === "biases" && !given.has(key)) continue;
    const { values, problem } = readList(key, given.get(key) ?? [], countOf(shape));
    if (problem) return { problem };
    numbers[key] = inShape(values, shape);
  }
  return { numbers, problem: "" };
}

function readList(key, texts, count) {
  if (texts.length !== count) return { problem: `${key}: expected ${count} numbers, got ${texts.length}` };
  const read = texts.map((text) => ({ text, ...readText(text, key, key === "lr") }));
  const wrong = read.find(({ problem }) => problem);
  if (wrong) return { problem: `${key}: expected numbers that the page takes, such as 0.35, got ${quotation(wrong.text)}` };
  return { values: read.map(({ value }) => value) };
}

/** A shape is a list of lengths, [2, 3], or of the shapes of the layers. */
function countOf(shape) {
  const product = (lengths) => lengths.reduce((total, length) => total * length, 1);
  return Array.isArray(shape[0]) ? shape.map(product).reduce((a, b) => a + b) : product(shape);
}

/** Put numbers that stand in a row into layers and rows. */
function inShape(values, shape) {
  const rest = [...values];
  const filled = ([length, ...inner]) => (length === undefined ? rest.shift() : Array.from({ length }, () => filled(inner)));
  return Array.isArray(shape[0]) ? shape.map(filled) : filled(shape);
}
