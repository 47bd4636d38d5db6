import { breakable } from "../formulas/breakable.js";
import { generalFormula } from "../formulas/general.js";
import { apart } from "../numbers/compare.js";
import { byId, element } from "../dom.js";
import { chips } from "../formulas/equations.js";
import { shown } from "../numbers/format.js";
import { pretty } from "../formulas/notation.js";
import { chains } from "./chains.js";
import { asked } from "../practise/asked.js";
import { change, view, watch } from "./state.js";

const PHASES = { forward: "Forward pass", loss: "Loss", backward: "Backward pass", gradients: "Gradients", update: "Update" };
const SECONDS_A_STEP = 1.8;

/** Show one step of the walk, and let buttons, slider, phases and keys go through it. */
export function showStepper() {
  byId("phases").replaceChildren(...Object.entries(PHASES).map(phaseButton));
  watch((now) => {
    showStep(now);
    showPosition(now);
  });
  byId("slider").addEventListener("input", (event) => goTo(Number(event.target.value)));
  byId("phases").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) goTo(Number(button.dataset.at));
  });
  const buttons = { first: () => goTo(0), back: () => goBy(-1), forward: () => goBy(1), last: () => goTo(Infinity) };
  for (const [id, go] of Object.entries(buttons)) byId(id).addEventListener("click", go);
  document.addEventListener("keydown", onKey);
  playing();
}

/** Show a step by its name, in the walk; the arrow keys go on from there. */
export function showStepNamed(name) {
  byId("tab-walk").click();
  change({ step: name });
  byId("slider").focus({ preventScroll: true });
}

function goTo(at) {
  const { walk } = view();
  change({ step: walk[Math.min(Math.max(at, 0), walk.length - 1)].name });
}

function goBy(steps) {
  goTo(view().at + steps);
}

/** Go to the first step of the phase before or after; from the middle of a phase, back to its own first step. */
function goByPhase(direction) {
  const { walk, at } = view();
  const starts = walk.map((step, i) => (i === 0 || walk[i - 1].phase !== step.phase ? i : -1)).filter((i) => i >= 0);
  goTo(direction > 0 ? (starts.find((i) => i > at) ?? Infinity) : (starts.findLast((i) => i < at) ?? 0));
}

const presenting = () => document.documentElement.classList.contains("presenting");

/** A clicker's keys, Page Up and Page Down, go a step where the page presents. */
const KEYS = {
  ArrowRight: () => goBy(1), ArrowLeft: () => goBy(-1), Home: () => goTo(0), End: () => goTo(Infinity),
  PageDown: () => (presenting() ? goBy(1) : goByPhase(1)), PageUp: () => (presenting() ? goBy(-1) : goByPhase(-1)), " ": () => byId("play").click(),
};
const ONWARD = ["ArrowRight", "End", "PageDown"];
const BACKWARD = ["ArrowLeft", "Home", "PageUp"];

/**
 * A key belongs to what has the focus where that has a use for it, and else to the walk, where the network is in sight.
 * At the end of the walk a key that would go on scrolls the page, as everywhere else.
 */
function onKey(event) {
  const { key, target } = event;
  const fields = "input:not(#slider), select, textarea, summary, [role=tab], [role=toolbar], .scroll";
  const elsewhere = target.closest(key === " " ? `${fields}, button, a` : fields);
  const modified = event.altKey || event.ctrlKey || event.metaKey || event.shiftKey;
  if (elsewhere || modified || !KEYS[key] || !inSight()) return;
  const { at, walk } = view();
  if ((at === walk.length - 1 && ONWARD.includes(key)) || (at === 0 && BACKWARD.includes(key))) return;
  event.preventDefault();
  KEYS[key]();
}

/** Tell whether a good part of the network, or of what stands beside it, is in the window. */
function inSight() {
  const { top, bottom } = byId("bench").querySelector(".bench").getBoundingClientRect();
  return top < 0.8 * window.innerHeight && bottom > 0.3 * window.innerHeight;
}

function playing() {
  let timer = null;
  const button = byId("play");
  const stop = () => {
    clearInterval(timer);
    timer = null;
    button.setAttribute("aria-pressed", "false");
    button.textContent = "Play";
  };
  const step = () => {
    goBy(1);
    if (view().at === view().walk.length - 1) stop();
  };
  button.addEventListener("click", () => {
    if (timer) return stop();
    if (view().at === view().walk.length - 1) goTo(0);
    timer = setInterval(step, SECONDS_A_STEP * 1000);
    button.setAttribute("aria-pressed", "true");
    button.textContent = "Pause";
  });
  watch((now, patch) => {
    if (timer && (patch.start || patch.fault !== undefined || patch.updates !== undefined)) stop();
  });
}

