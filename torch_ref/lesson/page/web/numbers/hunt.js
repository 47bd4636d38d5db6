// "Spot the bug": which formula a seed spoils, which formulas are suspected, and four causes to choose from for each.

import { pass } from "./arithmetic.js";
import { tensorOf } from "./compare.js";
import { FAULTS, GENERAL_FAULTS, plant, spoiled } from "./faults.js";
import { drawsFrom, oneOf, shuffled } from "./random.js";
import { walk } from "./walk.js";

const CAUSES = 4;

/** A difference that a reader sees who calculates again with the six digits on the screen. */
const VISIBLE = 2e-5;

/**
 * The bug of a seed in a network.
 * @returns {{fault: object, guilty: string, suspects: string[], causes: Object<string, {title: string, right: boolean}[]>}}
 *   `guilty` is the tensor whose formula is wrong, `causes` are four for every suspect
 */
export function huntFor(network, seed) {
  const draw = drawsFrom(seed);
  const right = pass(network);
  const mistakes = mistakesOf(network, right);
  const suspects = [...new Set(walk(network).map(({ name }) => tensorOf(name)))].filter((tensor) => mistakes.has(tensor));
  const guilty = oneOf(suspects, draw);
  const truth = oneOf(mistakes.get(guilty), draw);
  const causes = suspects.map((tensor) => {
    const possible = mistakes.get(tensor);
    return [tensor, fourCauses(possible, tensor === guilty ? truth : oneOf(possible, draw), tensor === guilty, draw)];
  });
  return { fault: truth.fault, guilty, suspects, causes: Object.fromEntries(causes) };
}

const known = new WeakMap();

/** Every bug of a network is drawn from the same mistakes. */
function mistakesOf(network, right) {
  if (!known.has(network)) known.set(network, mistakesByTensor(network, right));
  return known.get(network);
}

/** The planted faults that show, with the numbers that they give, by the tensor whose formula they spoil. */
function mistakesByTensor(network, right) {
  const found = new Map();
  for (const fault of [...FAULTS, ...GENERAL_FAULTS].flatMap((one) => one.layers(network).map((l) => plant(one, l)))) {
    const [first] = spoiled(network, fault);
    if (first === undefined) continue;
    const tensor = tensorOf(first);
    const mistake = { title: fault.title, fault, values: entriesOf(tensor, pass(network, fault)) };
    const isSeenAtOnce = mistake.values.every((value) => value === 0);
    if (!isSeenAtOnce && visiblyApart(entriesOf(tensor, right), mistake.values)) found.set(tensor, [...(found.get(tensor) ?? []), mistake]);
  }
  return found;
}

/** A cause and three others that would give other numbers, in any order. */
function fourCauses(possible, first, isTrue, draw) {
  const chosen = [first];
  for (const one of shuffled(possible, draw)) {
    if (chosen.length < CAUSES && chosen.every(({ values }) => visiblyApart(values, one.values))) chosen.push(one);
  }
  return shuffled(chosen, draw).map((one) => ({ title: one.title, right: isTrue && one === first }));
}

function entriesOf(tensor, values) {
  return [...values].filter(([name]) => tensorOf(name) === tensor).map(([, value]) => value);
}

function visiblyApart(some, others) {
  return some.some((value, k) => !(Math.abs(value - others[k]) < VISIBLE));
}
