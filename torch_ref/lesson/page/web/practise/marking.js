// What a typed number is: right, right as far as it goes, or wrong, and then by which mistake. No page in here.

import { pass } from "../numbers/arithmetic.js";
import { walk } from "../numbers/walk.js";
import { mistakesAt } from "./mistakes.js";
import { asShown, oneStep, roundedWalk } from "./onestep.js";
import { readTyped } from "./typed.js";

/** Of the largest number of a pass: what cancels leaves that much of itself. */
const CANCELLED = 1e-14;

/** How far off, as a share, somebody is who calculates with the six decimals on screen. */
const WITH_SHOWN = [0, 1e-4];

/** Within this share of the right number nobody was far from it. */
const CLOSE = 0.01;

/** How many digits are asked for: a new weight shows its step in the fourth decimal, as on the slides. */
export function askedOf(kind) {
  return kind === "W" || kind === "b" ? { decimals: 4 } : { digits: 3 };
}

/** The same in words. */
export function askedInWords({ digits, decimals }) {
  return digits === undefined ? `${decimals} decimals` : `${digits} significant digits`;
}

/**
 * Mark a typed number.
 * @param {object} network
 * @param {string} name of a number of the walk
 * @param {string} text what was typed
 * @param {{asked: ?{digits: ?number, decimals: ?number}, slides: ?Object<string, {printed: string}>}} options
 *   how many digits it must have at least; what the slides print, where this is their network
 * @returns {{verdict: "right"|"short"|"wrong"|"unreadable", as: ?string, name: ?string, title: ?string, hint: ?string}}
 *   `as` says whether it is "exact" or as on the "slide"; name, title and hint are the mistake's
 */
export function mark(network, name, text, { asked, slides = {} } = {}) {
  const typed = readTyped(text);
  if (!typed) return { verdict: "unreadable", title: `Expected a number such as 0.35 or −2.7e−3, got “${text.trim()}”` };
  const place = walk(network).find((one) => one.name === name);
  const values = pass(network);
  const needed = neededUnit(values.get(name), asked ?? askedOf(place.kind));
  const between = rightOnes(network, place, values);
  if (inside(typed.value, between, Math.min(typed.unit, needed))) return { verdict: "right", as: "exact" };
  if (slides[name] && readTyped(slides[name].printed).value === typed.value) return { verdict: "right", as: "slide" };
  if (typed.digits > 0 && typed.unit > needed && inside(typed.value, between, typed.unit)) return { verdict: "short" };
  return { verdict: "wrong", ...mistakeIn(typed, mistakesAt(network, place, values), values.get(name)) };
}

/** The unit of the last digit that is asked for; a number has fewer where it ends before. */
function neededUnit(exact, { digits, decimals }) {
  if (decimals !== undefined) return 10 ** -decimals;
  return exact === 0 ? 1 : 10 ** (Math.floor(Math.log10(Math.abs(exact))) - digits + 1);
}

/** From the least to the largest right number: the exact one, and those from the numbers as the page shows them. */
function rightOnes(network, place, values) {
  const shownOnes = new Map([...values].map(([name, value]) => [name, asShown(value)]));
  const exact = values.get(place.name);
  const all = [exact, oneStep(network, shownOnes, place), oneStep(network, roundedWalk(network, asShown), place)];
  const noise = CANCELLED * Math.max(...[...values.values()].map(Math.abs));
  return [Math.min(...all) - noise, Math.max(...all) + noise];
}

function inside(value, [least, most], unit) {
  const half = (unit / 2) * (1 + 1e-6);
  return value >= least - half && value <= most + half;
}

/** The first mistake whose number was typed; one digit alone is too few to tell by. */
function mistakeIn(typed, mistakes, exact) {
  const fits = (slack) => ({ value }) => {
    const apart = Math.abs(typed.value - value);
    const room = typed.digits > 1 ? (typed.unit / 2) * (1 + 1e-6) + slack * Math.abs(value) : 0;
    const isOther = Math.abs(value - exact) > 10 * slack * Math.abs(exact); // a mistake elsewhere may leave this number right
    return isOther && apart <= room + 1e-12 * Math.abs(value);
  };
  const found = WITH_SHOWN.map((slack) => mistakes.find(fits(slack))).find(Boolean);
  if (found) return { name: found.name, title: found.title, hint: found.hint };
  if (Math.abs(typed.value - exact) <= CLOSE * Math.abs(exact)) {
    return { name: "rounded", title: "Close: a number was rounded too early, or the last digit is wrong", hint: "Keep 5 digits or more on the way." };
  }
  return { name: "unknown", title: "That is not the number", hint: "Check each number that you put in." };
}
