import { byId, element } from "../dom.js";
import { barOf, figureOf, signedBarOf } from "./number.js";
import { norm } from "./network.js";
import { inkPicture } from "./picture.js";

/**
 * Show the input, the output layer, and how far the error gets on its way back.
 * @param aim is called with the target that the reader chooses
 * @returns a function that shows the numbers of a pass
 */
export function showDigitOutput(classes, aim) {
  const select = byId("digit-target");
  select.replaceChildren(...Array.from({ length: classes }, (_, k) => element("option", { value: k }, `${k}`)));
  select.addEventListener("change", () => aim(Number(select.value)));
  return (now) => {
    select.value = now.target;
    const name = now.sample.label === null ? "The digit that you drew" : `A digit with the label ${now.sample.label}`;
    byId("digit-picture").replaceChildren(inkPicture(now.sample.x, { role: "img", "aria-label": name }));
    byId("digit-outcome").replaceChildren(...outcomeOf(now));
    byId("digit-outputs").replaceChildren(...Array.from(now.pass.y, (_, k) => outputRow(k, now)));
    byId("digit-norms").replaceChildren(...normRows(now.pass));
    byId("digit-reading").textContent = readingOf(now);
  };
}

function outcomeOf({ pass, sample, target, answer }) {
  const verdict = sample.label === null ? "." : answer === sample.label ? ", which is right." : `, which is wrong: the label is ${sample.label}.`;
  return [`The network says ${answer}${verdict} Its confidence is `, figureOf(pass.y[answer]), `; for the target ${target} the loss L is `, lossOf(pass), "."];
}

function lossOf({ L }) {
  const figure = figureOf(L);
  figure.id = "digit-loss";
  return figure;
}

function outputRow(k, { pass, before, steps, target, answer, mostDelta }) {
  const aim = k === target ? element("span", { class: "aim" }, "target") : null;
  const row = element("tr", {},
    element("th", { scope: "row" }, `${k} `, aim),
    element("td", { class: "room" }, barOf(pass.y[k], steps ? before.y[k] : null)),
    element("td", { class: "figure" }, figureOf(pass.y[k])),
    element("td", { class: "room" }, signedBarOf(pass.delta[2][k] / mostDelta)),
    element("td", { class: "figure" }, figureOf(pass.delta[2][k])));
  row.classList.toggle("answer", k === answer);
  return row;
}

function normRows({ delta, e }) {
  const lengths = [
    ["|δ²|", "at the output units", norm(delta[2])],
    ["|e¹|", "sent back through W²", norm(e[1])],
    ["|δ¹|", "let through by σ′", norm(delta[1])],
  ];
  const most = Math.max(Number.MIN_VALUE, ...lengths.map(([, , length]) => length));
  return lengths.map(([name, words, length]) =>
    element("tr", {},
      element("th", { scope: "row" }, name, element("small", {}, words)),
      element("td", { class: "room" }, barOf(length / most)),
      element("td", { class: "figure" }, figureOf(length))));
}

function readingOf({ pass, responsible }) {
  const share = norm(pass.delta[1]) / Math.max(Number.MIN_VALUE, norm(pass.e[1]));
  const who = `Unit ${responsible + 1} is the most responsible of the thirty: its |δ¹| is the largest.`;
  const why = "σ′ is at most ¼, and near 0 for a unit that is nearly on or off, so δ¹ is much smaller than e¹";
  return `${who} ${why}: here ${(100 * share).toFixed(1)} %.`;
}
