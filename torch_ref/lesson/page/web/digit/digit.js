import { showDigitBatch } from "./batch.js";
import { showDigitChoice } from "./choice.js";
import { showDigitDescent } from "./descent.js";
import { decodedInk, decodedNetwork, digitPass, gradientOver, oneStepDown } from "./network.js";
import { showDigitOutput } from "./output.js";
import { showDigitTarget } from "./target.js";
import { showDigitUnits } from "./units.js";
import { showDigitVerdict } from "./verdict.js";

/**
 * The chapter with one real digit: forward pass, backward pass and updates of a 784-30-10 network.
 * @param {object} data what `digit.py` computes
 */
export function showDigit(root, data) {
  const [, hidden, classes] = data.sizes;
  const trained = decodedNetwork(data);
  const samples = data.digits.map(({ pixels, label }) => ({ x: decodedInk(pixels), label }));
  const chosen = { sample: samples[data.first], target: samples[data.first].label, network: trained, steps: 0, unit: null };
  let now = null;
  const change = (patch) => {
    Object.assign(chosen, patch);
    now = digitView(chosen, trained);
    for (const show of parts) show(now);
  };
  const showUnits = showDigitUnits(hidden, (unit) => {
    chosen.unit = unit;
    showUnits({ ...now, unit }); // nothing else changes, and nothing is announced again
  });
  const parts = [
    showDigitChoice(samples, samples[data.first], (sample) => change({ sample, target: targetFor(sample, chosen), unit: null })),
    showDigitVerdict,
    showDigitTarget(classes, (target) => change({ target })),
    showUnits,
    showDigitOutput,
    showDigitDescent(
      (lr) => change({ network: oneStepDown(now.network, gradientOver([now.pass]), lr), steps: chosen.steps + 1 }),
      () => change({ network: trained, steps: 0 }),
    ),
    showDigitBatch(samples, trained),
  ];
  root.querySelector("#digit-training").textContent = trainingOf(data);
  change({});
}

/** The label; a drawing has none, and keeps the target that the reader chose for it, if any. */
function targetFor(sample, chosen) {
  return sample.label ?? (chosen.sample.label === null ? chosen.target : null);
}

/** Everything there is to show. Without a target nothing has a δ, and no unit is the most responsible. */
function digitView({ sample, target, network, steps, unit }, trained) {
  const pass = digitPass(network, sample.x, target);
  const sizes = pass.delta?.slice(1).map((delta) => [...delta].map(Math.abs)) ?? [[]];
  const [responsible = null] = fromTheLargest(sizes[0]);
  return {
    sample, target, network, steps, pass, responsible,
    ranking: fromTheLargest(pass.y),
    before: digitPass(trained, sample.x, target),
    unit: unit ?? responsible ?? 0,
    mostDelta: Math.max(Number.MIN_VALUE, ...sizes.flat()), // to divide by
  };
}

/** The indices of some values, that of the largest first. */
function fromTheLargest(values) {
  return [...values.keys()].sort((a, b) => values[b] - values[a]);
}

function trainingOf({ training, test }) {
  const count = (number) => number.toLocaleString("en");
  const how = `${training.epochs} times each, ${training.batchSize} at a time, η = ${training.lr}`;
  const outcome = `Of ${count(test.digits)} others it gets ${count(test.right)} right.`;
  return `The network was trained by E9 on ${count(training.digits)} digits of MNIST, ${how}. ${outcome}`;
}
