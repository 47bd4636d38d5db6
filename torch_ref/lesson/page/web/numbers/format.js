// Numbers as the page shows them, and how far apart two of them are.

const SMALLEST_FIXED = 1e-4;
const LARGEST_FIXED = 1e6;

/**
 * A number for a column: six decimals, or four digits and a power of ten where that says nothing.
 * @param {number} value
 * @returns {string} "0.680267", "−0.040681", "3.214e−7"
 */
export function shown(value) {
  if (!Number.isFinite(value)) return unfinite(value);
  const size = Math.abs(value);
  const fixed = size === 0 || (size >= SMALLEST_FIXED && size < LARGEST_FIXED);
  const digits = fixed ? size.toFixed(6) : size.toExponential(3).replace("e+", "e").replace("e-", "e−");
  return (value < 0 ? "−" : "") + digits;
}

/**
 * A number inside a formula: as in a column, without the zeros at its end.
 * @param {number} value
 * @returns {string} "0.35", "−2", "1e−7"
 */
export function short(value) {
  const [digits, exponent] = shown(value).split("e");
  const trimmed = digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits;
  return exponent === undefined ? trimmed : `${trimmed}e${exponent}`;
}

/**
 * How many float64 numbers one goes past on the way from a to b; the two zeros are one number.
 * @param {number} a
 * @param {number} b
 * @returns {number} exact below 2^53; NaN where a or b is
 */
export function ulps(a, b) {
  if (Number.isNaN(a) || Number.isNaN(b)) return NaN;
  const apart = place(a) - place(b);
  return Number(apart < 0n ? -apart : apart);
}

/** The number's place in the row of all float64: 0 for zero, 1 for the smallest positive one, −1 for its negative. */
function place(value) {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, Math.abs(value));
  const magnitude = bits.getBigUint64(0);
  return value < 0 ? -magnitude : magnitude;
}

function unfinite(value) {
  if (Number.isNaN(value)) return "NaN";
  return value < 0 ? "−∞" : "∞";
}
