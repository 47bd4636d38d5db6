// A number as a person types it: 0.35, .35, 0,35, −0.0027, -2.7e-3, 2.7·10^-3.

const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const NUMBER = /^([-+]?)(\d+\.?\d*|\.\d+)(?:e([-+]?\d+))?$/;
const POWER_OF_TEN = /[·⋅×*x]10(?:\^|\*\*)?[({]?([-+]?\d+)[)}]?$/;

/**
 * Read a number.
 * @param {string} text
 * @returns {?{value: number, unit: number, digits: number}} `unit` is one of the last digit that was typed, `digits`
 *   counts the significant ones; null where the text is no number
 */
export function readTyped(text) {
  const match = NUMBER.exec(plain(text));
  if (!match) return null;
  const [, sign, mantissa, exponent = "0"] = match;
  const decimals = mantissa.split(".")[1]?.length ?? 0;
  const value = Number(`${sign}${mantissa}e${exponent}`);
  if (!Number.isFinite(value)) return null;
  return {
    value,
    unit: Number(`1e${Number(exponent) - decimals}`),
    digits: mantissa.replace(".", "").replace(/^0+/, "").length,
  };
}

/** Write it as a program would: no spaces, "-" for every minus, a decimal point, e for a power of ten. */
function plain(text) {
  const ascii = text
    .replace(/\s/g, "")
    .replace(/[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+/g, (raised) => [...raised].map((sign) => ({ "⁻": "-", "⁺": "+" })[sign] ?? RAISED.indexOf(sign)).join(""))
    .replace(/[−–‐‑]/g, "-")
    .toLowerCase();
  const point = ascii.includes(".") ? ascii : ascii.replace(",", ".");
  return point.replace(POWER_OF_TEN, "e$1");
}
