// Formulas put together from the templates in DATA (torch_ref/lesson/page/templates.py).
//
// An expression is a formula twice: { math, text }, in MathML to be seen, in plain text to be heard or copied.

import { DATA } from "../data.js";
import { short } from "../numbers/format.js";

const PLACE_IN_MATH = /<mtext>@([a-z])<\/mtext>/g;
const PLACE_IN_TEXT = /@([a-z])/g;

/**
 * A template with its places filled.
 * @param {string} key
 * @param {Object<string, number|{math: string, text: string}>} parts expressions, or indices
 * @returns {{math: string, text: string}}
 */
export function expression(key, parts = {}) {
  if (!(key in DATA.formulas)) throw new Error(`no formula ${key}; there are ${Object.keys(DATA.formulas).join(", ")}`);
  const part = (place) => {
    if (parts[place] === undefined) throw new Error(`formula ${key} expects a part ${place}`);
    return typeof parts[place] === "number" ? index(parts[place]) : parts[place];
  };
  return {
    math: DATA.formulas[key].replace(PLACE_IN_MATH, (_, place) => part(place).math),
    text: DATA.texts[key].replace(PLACE_IN_TEXT, (_, place) => part(place).text),
  };
}

/**
 * A template as MathML, ready for the page.
 * @param {string} key
 * @param {object} parts
 * @param {"inline"|"block"} display
 * @returns {string}
 */
export function formula(key, parts = {}, display = "inline") {
  return mathElement(expression(key, parts), display);
}

/** An expression as a MathML element. */
export function mathElement({ math }, display = "inline") {
  return `<math display="${display}">${math}</math>`;
}

/** A number as an expression, as `short` writes it. */
export function numeral(value) {
  const [digits, exponent] = short(value).split("e");
  if (exponent === undefined) return signed(digits);
  return expression("power-of-ten", { a: signed(digits), b: signed(exponent) });
}

/** A number beside an operator: in brackets where it is negative. */
export function operand(value) {
  return value < 0 ? expression("bracket", { a: numeral(value) }) : numeral(value);
}

/** Expressions, joined from left to right by a template of two places: a sum, a product. */
export function joined(key, expressions) {
  return expressions.reduce((a, b) => expression(key, { a, b }));
}

function index(number) {
  return { math: `<mn>${number}</mn>`, text: `${number}` };
}

function signed(text) {
  const math = text.startsWith("−") ? `<mrow><mo>−</mo><mn>${text.slice(1)}</mn></mrow>` : `<mn>${text}</mn>`;
  return { math, text };
}
