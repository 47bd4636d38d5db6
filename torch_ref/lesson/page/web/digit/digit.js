import { showDigitChoice } from "./choice.js";
import { showDigitDescent } from "./descent.js";
import { decodedInk, decodedNetwork, oneStepDown, digitBackward, digitForward } from "./network.js";
import { showDigitOutput } from "./output.js";
import { showDigitUnits } from "./units.js";

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
    showUnits,
    showDigitOutput(classes, (target) => change({ target })),
    showDigitDescent(
      (lr) => change({ network: oneStepDown(now.network, now.pass, lr), steps: chosen.steps + 1 }),
      () => change({ network: trained, steps: 0 }),
    ),
  ];
  root.querySelector("#digit-training").textContent = trainingOf(data);
  change({});
}

/** The label; a drawing has none, and keeps the target that the reader chose for it. */
function targetFor(sample, chosen) {
  return sample.label ?? (chosen.sample.label === null ? chosen.target : null);
}

/** Everything there is to show. Without a target, the network's own answer is the target. */
function digitView({ sample, target, network, steps, unit }, trained) {
  const forward = digitForward(network, sample.x);
  const answer = indexOfLargest(forward.y);
  const aim = target ?? answer;
  const start = digitForward(trained, sample.x);
  const pass = { ...forward, ...digitBackward(network, forward, aim) };
  const sizes = pass.delta.slice(1).map((delta) => delta.map(Math.abs));
  const responsible = indexOfLargest(sizes[0]);
  return {
    sample, network, steps, answer, pass, responsible,
    target: aim,
    before: { ...start, ...digitBackward(trained, start, aim) },
    unit: unit ?? responsible,
    mostDelta: Math.max(Number.MIN_VALUE, ...sizes.flatMap((of) => [...of])), // to divide by
  };
}

function indexOfLargest(values) {
  return values.indexOf(Math.max(...values));
}

function trainingOf({ training, test }) {
  const count = (number) => number.toLocaleString("en");
  const how = `${training.epochs} times each, ${training.batchSize} at a time, η = ${training.lr}`;
  const outcome = `Of ${count(test.digits)} others it gets ${count(test.right)} right.`;
  return `The network was trained by E9 on ${count(training.digits)} digits of MNIST, ${how}. ${outcome}`;
}
