// Mistakes that people make in a backward pass: each is one formula of arithmetic.js gone wrong. Their names are those
// of the checker's FAULTS; here are the faults that one sample shows, in formulas for one sample.

import { ACTIVATIONS, LINEAR, LOSSES, pass, softmax, sum } from "./arithmetic.js";
import { cited } from "./cited.js";
import { upTo } from "./walk.js";

const CITED_AS = { squared: "squared-error", entropy: "cross-entropy" };
const transposed = (W) => W[0].map((_, j) => W.map((row) => row[j]));
const logisticSlope = (x) => x * (1 - x);
const sigmoid = ACTIVATIONS.sigmoid.forward;
const entropyOf = LOSSES["cross-entropy"].forward;
const squareOf = LOSSES["squared-error"].forward;

// ------------------------------------------------------------------------------------ where a fault can be planted

const anyLayer = (network) => upTo(network.weights.length);
const withBias = (network) => (network.biases ? anyLayer(network) : []);
const square = ({ weights, sizes }) => upTo(weights.length).filter((l) => sizes[l] === sizes[l - 1] && sizes[l] > 1);
/** The error of a layer's input reaches the layer below; nothing is below layer 1. */
const aboveFirst = (network) => anyLayer(network).slice(1);
const squareAboveFirst = (network) => square(network).filter((l) => l > 1);
const activationIs = (activation) => (network) => (network.activation === activation ? activatedLayers(network) : []);
/** A softmax takes the place of the last activation. */
const activatedLayers = (network) => anyLayer(network).slice(0, network.loss === "cross-entropy" ? -1 : undefined);
const lossIs = (loss) => (network) => (network.loss === loss ? [network.weights.length] : []);

// ------------------------------------------------------------------------------------------------------ the faults

const SIGNED = "Look at the sign.";
const FACTORS = "Count the factors of the formula.";

