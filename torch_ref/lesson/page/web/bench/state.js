import { pass, repeated } from "../numbers/arithmetic.js";
import { differing } from "../numbers/compare.js";
import { DATA } from "../data.js";
import { steps } from "../formulas/steps.js";
import { passByTape } from "../numbers/tape.js";

export const MOST_UPDATES = 2000;

/** The network that the page begins with. */
export const opening = DATA.opening?.network ?? DATA.x2.network;

/** What the reader chose; everything else follows from it. */
const chosen = { start: opening, updates: 0, step: "net^1_1", fault: null };
const watchers = [];
let history = withLosses([chosen.start]);
let numbers = numbersOfNow();

/** Call `watcher(view, patch)` now and after every change. */
export function watch(watcher) {
  watchers.push(watcher);
  watcher(view(), {});
}

/**
 * Change what the reader chose: `start` (a network), `updates`, `step` (a name), `fault`.
 * A fault goes with the numbers that it was planted in: in others it may not even have a place.
 */
export function change(patch) {
  const other = patch.start ? { updates: 0, fault: null } : patch.updates !== undefined ? { fault: null } : {};
  Object.assign(chosen, other, patch);
  if (patch.start) history = withLosses([patch.start]);
  const missing = chosen.updates + 1 - history.length;
  if (missing > 0) history = [...history, ...withLosses(repeated(history.at(-1).network, missing).slice(1))];
  if (Object.keys(patch).some((key) => key !== "step")) numbers = numbersOfNow();
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

/** Return everything there is to show. */
export function view() {
  const at = Math.max(0, numbers.walk.findIndex((step) => step.name === chosen.step));
  return { ...chosen, ...numbers, history, at };
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
    walk: steps(network, own),
    wrong: differing(byHand, reference),
    slides: lectures ? DATA.x2.slides : {},
    names: {
      byHand: lectures && !fault ? "manual_bp" : fault ? "with a bug" : "this page",
      reference: lectures ? `PyTorch ${DATA.versions.torch}` : "this page’s tape",
    },
  };
}
