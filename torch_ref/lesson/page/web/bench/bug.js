import { addressPart } from "../address.js";
import { DATA } from "../data.js";
import { byId, element } from "../dom.js";
import { breakable } from "../formulas/breakable.js";
import { chips } from "../formulas/equations.js";
import { generalFormula } from "../formulas/general.js";
import { pretty } from "../formulas/notation.js";
import { tensorOf } from "../numbers/compare.js";
import { shown } from "../numbers/format.js";
import { huntFor } from "../numbers/hunt.js";
import { change, view, watch } from "./state.js";
import { showStepNamed } from "./stepper.js";
import { quotation } from "./written.js";

export const MOST_BUGS = 9999;
const EXAMPLES = { X2: () => DATA.x2.network, X1: () => DATA.x1.network };

const score = { right: 0, half: 0, tried: 0 };
const answeredOnce = new Set();
let hunt = null;

/** "Spot the bug": a seed spoils one formula of an example; the reader finds formula and cause, and sees autograd then. */
export function showBug() {
  byId("bug-form").addEventListener("submit", (event) => {
    event.preventDefault();
    plantFromForm();
  });
  byId("bug-next").addEventListener("click", () => {
    const before = /^\d{1,4}$/.test(byId("bug-seed").value) ? Number(byId("bug-seed").value) : 0;
    byId("bug-seed").value = (before % MOST_BUGS) + 1;
    plantFromForm();
  });
  byId("bug-answer").addEventListener("click", accuse);
  byId("give-up").addEventListener("click", giveUp);
  byId("remove-bug").addEventListener("click", () => change({ fault: null }));
  byId("suspects").addEventListener("click", ({ target }) => {
    const button = target.closest("button[data-step]");
    if (button) showStepNamed(button.dataset.step);
  });
  byId("suspects").addEventListener("change", ({ target }) => showCauses(target.value));
  byId("causes").addEventListener("change", () => (byId("bug-answer").disabled = false));
  addressPart("bug", { write: ({ fault }) => (fault && hunt ? `${hunt.example}-${hunt.seed}` : ""), read: readBug, jumps: true });
  let drawn = {};
  watch((now) => {
    if (drawn.fault !== now.fault || drawn.answered !== now.answered) show(now);
    drawn = now;
  });
}

/**
 * Plant the bug of a seed into an example.
 * @param {number} seed from 1 to MOST_BUGS
 * @param {string} example "X2" or "X1"
 */
export function plantBug(seed, example) {
  const start = EXAMPLES[example]();
  hunt = { ...huntFor(start, seed), seed, example };
  byId("bug-seed").value = seed;
  byId("bug-example").value = example;
  say("");
  change({ start });
  change({ fault: hunt.fault, answered: false, step: view().walk.findLast(({ phase }) => phase === "backward").name });
}

/** Plant the bug that an address names, at the step that it names; return what is wrong with it. */
function readBug(text) {
  const [, example, seed] = text.match(/^(X1|X2)-([1-9]\d{0,3})$/) ?? [];
  if (text && !example) return `bug: expected X1 or X2 and a number from 1 to ${MOST_BUGS}, such as X2-7, got ${quotation(text)}`;
  const { fault, step } = view();
  if (!text && fault) change({ fault: null });
  if (text) plantBug(Number(seed), example);
  if (text) change({ step });
  return "";
}

function plantFromForm() {
  const seed = Number(byId("bug-seed").value);
  const fits = /^\s*\d{1,4}\s*$/.test(byId("bug-seed").value) && seed >= 1 && seed <= MOST_BUGS;
  byId("bug-seed").setAttribute("aria-invalid", String(!fits));
  if (!fits) return say(`Number of the bug: expected a whole number from 1 to ${MOST_BUGS}, got “${byId("bug-seed").value}”.`);
  plantBug(seed, byId("bug-example").value);
}

