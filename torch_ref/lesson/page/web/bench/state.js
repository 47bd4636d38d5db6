import { pass, repeated } from "../numbers/arithmetic.js";
import { differing } from "../numbers/compare.js";
import { DATA } from "../data.js";
import { steps } from "../formulas/steps.js";
import { passByTape } from "../numbers/tape.js";

export const MOST_UPDATES = 2000;

/** The network that the page begins with. */
export const opening = DATA.opening?.network ?? DATA.x2.network;

/** What the reader chose; everything else follows from it. */
const chosen = { start: opening, updates: 0, step: "net^1_1", fault: null, answered: false, asOnSlides: false, predicted: null };
const watchers = [];
let history = withLosses([chosen.start]);
let numbers = numbersOfNow();

/** Call `watcher(view, patch)` now and after every change. */
export function watch(watcher) {
  watchers.push(watcher);
  watcher(view(), {});
}

/**
 * Change what the reader chose: `start` (a network), `updates`, `step` (a name), `fault`, whether it is `answered`,
 * whether the numbers are to be those of the slides, `asOnSlides`, and `predicted` (the names of the numbers that need
 * not be hidden any more, or null: nothing is).
 * A fault goes with the numbers that it was planted in: in others it may not even have a place.
 */
export function change(patch) {
  const other = patch.start ? { updates: 0, fault: null } : patch.updates !== undefined ? { fault: null } : {};
  Object.assign(chosen, other, patch);
  if (patch.start) history = withLosses([patch.start]);
  const missing = chosen.updates + 1 - history.length;
  if (missing > 0) history = [...history, ...withLosses(repeated(history.at(-1).network, missing).slice(1))];
  if (patch.start || patch.updates !== undefined) chosen.predicted &&= new Set();
  if (Object.keys(patch).some((key) => key !== "step" && key !== "predicted")) numbers = numbersOfNow();
  const now = view();
  for (const watcher of watchers) watcher(now, patch);
}

function withLosses(networks) {
  return networks.map((network) => ({ network, loss: pass(network).get("L") }));
}

/** Tell whether a network is the lecture's X2, untouched. */
export function isLectures(network) {
  return JSON.stringify(network) === JSON.stringify(DATA.x2.network);
}

/** Tell whether a network is X1 with one of its inputs, untouched; its target is ours. */
export function isX1(network) {
  return DATA.x1.inputs.some(({ x }) => JSON.stringify(network) === JSON.stringify({ ...DATA.x1.network, x }));
}

/** Return everything there is to show. */
export function view() {
  const at = Math.max(0, numbers.walk.findIndex((step) => step.name === chosen.step));
  const isOpen = Boolean(chosen.fault) && !chosen.answered; // what the reader looks for is not given away
  const shown = numbers.onSlides && chosen.asOnSlides && !chosen.predicted ? numbers.onSlides : {}; // exact ones are predicted
  return { ...chosen, ...numbers, exactWalk: numbers.walk, ...shown, history, at, isOpen, hidden: hiddenAt(at) };
}

/** The names of the numbers that must not be shown: the one that the reader is to predict. A bug's are all shown. */
function hiddenAt(at) {
  const { name } = numbers.walk[at];
  return new Set(chosen.predicted && !chosen.fault && !chosen.predicted.has(name) ? [name] : []);
}

/** What only another network or fault changes: a step through the walk computes nothing anew. */
function numbersOfNow() {
  const { fault } = chosen;
  const { network } = history[chosen.updates];
  const lectures = isLectures(network);
  const own = pass(network, fault);
  const byHand = lectures && !fault ? new Map(Object.entries(DATA.x2.byHand)) : own;
  const reference = lectures ? new Map(Object.entries(DATA.x2.autograd)) : passByTape(network);
  return {
    network, lectures, byHand, reference,
    values: byHand, // what drawing and formulas show
    walk: steps(network, own),
    onSlides: lectures && !fault ? slidesOwn(network) : null,
    wrong: differing(byHand, reference),
    slides: lectures ? DATA.x2.slides : {},
    names: {
      byHand: lectures && !fault ? "manual_bp" : fault ? "with a bug" : "this page",
      reference: lectures ? `PyTorch ${DATA.versions.torch}` : "this page’s tape",
    },
  };
}

/** What drawing and formulas show of X2 where every number is rounded as the slides round it. */
function slidesOwn(network) {
  const values = new Map(Object.entries(DATA.x2.onPaper));
  return { values, walk: steps(network, values) };
}