// Whose formula, what it makes, where it can be: then each name, the mistake in words, a hint, and the wrong formula.
const GROUPS = [
  ["linear", "forward", anyLayer, [
    ["forward-transposed", "W is read by columns: unit i takes W_ji for W_ij", "Which weight leads where?",
      (W, b, x) => LINEAR.forward(transposed(W), b, x), square],
    ["forward-no-bias", "The bias is left out of net", "Is every term there?",
      (W, b, x) => LINEAR.forward(W, null, x), withBias],
    ["forward-bias-sign", "The bias is subtracted", SIGNED,
      (W, b, x) => LINEAR.forward(W, b.map((bi) => -bi), x), withBias],
    ["forward-bias-twice", "The bias is added twice", "Is every term there once?",
      (W, b, x) => LINEAR.forward(W, b.map((bi) => bi + bi), x), withBias],
  ]],
  ["linear", "error", aboveFirst, [
    ["error-transposed", "The δ come back along the wrong edges: W_ik for W_ki", "Which weight leads where?",
      (W, delta) => LINEAR.error(transposed(W), delta), squareAboveFirst],
    ["error-sign", "What comes back has the wrong sign", SIGNED,
      (W, delta) => LINEAR.error(W, delta).map((e) => -e)],
    ["error-no-weights", "The δ come back without the weights", FACTORS,
      (W, delta) => [...delta], squareAboveFirst],
    ["error-slope-too", "x (1 − x) is multiplied in here already, and once more in δ", FACTORS,
      (W, delta, x) => LINEAR.error(W, delta).map((e, j) => e * logisticSlope(x[j]))],
    ["error-zeros", "Nothing comes back", "What should arrive here?",
      (W) => W[0].map(() => 0)],
  ]],
  ["linear", "weight", anyLayer, [
    ["weight-sign", "The minus sign of −δ x is left out", SIGNED,
      (delta, x) => delta.map((d) => x.map((xj) => d * xj))],
    ["weight-twice", "A factor of 2 too many", "By which factor is it off?",
      (delta, x) => delta.map((d) => x.map((xj) => -2 * d * xj))],
    ["weight-no-x", "x is left out: −δ alone", FACTORS,
      (delta, x) => delta.map((d) => x.map(() => -d))],
    ["weight-no-delta", "δ is left out: −x alone", FACTORS,
      (delta, x) => delta.map(() => x.map((xj) => -xj))],
    ["weight-swapped", "δ and x change places: −x_i δ_j", "Which unit does each factor belong to?",
      (delta, x) => x.map((xi) => delta.map((d) => -(xi * d))), square],
    ["weight-zeros", "The gradient stays 0", "What should arrive here?",
      (delta, x) => delta.map(() => x.map(() => 0))],
  ]],
  ["linear", "bias", withBias, [
    ["bias-sign", "The minus sign of −δ is left out", SIGNED, (delta) => [...delta]],
    ["bias-twice", "A factor of 2 too many", "By which factor is it off?", (delta) => delta.map((d) => -2 * d)],
    ["bias-missing", "The biases have no gradient", "What should arrive here?", (delta) => delta.map(() => 0)],
  ]],
  ["sigmoid", "forward", activationIs("sigmoid"), [
    ["forward-sign", "e^net in place of e^−net", SIGNED, (net) => 1 / (1 + Math.exp(net))],
    ["forward-tanh", "tanh in place of the sigmoid", "Is this an output of a sigmoid?", (net) => Math.tanh(net)],
    ["forward-twice", "The sigmoid is applied twice", "How often is σ applied?", (net) => sigmoid(sigmoid(net))],
  ]],
  ["sigmoid", "error", activationIs("sigmoid"), [
    ["error-no-slope", "σ′ is left out: δ = e", FACTORS, (e) => e],
    ["error-x-alone", "x in place of σ′ = x (1 − x)", FACTORS, (e, net, x) => e * x],
    ["error-one-minus-x", "1 − x in place of σ′ = x (1 − x)", FACTORS, (e, net, x) => e * (1 - x)],
    ["error-plus", "x (1 + x) in place of σ′ = x (1 − x)", SIGNED, (e, net, x) => e * x * (1 + x)],
    ["error-slope-twice", "σ′ is multiplied in twice", FACTORS, (e, net, x) => e * logisticSlope(x) ** 2],
    ["error-slope-from-net", "net (1 − net) in place of x (1 − x)", "What is σ′ computed from?",
      (e, net) => e * logisticSlope(net)],
    ["error-slope-of-x", "σ′(x) in place of σ′(net)", "What is σ′ computed from?",
      (e, net, x) => e * logisticSlope(sigmoid(x))],
    ["error-slope-of-tanh", "1 − x², the slope of tanh, in place of x (1 − x)", "Whose slope is this?",
      (e, net, x) => e * (1 - x * x)],
    ["error-sign", "δ has the wrong sign", SIGNED, (e, net, x) => -e * logisticSlope(x)],
    ["error-missing", "The error is left out: δ = σ′ alone", FACTORS, (e, net, x) => logisticSlope(x)],
  ]],
  ["tanh", "error", activationIs("tanh"), [
    ["error-no-slope", "σ′ is left out: δ = e", FACTORS, (e) => e],
    ["error-no-square", "1 − x in place of σ′ = 1 − x²", "Is anything missing from 1 − x²?",
      (e, net, x) => e * (1 - x)],
    ["error-plus", "1 + x² in place of σ′ = 1 − x²", SIGNED, (e, net, x) => e * (1 + x * x)],
    ["error-slope-from-net", "1 − net² in place of 1 − x²", "What is σ′ computed from?",
      (e, net) => e * (1 - net * net)],
    ["error-slope-of-sigmoid", "x (1 − x), the slope of the sigmoid, in place of 1 − x²", "Whose slope is this?",
      (e, net, x) => e * logisticSlope(x)],
  ]],
  ["relu", "error", activationIs("relu"), [
    ["error-no-mask", "σ′ is left out: δ = e even where the unit is off", "Which units are off?", (e) => e],
    ["error-reversed", "σ′ is 1 where the unit is off, and 0 where it is on", "Which units are off?",
      (e, net, x) => (x > 0 ? 0 : e)],
    ["error-x", "x in place of σ′, which is 1 or 0", "What values does σ′ have?", (e, net, x) => e * x],
  ]],
  ["squared", "forward", lossIs("squared-error"), [
    ["loss-no-half", "The ½ is left out", FACTORS, (y, t) => 2 * squareOf(y, t)],
    ["loss-no-square", "|t − y| in place of ½ (t − y)²", "Is it a square?",
      (y, t) => sum(y.map((yk, k) => Math.abs(t[k] - yk)))],
  ]],
  ["squared", "error", lossIs("squared-error"), [
    ["error-sign", "y − t in place of t − y", SIGNED, (y, t) => y.map((yk, k) => yk - t[k])],
    ["error-twice", "A factor of 2 too many", "By which factor is it off?",
      (y, t) => y.map((yk, k) => 2 * (t[k] - yk))],
    ["error-no-y", "y is left out: t alone", "Is every term there?", (y, t) => [...t]],
    ["error-slope-too", "y (1 − y) is multiplied in here already, and once more in δ", FACTORS,
      (y, t) => y.map((yk, k) => (t[k] - yk) * yk * (1 - yk))],
  ]],
  ["entropy", "output", lossIs("cross-entropy"), [
    ["output-sigmoid", "A sigmoid for each unit in place of the softmax over all", "What do the outputs add up to?",
      (net) => net.map(sigmoid)],
  ]],
  ["entropy", "forward", lossIs("cross-entropy"), [
    ["loss-sign", "The minus sign is left out", SIGNED, (net, t) => -entropyOf(net, t)],
    ["loss-no-logarithm", "The logarithm is left out", "Is a function missing?",
      (net, t) => -sum(softmax(net).map((yk, k) => t[k] * yk))],
    ["loss-base-2", "A logarithm to the base 2", "By which factor is it off?",
      (net, t) => entropyOf(net, t) / Math.log(2)],
  ]],
  ["entropy", "error", lossIs("cross-entropy"), [
    ["error-sign", "y − t in place of t − y", SIGNED, (net, t) => softmax(net).map((yk, k) => yk - t[k])],
    ["error-net", "net in place of y", "What is subtracted from t?", (net, t) => net.map((z, k) => t[k] - z)],
    ["error-target-unit", "Only the target's unit has an error", "Which units are wrong?",
      (net, t) => softmax(net).map((yk, k) => t[k] * (t[k] - yk))],
    ["error-slope-too", "y (1 − y) is multiplied in, which E17 has already cancelled", FACTORS,
      (net, t) => softmax(net).map((yk, k) => logisticSlope(yk) * (t[k] - yk))],
  ]],
];

