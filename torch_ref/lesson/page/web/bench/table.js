import { apart } from "../numbers/compare.js";
import { byId, element } from "../dom.js";
import { chips } from "../formulas/equations.js";
import { shown } from "../numbers/format.js";
import { pretty } from "../formulas/notation.js";
import { showStepNamed } from "./stepper.js";
import { view, watch } from "./state.js";

/** Show the whole pass as a table, and copy it as CSV. */
export function showTable() {
  watch((now) => {
    byId("copy-csv").disabled = now.isOpen;
    byId("numbers").replaceChildren(...(now.isOpen ? [notYet()] : [head(now), body(now)]));
    byId("copied").textContent = "";
  });
  byId("numbers").addEventListener("click", (event) => {
    const button = event.target.closest("button[data-step]");
    if (button) showStepNamed(button.dataset.step);
  });
  byId("copy-csv").addEventListener("click", async () => {
    const text = csv(view());
    const done = await copied(text);
    const count = text.trim().split("\n").length - 1;
    byId("copied").textContent = done ? `${count} numbers are on the clipboard.` : "The browser does not let this page copy: select the table instead.";
  });
}

/** Return the pass as CSV, every number in full. */
export function csv({ walk, byHand, reference, slides }) {
  const rows = walk.map(({ name, equation, text, textNumbers }) =>
    [name, equation, text, textNumbers, byHand.get(name), reference.get(name), slides[name]?.printed.replace("−", "-") ?? ""]);
  return [["quantity", "equation", "formula", "with numbers", "by hand", "autograd", "slide"], ...rows].map((row) => row.map(quoted).join(",")).join("\n") + "\n";
}

function quoted(value) {
  return /[",\n]/.test(value) ? `"${`${value}`.replaceAll('"', '""')}"` : `${value}`;
}

/** Opened from a disk a page may not have the clipboard's newer interface. */
export async function copied(content) {
  try {
    await navigator.clipboard.writeText(content);
    return true;
  } catch {
    const field = element("textarea", { class: "off-screen", readonly: true });
    field.value = content;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

function notYet() {
  return element("caption", {}, "Here autograd stands beside every number by hand: answer first which formula is wrong.");
}

function head({ names }) {
  const source = (name) => element("small", {}, name);
  const cells = [["quantity"], ["formula"], ["by hand", source(names.byHand)], ["autograd", source(names.reference)], ["difference"], ["slide"]];
  return element("thead", {}, element("tr", {}, cells.map((cell) => element("th", { scope: "col" }, cell))));
}

function body(now) {
  return element("tbody", {}, now.walk.map((step, at) => row(now, step, at === now.at)));
}

function row({ byHand, reference, wrong, slides, hidden }, { name, equation, phase }, current) {
  const seen = (text) => (hidden.has(name) ? "?" : text);
  const figure = (label, value) => element("td", { class: "figure", "data-label": value && label }, seen(value));
  const [hand, auto, bad] = [byHand.get(name), reference.get(name), wrong.has(name)];
  return element("tr", { class: `phase-${phase}${bad ? " bad" : ""}`, "aria-current": current && "step" },
    element("th", { scope: "row" }, element("button", { type: "button", "data-step": name }, pretty(name))),
    element("td", {}, chips(equation)),
    figure("by hand", shown(hand)), figure("autograd", shown(auto)),
    element("td", { class: bad ? "bad" : null }, seen(apart(hand, auto, bad))), figure("slide", slides[name]?.printed ?? ""));
}