function accuse() {
  const tensor = chosenOf("suspect");
  const cause = hunt.causes[tensor][Number(chosenOf("cause"))];
  const found = tensor === hunt.guilty;
  count(cause.right, found && !cause.right);
  const wrong = found ? "The formula is right, the cause is another one." : `It is not ${pretty(tensor)}: its numbers follow from those that it was given.`;
  reveal(`${cause.right ? "Right." : wrong} ${truth()}`);
}

function giveUp() {
  count(false, false);
  reveal(truth());
}

/** A bug counts once, by its first answer. */
function count(isRight, isHalf) {
  const name = `${hunt.example}-${hunt.seed}`;
  if (answeredOnce.has(name)) return;
  answeredOnce.add(name);
  score.tried += 1;
  score.right += Number(isRight);
  score.half += Number(isHalf);
}

function reveal(words) {
  const half = score.half ? `, and ${score.half} more without the cause` : "";
  say(`${words} Found: ${score.right} of ${score.tried}${half}.`);
  change({ answered: true });
}

function truth() {
  return `The bug is in ${pretty(hunt.guilty)} (${hunt.fault.equation}): ${hunt.fault.title}.`;
}

function chosenOf(name) {
  return byId("bug").querySelector(`[name="${name}"]:checked`)?.value;
}

function say(words) {
  byId("bug-outcome").textContent = words;
}

// ------------------------------------------------------------------------------------------------------------ views

function show(now) {
  const open = Boolean(now.fault) && !now.answered;
  byId("give-up").hidden = byId("bug-answer").hidden = !open;
  byId("remove-bug").hidden = !now.fault;
  byId("bug-answer").disabled = true;
  byId("causes").hidden = true;
  byId("suspects").replaceChildren(...(now.fault ? suspects(now, open) : []));
  if (!now.fault) say("");
}

/** One row for each formula of the pass: its numbers by hand, and once it is answered, autograd's beside them. */
function suspects({ network, walk, byHand, reference, wrong }, open) {
  const columns = ["quantity", "formula", "by hand", ...(open ? [] : ["autograd"])];
  const head = element("tr", {}, columns.map((cell) => element("th", { scope: "col" }, cell)));
  const rows = hunt.suspects.map((tensor) => {
    const steps = walk.filter(({ name, phase }) => phase !== "update" && tensorOf(name) === tensor);
    const bad = ({ name }) => !open && wrong.has(name);
    const byHandOf = (step) => element("div", { class: bad(step) && "bad" }, `${bad(step) ? "✗ " : ""}${shown(byHand.get(step.name))}`);
    const formula = open ? breakable(generalFormula(steps[0], network).querySelector("math").outerHTML) : null;
    return element("tr", { class: `phase-${steps[0].phase}${!open && tensor === hunt.guilty ? " guilty" : ""}` },
      element("th", { scope: "row" }, open ? suspectChoice(tensor) : null,
        element("button", { type: "button", "data-step": steps[0].name, title: "Show it step by step" }, pretty(tensor))),
      element("td", {}, formula, " ", element("span", { class: "chips" }, chips(steps[0].equation))),
      element("td", { class: "figure" }, steps.map(byHandOf)),
      open ? null : element("td", { class: "figure" }, steps.map(({ name }) => element("div", {}, shown(reference.get(name))))));
  });
  return [element("thead", {}, head), element("tbody", {}, rows)];
}

function suspectChoice(tensor) {
  return element("input", { type: "radio", name: "suspect", value: tensor, "aria-label": `The formula of ${pretty(tensor)} is wrong` });
}

function showCauses(tensor) {
  const choices = hunt.causes[tensor].map(({ title }, k) =>
    element("label", {}, element("input", { type: "radio", name: "cause", value: k }), ` ${title}`));
  byId("causes").replaceChildren(element("legend", {}, `What is wrong with the formula of ${pretty(tensor)}?`), ...choices);
  byId("causes").hidden = false;
  byId("bug-answer").disabled = true;
}

/** For the console and the tests: the bug that is planted, and the score. */
export function bugOfNow() {
  return { hunt, score: { ...score } };
}