/**
 * The faults: { name, of, makes, equation, title, hint, wrong, layers(network), applies(network) }.
 * `layers` gives the layers l in which it can be planted; a loss counts as part of the last one.
 */
export const FAULTS = GROUPS.flatMap(([of, makes, layers, rows]) => rows.map((row) => faultOf([of, makes, layers], row)));

function faultOf([of, makes, everywhere], [name, title, hint, wrong, layers = everywhere]) {
  const equation = cited(CITED_AS[of] ?? of, makes);
  return { name: `${of}-${name}`, of, makes, equation, title, hint, wrong, layers, applies: (network) => layers(network).length > 0 };
}

/** What any formula can have wrong, whatever it computes. */
const OF_ANY_FORMULA = [
  ["negative", "The result has the wrong sign", SIGNED, (value) => -value],
  ["twice", "The result is twice what it should be", "By which factor is it off?", (value) => 2 * value],
  ["half", "The result is half of what it should be", "By which factor is it off?", (value) => value / 2],
  ["squared", "The result is squared, which it should not be", "Is a function applied that is not in the formula?", (value) => value * value],
];

/** Those for each formula of the table above; an entry like one of FAULTS. */
export const GENERAL_FAULTS = GROUPS.flatMap(([of, makes, layers]) =>
  OF_ANY_FORMULA.map(([name, title, hint, spoil]) => {
    const right = { linear: LINEAR, squared: LOSSES["squared-error"], entropy: LOSSES["cross-entropy"], ...ACTIVATIONS }[of][makes];
    return faultOf([of, makes, layers], [`${makes}-${name}`, title, hint, (...given) => each(right(...given), spoil)]);
  }),
);

function each(value, change) {
  return Array.isArray(value) ? value.map((part) => each(part, change)) : change(value);
}

/**
 * The fault in layer l, as `pass` takes it.
 * @param {object} fault
 * @param {number} l
 * @returns {object}
 */
export function plant(fault, l) {
  return { ...fault, l };
}

/**
 * The names of the numbers that a planted fault changes, in the order of the walk; the first one is where it sits.
 * @param {object} network
 * @param {object} planted
 * @returns {string[]}
 */
export function spoiled(network, planted) {
  const right = pass(network);
  const wrong = [...pass(network, planted)].filter(([name, value]) => value !== right.get(name));
  return wrong.map(([name]) => name);
}
