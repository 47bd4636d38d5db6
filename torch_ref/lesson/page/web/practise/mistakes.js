// What a wrong number comes from: the numbers that known mistakes lead to, the likeliest first.

import { ACTIVATIONS, pass, sum } from "../numbers/arithmetic.js";
import { tensorOf } from "../numbers/compare.js";
import { FAULTS, plant } from "../numbers/faults.js";
import { walk } from "../numbers/walk.js";
import { pretty } from "../formulas/notation.js";
import { oneStep, reader, roundedWalk } from "./onestep.js";

/**
 * @param {object} network
 * @param {object} place an entry of the walk
 * @param {Map<string, number>} values the right numbers
 * @returns {{name: string, title: string, hint: string, value: number}[]}
 */
export function mistakesAt(network, place, values) {
  const right = values.get(place.name);
  const planted = plantedIn(network).map(({ fault, numbers, sits }) => ({ ...fault, sits, value: numbers.get(place.name) }));
  const own = ({ sits }) => tensorOf(sits) === tensorOf(place.name);
  return [
    ...planted.filter(own),
    ...slips(network, place, values),
    { name: "sign", title: "The sign is wrong", hint: "Look at the sign.", value: -right },
    ...others(network, place, values),
    ...planted.filter((fault) => !own(fault)).map(earlier),
    ...FACTORS_OFF.map(([factor, title]) => ({ name: "factor", title, hint: "By which factor is it off?", value: factor * right })),
    ...roundedEarly(network, place, values),
  ];
}

const FACTORS_OFF = [
  [2, "Twice the right number"], [0.5, "Half of the right number"],
  [10, "The decimal point is a place too far to the right"], [0.1, "The decimal point is a place too far to the left"],
  [100, "The decimal point is two places too far to the right"], [0.01, "The decimal point is two places too far to the left"],
];

// -------------------------------------------------------------------------------------------------- planted faults

const cache = new WeakMap();

/** Every fault in every layer that it can be in: its numbers, and the first number that it changes. */
function plantedIn(network) {
  if (!cache.has(network)) {
    const right = pass(network);
    const everywhere = FAULTS.flatMap((fault) => fault.layers(network).map((l) => plant(fault, l)));
    cache.set(network, everywhere.map((fault) => plantedNumbers(network, fault, right)).filter(({ sits }) => sits));
  }
  return cache.get(network);
}

function plantedNumbers(network, fault, right) {
  const numbers = pass(network, fault);
  const sits = [...numbers.keys()].find((name) => numbers.get(name) !== right.get(name));
  return { fault, numbers, sits };
}

/** A fault of another formula: the right formula here, given a wrong number. */
function earlier(fault) {
  const where = `${pretty(fault.sits)} (${fault.equation})`;
  return { ...fault, title: `A mistake before this, in ${where}: ${fault.title}`, hint: `Look at ${where} once more. ${fault.hint}` };
}

// ----------------------------------------------------------------------------------- other numbers, rounded numbers

/** The value of another quantity, of the walk or given. */
function others(network, place, values) {
  const all = [...values, ...givens(network)].filter(([name, value]) => name !== place.name && value !== 0);
  return all.map(([name, value]) => ({
    name: "other", title: `That is ${pretty(name)}, not ${pretty(place.name)}`, hint: "It is the number of another quantity.", value,
  }));
}

/** What a network is given with, by the lecture's names. */
export function givens(network) {
  const list = (values, named) => values.map((value, at) => [named(at + 1), value]);
  return [
    ...list(network.x, (j) => `x^0_${j}`),
    ...network.weights.flatMap((rows, at) => rows.flatMap((row, i) => list(row, (j) => `W^${at + 1}_${i + 1}${j}`))),
    ...(network.biases ?? []).flatMap((row, at) => list(row, (i) => `b^${at + 1}_${i}`)),
    ...list(network.t, (k) => `t_${k}`),
    ["η", network.lr],
  ];
}

const decimals = (count) => (value) => Number(value.toFixed(count));
const significant = (count) => (value) => Number(value.toPrecision(count));

function roundedEarly(network, place, values) {
  const hint = "Keep more digits on the way: 5 or more. Round the last number only.";
  return [2, 3, 4].flatMap((count) =>
    [[decimals, "decimals"], [significant, "significant digits"]].flatMap(([rounding, words]) => {
      const round = rounding(count);
      const inputs = new Map([...values].map(([name, value]) => [name, round(value)]));
      const title = `Rounded too early, to ${count} ${words}`;
      return [inputs, roundedWalk(network, round)].map((rounded) => ({ name: "rounded", title, hint, value: oneStep(network, rounded, place) }));
    }));
}

// ----------------------------------------------------------------------------------------- slips in a single formula

const EVERY_TERM = "Is every term there?";
const EVERY_FACTOR = "Count the factors of the formula.";
const WHICH_UNIT = "Which unit does each factor belong to?";
const WHICH_FUNCTION = "Which function is applied?";

