import { byId, element } from "../dom.js";
import { DATA } from "../data.js";
import { pretty } from "../formulas/notation.js";
import { resized, withBiases, withLoss, withRandomNumbers } from "./changes.js";
import { problemOf, readNumber } from "./reading.js";
import { change, isLectures, isX1, view, watch } from "./state.js";

/** Let the reader change every number, the activation, the loss, the learning rate and the shape of the network. */
export function showSettings() {
  const form = byId("fields");
  let drawn = null;
  watch(({ start }) => {
    if (drawn !== start) keepingFocus(form, () => form.replaceChildren(...fields(start)));
    drawn = start;
    form.querySelector("[data-do=lecture]").disabled = isLectures(start);
    form.querySelector("[data-do=x1]").disabled = isX1(start);
  });
  form.addEventListener("input", (event) => {
    if (!event.target.matches("input[data-at]")) return;
    const read = readFields(form, view().start);
    byId("settings-problem").textContent = read.problem;
    if (read.problem) return;
    drawn = read.network; // the fields show it already, and the one being typed into stays as it is
    change({ start: read.network });
  });
  form.addEventListener("change", (event) => {
    if (event.target.matches("input[data-at]") && event.target.getAttribute("aria-invalid") === "false") event.target.value = readNumber(event.target).value;
    const choose = { activation: withActivation, loss: withLoss, biases: withBiases }[event.target.name];
    if (choose) replace(choose(view().start, event.target.type === "checkbox" ? event.target.checked : event.target.value));
  });
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-do]");
    if (button) act(button.dataset.do, Number(button.dataset.layer));
  });
  form.addEventListener("submit", (event) => event.preventDefault());
}

function replace(start) {
  byId("settings-problem").textContent = "";
  change({ start });
}

function act(what, layer) {
  const { start } = view();
  const sizes = [...start.sizes];
  const changes = {
    more: () => sizes.splice(layer, 1, sizes[layer] + 1),
    fewer: () => sizes.splice(layer, 1, sizes[layer] - 1),
    "add-layer": () => sizes.splice(-1, 0, 2),
    "remove-layer": () => sizes.splice(-2, 1),
  };
  if (what === "lecture") return replace(DATA.x2.network);
  if (what === "x1") return replace(DATA.x1.network);
  if (what === "random") return replace(withRandomNumbers(start));
  changes[what]();
  replace(resized(start, sizes));
}

/** Give the focus to the field or button that takes the place of the one that had it. */
function keepingFocus(form, rebuild) {
  const before = form.contains(document.activeElement) ? document.activeElement : null;
  rebuild();
  if (!before) return;
  const { name, dataset } = before;
  const [one, other] = [dataset.do, OPPOSITES[dataset.do]].map((what) => `[data-do="${what}"]${dataset.layer ? `[data-layer="${dataset.layer}"]` : ""}`);
  const place = name ? [`[name="${name}"]`] : dataset.at ? [`[data-at="${dataset.at}"]`] : [one, other];
  place.map((selector) => form.querySelector(selector)).find((found) => found && !found.disabled)?.focus();
}

/** Where one of them can do no more, the other can. */
const OPPOSITES = { more: "fewer", fewer: "more", "add-layer": "remove-layer", "remove-layer": "add-layer" };

function withActivation(network, activation) {
  return { ...network, activation };
}

/** Return the network that the fields describe, or what is wrong with them. */
function readFields(form, before) {
  const network = structuredClone(before);
  let problem = "";
  for (const field of form.querySelectorAll("input[data-at]")) {
    const read = readNumber(field);
    field.setAttribute("aria-invalid", String(Boolean(read.problem)));
    problem ||= read.problem;
    const path = field.dataset.at.split(".");
    const last = path.pop();
    path.reduce((part, key) => part[key], network)[last] = read.value;
  }
  if (!problem && problemOf(network)) {
    for (const field of form.querySelectorAll('[data-at^="t."]')) field.setAttribute("aria-invalid", "true");
  }
  return { network, problem: problem || problemOf(network) };
}

// ----------------------------------------------------------------------------------------------------------- fields

function fields(network) {
  const last = network.sizes.length - 1;
  return [
    element("div", { class: "row" },
      select("activation", "Activation", network.activation, { sigmoid: "sigmoid", tanh: "tanh", relu: "ReLU" }),
      select("loss", "Loss", network.loss, { "squared-error": "squared error", "cross-entropy": "softmax, cross-entropy" }),
      element("label", {}, "Learning rate η ", field("lr", network.lr, "Learning rate η")),
      element("label", { class: "check" }, element("input", { type: "checkbox", name: "biases", checked: network.biases !== null }), " Biases")),
    element("div", { class: "row" },
      button("lecture", "The lecture’s X2"), button("x1", "The lecture’s X1"), button("random", "Random numbers"),
      button("add-layer", "Add a layer", last === 3), button("remove-layer", "Remove a layer", last === 1)),
    element("div", { class: "matrices" }, network.sizes.flatMap((size, l) => layerFields(network, l)), vector(network, "t", "Target t", "t", network.t)),
  ];
}

function layerFields(network, l) {
  const last = network.sizes.length - 1;
  const name = l === 0 ? "Input x⁰" : l === last ? `Layer ${l}, output` : `Layer ${l}`;
  const least = l === last && network.loss === "cross-entropy" ? 2 : 1;
  const size = network.sizes[l];
  const fewer = unitButton("fewer", l, `One unit fewer in ${name}`, "−", size === least);
  const more = unitButton("more", l, `One unit more in ${name}`, "+", size === 4);
  const head = element("legend", {}, `${name} `, fewer, ` ${size} `, more);
  if (l === 0) return [element("fieldset", {}, head, network.x.map((value, j) => labelled(`x^0_${j + 1}`, `x.${j}`, value, `Input ${j + 1}`)))];
  const rows = network.weights[l - 1].map((row, i) =>
    element("div", { class: "weights" },
      row.map((value, j) => labelled(`W^${l}_${i + 1}${j + 1}`, `weights.${l - 1}.${i}.${j}`, value, `W ${l}, from ${j + 1} to ${i + 1}`)),
      network.biases ? labelled(`b^${l}_${i + 1}`, `biases.${l - 1}.${i}`, network.biases[l - 1][i], `b ${l}, unit ${i + 1}`) : null));
  return [element("fieldset", {}, head, rows)];
}

function vector(network, key, name, letter, values) {
  return element("fieldset", {}, element("legend", {}, name), values.map((value, k) => labelled(`${letter}_${k + 1}`, `${key}.${k}`, value, `${name} ${k + 1}`)));
}

function labelled(shownName, at, value, name) {
  return element("label", {}, element("span", {}, pretty(shownName)), field(at, value, name));
}

function field(at, value, name) {
  return element("input", { type: "text", inputmode: "decimal", "data-at": at, value: `${value}`, "aria-label": name, size: 6 });
}

function select(name, label, value, options) {
  const choices = Object.entries(options).map(([key, words]) => element("option", { value: key, selected: key === value }, words));
  return element("label", {}, `${label} `, element("select", { name }, choices));
}

function button(what, words, disabled = false) {
  return element("button", { type: "button", "data-do": what, disabled }, words);
}

function unitButton(what, layer, name, sign, disabled) {
  return element("button", { type: "button", class: "unit-count", "data-do": what, "data-layer": layer, "aria-label": name, disabled }, sign);
}