// ------------------------------------------------------------------------------------------------------------ views

function showStep(now) {
  const step = now.walk[now.at];
  for (const id of ["step", "stepper"]) byId(id).dataset.phase = step.phase;
  byId("step").replaceChildren(
    element("p", { class: "phase" }, PHASES[step.phase], " ", arrow(step.phase), element("span", { class: "citation" }, chips(step.equation))),
    element("h3", {}, step.title),
    element("p", { class: "general" }, generalFormula(step, now.network)),
    formulaLine("symbols", step.symbols, step.text),
    formulaLine("numbers", ...(now.hidden.has(step.name) ? asked(now) : [step.numbers, step.textNumbers])),
    ...(now.hidden.has(step.name) ? [] : [...(now.isOpen ? [] : chains(now, step.name)), comparison(now, step.name)]),
  );
}

/** A screen reader gets the formula as one text, for the eye it is in pieces. */
function formulaLine(kind, mathml, text) {
  const line = element("div", { class: `formula ${kind}`, role: "math", "aria-label": text }, breakable(mathml));
  if (kind === "symbols") for (const factor of line.querySelectorAll(".factor")) factor.setAttribute("tabindex", "0"); // lights up its source
  return line;
}

function arrow(phase) {
  const sign = { forward: "→", backward: "←" }[phase] ?? "";
  return element("span", { class: "direction", "aria-hidden": "true" }, sign);
}

function comparison(now, name) {
  const [hand, auto, slide] = [now.byHand.get(name), now.reference.get(name), now.slides[name]];
  if (now.isOpen) return element("dl", { class: "compare" }, element("div", { class: "hand" }, element("dt", {}, "by hand"), element("dd", {}, digits(hand))));
  const wrong = now.wrong.has(name);
  const cells = [
    ["by hand", now.names.byHand, digits(hand), "hand"],
    ["autograd", now.names.reference, digits(auto), "auto"],
    ["difference", "", inWords(apart(hand, auto, wrong)), wrong ? "bad" : "good"],
    ["slide", "", slide ? slide.printed : "–", "slide"],
  ];
  return element("dl", { class: "compare" },
    cells.map(([term, source, value, kind]) => element("div", { class: kind },
      element("dt", {}, term, source && element("small", {}, ` ${source}`)), element("dd", {}, value))));
}

/** Six digits to present, and every digit to look at closely. */
function digits(value) {
  return [element("span", { class: "in-full" }, inFull(value)), element("span", { class: "in-short" }, shown(value))];
}

const ULP = "ulp: a unit in the last place, the step from one number that a computer can write to the next";

function inWords(difference) {
  if (difference === "0 ulp") return "same to the last bit";
  return difference.endsWith(" ulp") ? element("abbr", { title: ULP }, difference) : difference;
}

/** Every digit that tells a number from its neighbours. */
function inFull(value) {
  return `${value}`.replaceAll("-", "−");
}

function showPosition({ walk, at }) {
  const slider = byId("slider");
  slider.max = walk.length - 1;
  slider.value = at;
  slider.setAttribute("aria-valuetext", `${pretty(walk[at].name)}, step ${at + 1} of ${walk.length}`);
  byId("position").textContent = `${at + 1} / ${walk.length}`;
  // Not `disabled`: a button that switches itself off would drop the focus.
  for (const id of ["first", "back"]) byId(id).setAttribute("aria-disabled", String(at === 0));
  for (const id of ["forward", "last"]) byId(id).setAttribute("aria-disabled", String(at === walk.length - 1));
  showPhases(walk, at);
}

function showPhases(walk, at) {
  for (const button of byId("phases").children) {
    const steps = walk.filter((step) => step.phase === button.dataset.phase);
    button.dataset.at = walk.indexOf(steps[0]);
    button.style.flexGrow = steps.length;
    button.setAttribute("aria-current", walk[at].phase === button.dataset.phase ? "step" : "false");
  }
}

function phaseButton([phase, title]) {
  return element("button", { type: "button", "data-phase": phase }, title.replace(" pass", ""));
}
