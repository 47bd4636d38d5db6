import { pass } from "../numbers/arithmetic.js";
import { tensorOf } from "../numbers/compare.js";
import { byId, element } from "../dom.js";
import { FAULTS, plant, spoiled } from "../numbers/faults.js";
import { shown } from "../numbers/format.js";
import { pretty } from "../formulas/notation.js";
import { showStepNamed } from "./stepper.js";
import { change, view, watch } from "./state.js";

const score = { found: 0, planted: 0, open: false };

/** "Spot the bug": plant a wrong formula; the reader has to say which one it is. */
export function showBug() {
  byId("plant").addEventListener("click", () => plantOne());
  byId("give-up").addEventListener("click", () => {
    score.open = false;
    say(`It is this one. ${explained(view())}`);
  });
  byId("hint").addEventListener("click", () => say(`${view().fault.hint}`));
  byId("remove-bug").addEventListener("click", () => change({ fault: null }));
  byId("suspects").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.tensor) accuse(button.dataset.tensor);
    else if (button?.dataset.step) showStepNamed(button.dataset.step);
  });
  watch((now) => {
    if (!now.fault) say("");
    for (const id of ["hint", "give-up", "remove-bug"]) byId(id).disabled = !now.fault;
    byId("suspects").replaceChildren(...suspects(now));
  });
}

function plantOne() {
  const { network, fault: before } = view();
  const possible = plantable(network).filter((fault) => fault.name !== before?.name);
  if (possible.length === 0) return say("No mistake would show in these numbers: change the network.");
  score.planted += 1;
  score.open = true;
  change({ fault: possible[Math.floor(Math.random() * possible.length)], step: view().walk[0].name });
  say("A formula is wrong now. The numbers with a ✗ are wrong; some of them only because of others.");
}

/** Return the faults, each in a layer of this network, whose numbers differ from the right ones in a digit on screen. */
function plantable(network) {
  const right = pass(network);
  const visible = (fault) => [...pass(network, fault)].some(([name, value]) => !(Math.abs(value - right.get(name)) < 1e-5));
  return FAULTS.flatMap((fault) => fault.layers(network).map((l) => plant(fault, l))).filter(visible);
}

/** Return the tensor whose own formula is wrong: the first of the pass that the fault changes. */
function guiltyOf({ network, fault }) {
  return tensorOf(spoiled(network, fault)[0]);
}

function accuse(tensor) {
  const { wrong } = view();
  if (tensor === guiltyOf(view())) {
    score.found += Number(score.open);
    score.open = false;
    say(`Right. ${explained(view())} Found: ${score.found} of ${score.planted}.`);
  } else if ([...wrong].some((name) => tensorOf(name) === tensor)) {
    say(`${pretty(tensor)} is wrong, but its formula is right: it was given wrong numbers. Look for what comes before it in the pass.`);
  } else {
    say(`${pretty(tensor)} is right.`);
  }
}

function explained(now) {
  return `${pretty(guiltyOf(now))} (${now.fault.equation}): ${now.fault.title}.`;
}

function say(words) {
  byId("bug-outcome").textContent = words;
}

/** One row for each formula of the pass, its numbers by hand beside autograd's. */
function suspects({ fault, walk, byHand, reference, wrong }) {
  if (!fault) return [];
  const tensors = new Map();
  for (const step of walk.filter(({ phase }) => phase !== "update")) {
    const tensor = tensorOf(step.name);
    tensors.set(tensor, [...(tensors.get(tensor) ?? []), step]);
  }
  const head = element("tr", {}, ["quantity", "formula", "by hand", "autograd", "guilty"].map((cell) => element("th", { scope: "col" }, cell)));
  const rows = [...tensors].map(([tensor, steps]) => {
    const byHandOf = ({ name }) => (wrong.has(name) ? element("div", { class: "bad" }, `✗ ${shown(byHand.get(name))}`) : element("div", {}, shown(byHand.get(name))));
    const autogradOf = ({ name }) => element("div", {}, shown(reference.get(name)));
    return element("tr", { class: `phase-${steps[0].phase}` },
      element("th", { scope: "row" }, element("button", { type: "button", "data-step": steps[0].name }, pretty(tensor))),
      element("td", {}, element("span", { class: "eq" }, steps[0].equation)),
      element("td", { class: "figure" }, steps.map(byHandOf)), element("td", { class: "figure" }, steps.map(autogradOf)),
      element("td", {}, element("button", { type: "button", "data-tensor": tensor, "aria-label": `The formula of ${pretty(tensor)} is wrong` }, "This one")));
  });
  return [element("thead", {}, head), element("tbody", {}, rows)];
}
