import { byId, element } from "../dom.js";
import { digitPass, gradientOver, oneStepDown } from "./network.js";
import { batchWords, lossesTable, sharesTable } from "./tables.js";

const SIZES = [1, 5, 10];
const USUAL_BATCH = 10; // as many as the network was trained on at a time

/**
 * Show one step of gradient descent on a batch: what each sample adds to the gradient of one weight, and the losses.
 * @returns a function that shows it for the weights that the page has now
 */
export function showDigitBatch(samples, trained) {
  const usual = passesOf(trained, samples.slice(0, USUAL_BATCH));
  let network = trained;
  const show = () => showBatch(stepOnBatch(network, samples.slice(0, chosenIn("size"))));
  offerChoices("size", [...SIZES, samples.length], String, USUAL_BATCH);
  offerWeights(trained, usual);
  byId("digit-batch").addEventListener("change", ({ target }) => {
    if (target.id === "batch-layer") offerWeights(trained, usual);
    show();
  });
  show();
  return (now) => {
    if (now.network === network) return;
    network = now.network;
    show();
  };
}

function chosenIn(name) {
  return Number(byId(`batch-${name}`).value);
}

function offerChoices(name, values, words, chosen) {
  byId(`batch-${name}`).replaceChildren(...values.map((value) => element("option", { value, selected: value === chosen }, words(value))));
}

/** Offer the weights of the chosen layer; the first to be seen is one to which three samples or more add something. */
function offerWeights({ weights }, passes) {
  const l = chosenIn("layer");
  const third = (i, j) => passes.map((pass) => Math.abs(shareOf(pass, l, i, j))).sort((a, b) => b - a)[2];
  const places = weights[l].flatMap((row, i) => Array.from(row, (_, j) => [i, j, third(i, j)]));
  const [i, j] = places.reduce((most, place) => (place[2] > most[2] ? place : most));
  const fromOne = (at) => at + 1;
  offerChoices("row", [...weights[l].keys()], l === 1 ? fromOne : String, i);
  offerChoices("column", [...weights[l][0].keys()], fromOne, j);
  byId("batch-to").textContent = l === 1 ? "to unit" : "to digit";
  byId("batch-from").textContent = l === 1 ? "from pixel" : "from unit";
}

/** What one sample adds to the gradient of a weight: −δ_i x_j (E12). */
function shareOf({ delta, x }, l, i, j) {
  return -delta[l][i] * x[l - 1][j];
}

/** One step. `networks`: before it, after it, and after the mistake if one is chosen; both mistakes spoil the mean. */
function stepOnBatch(network, batch) {
  const [lr, l, i, j] = ["rate", "layer", "row", "column"].map(chosenIn);
  const way = byId("digit-batch").querySelector(":checked[type=radio]").value;
  const [passes, N] = [passesOf(network, batch), batch.length];
  const after = (counted, factor) => oneStepDown(network, gradientOver(counted, factor), lr);
  const mistakes = { whole: [passes, 1], last: [passes.slice(-1), 1 / N] };
  const networks = [network, after(passes, way === "sum" ? 1 : 1 / N)];
  if (mistakes[way]) networks.push(after(...mistakes[way]));
  return {
    batch, lr, way, l, i, j, passes,
    shares: passes.map((pass) => shareOf(pass, l, i, j)),
    weights: networks.map(({ weights }) => weights[l][i][j]),
    losses: networks.map((one) => passesOf(one, batch).map(({ L }) => L)),
  };
}

function passesOf(network, batch) {
  return batch.map(({ x, label }) => digitPass(network, x, label));
}

function showBatch(step) {
  byId("digit-shares").replaceChildren(...sharesTable(step));
  byId("digit-losses").replaceChildren(...lossesTable(step));
  byId("batch-words").textContent = batchWords(step);
}