/** By kind: [the mistake in words, a hint, the wrong number]. */
const SLIPS = {
  net: (n, l, i) => [
    ...n.units(l - 1).map((j) => [`The term with ${pretty(`W^${l}_${i}${j}`)} is left out`, EVERY_TERM, n.net(l, i) - n.W(l, i, j) * n.x(l - 1, j)]),
    ["The weights are left out", EVERY_FACTOR, sum(n.units(l - 1).map((j) => n.x(l - 1, j))) + n.b(l, i)],
    ...(l > 1 ? [["net in place of x of the layer below", WHICH_FUNCTION, sum(n.units(l - 1).map((j) => n.W(l, i, j) * n.net(l - 1, j))) + n.b(l, i)]] : []),
  ],
  x: activationSlips,
  y: (n, l, i) => (n.bare(l) ? softmaxSlips(n, l, i) : activationSlips(n, l, i)),
  L: (n) => [
    ...n.units(n.last).map((k) => [`Only output ${k} is counted`, EVERY_TERM, (n.t(k) - n.x(n.last, k)) ** 2 / 2]),
    ["The differences are added up before they are squared", "What is squared?", sum(n.units(n.last).map((k) => n.t(k) - n.x(n.last, k))) ** 2 / 2],
    ["1 − y in place of y in the logarithm", "What is the logarithm of?", -sum(n.units(n.last).map((k) => n.t(k) && n.t(k) * Math.log(1 - n.x(n.last, k))))],
  ],
  e: (n, l, i) => (l === n.last ? [] : [
    ...n.units(l + 1).map((k) => [`The term with ${pretty(`δ^${l + 1}_${k}`)} is left out`, EVERY_TERM, n.e(l, i) - n.W(l + 1, k, i) * n.delta(l + 1, k)]),
    ["The weights are left out", EVERY_FACTOR, sum(n.units(l + 1).map((k) => n.delta(l + 1, k)))],
    ["e in place of δ of the layer above", EVERY_FACTOR, sum(n.units(l + 1).map((k) => n.W(l + 1, k, i) * n.e(l + 1, k)))],
  ]),
  delta: (n, l, i) => n.units(l).filter((k) => k !== i && !n.bare(l)).flatMap((k) => [
    [`σ′ of unit ${k} in place of unit ${i}`, WHICH_UNIT, n.activation.error(n.e(l, i), n.net(l, k), n.x(l, k))],
    [`The error of unit ${k} in place of unit ${i}`, WHICH_UNIT, n.activation.error(n.e(l, k), n.net(l, i), n.x(l, i))],
  ]),
  dW: (n, l, i, j) => [
    ["e in place of δ: σ′ is missing", EVERY_FACTOR, -n.e(l, i) * n.x(l - 1, j)],
    ["The output of the unit itself in place of the layer below", WHICH_UNIT, -n.delta(l, i) * n.x(l, i)],
    ["The weight in place of x", EVERY_FACTOR, -n.delta(l, i) * n.W(l, i, j)],
    ...(l > 1 ? [["net in place of x", WHICH_FUNCTION, -n.delta(l, i) * n.net(l - 1, j)]] : []),
  ],
  db: (n, l, i) => [["e in place of δ: σ′ is missing", EVERY_FACTOR, -n.e(l, i)]],
  W: (n, l, i, j) => updateSlips(n, n.W(l, i, j), n.dW(l, i, j)),
  b: (n, l, i) => updateSlips(n, n.b(l, i), n.db(l, i)),
};

function slips(network, { kind, l, i, j }, values) {
  return SLIPS[kind](reader(network, values), l, i, j).map(([title, hint, value]) => ({ name: "slip", title, hint, value }));
}

function activationSlips(n, l, i) {
  const net = n.net(l, i);
  const otherwise = Object.entries(ACTIVATIONS).filter(([, activation]) => activation !== n.activation);
  return [
    ["The activation is left out: that is net", WHICH_FUNCTION, net],
    ...otherwise.map(([name, activation]) => [`${name} is applied, which is another activation`, WHICH_FUNCTION, activation.forward(net)]),
    ["e^−net alone", "Is the whole of σ there?", Math.exp(-net)],
    ["1 + e^−net, without 1 / in front of it", "Is the whole of σ there?", 1 + Math.exp(-net)],
  ];
}

function softmaxSlips(n, l, i) {
  const nets = n.units(l).map((k) => n.net(l, k));
  return [
    ["e^net alone, not divided by the sum", "What do the outputs add up to?", Math.exp(nets[i - 1])],
    ["net in place of e^net", WHICH_FUNCTION, nets[i - 1] / sum(nets)],
    ...Object.entries(ACTIVATIONS).map(([name, activation]) => [`${name} in place of the softmax`, WHICH_FUNCTION, activation.forward(nets[i - 1])]),
  ];
}

function updateSlips(n, before, gradient) {
  return [
    ["A step up the gradient: η ∂L/∂… is added", "Look at the sign.", before + n.lr * gradient],
    ["η is left out", EVERY_FACTOR, before - gradient],
    ["The step alone, without the number before", EVERY_TERM, n.lr * gradient],
    ["The step alone, without the number before", EVERY_TERM, -n.lr * gradient],
  ];
}
