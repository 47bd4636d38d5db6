// A sheet of exercises to print: the ones that the page has for the same seed, and after them the solutions.

import { NARROW } from "./bench/drawing.js";
import { DATA } from "./data.js";
import { byId, element } from "./dom.js";
import { breakable } from "./formulas/breakable.js";
import { pretty } from "./formulas/notation.js";
import { steps } from "./formulas/steps.js";
import { pass } from "./numbers/arithmetic.js";
import { upTo } from "./numbers/walk.js";
import { exercise } from "./practise/exercises.js";
import { posed } from "./practise/posed.js";

const { seed, count } = DATA.sheet;
const exercises = upTo(count).map((number) => exercise(seed, number));
byId("exercises").append(...exercises.map((one) => element("article", {}, posed(one, NARROW), element("p", { class: "lines" }, one.asked.map(line)))));
byId("solutions").append(...exercises.map((one) => element("article", {}, element("h2", {}, `${one.number}. ${one.title}`), solution(one))));
document.title = `Exercises in backpropagation, seed ${seed}`;
document.head.append(element("style", {}, foot(`Exercises in backpropagation, seed ${seed}`)));

function line(name) {
  return element("span", {}, `${pretty(name)} = `, element("i", {}));
}

function solution({ network, asked }) {
  const all = steps(network, pass(network)).filter(({ name }) => asked.includes(name));
  return all.map(({ name, equation, symbols, numbers, text, textNumbers }) => element("div", { class: "solution", "data-name": name },
    element("span", { class: "eq" }, equation),
    element("span", { role: "math", "aria-label": text }, breakable(symbols)),
    element("span", { role: "math", "aria-label": textNumbers }, breakable(numbers))));
}

/** The margin of every page: only a style sheet can write there. */
function foot(words) {
  return `@page { @bottom-left { content: "${words}" } @bottom-right { content: counter(page) " of " counter(pages) } }`;
}
